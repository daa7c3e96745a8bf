"""64-bit fingerprints of many strings at once: what TensorFlow's ``to_hash_bucket_*`` and ``cross_hashed`` compute.

All arithmetic is on uint64 arrays, which wraps. ``Packed`` holds the strings in one buffer; a fetch of eight bytes
at some offset of each string is one gather.

Source: Google's FarmHash, ``farmhashna::Hash64`` (Fingerprint64); Aumasson and Bernstein, SipHash-2-4, 2012.
"""

import numpy as np

K0, K1, K2 = (np.uint64(k) for k in (0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F))
CAT = np.uint64(0xC6A4A7935BD1E995)
CROSS_KEY = 0xDECAFCAFFE  # where TensorFlow's sparse cross begins


class Packed:
    """Byte strings in one buffer.

    Args:
        strings: a list of bytes.
    """

    def __init__(self, strings):
        self.lengths = np.fromiter(map(len, strings), np.int64, len(strings))
        self.starts = np.cumsum(self.lengths) - self.lengths
        self.data = np.frombuffer(b"".join(strings) + bytes(8), np.uint8)
        # Every eight bytes in a row as a little-endian number; the buffer's end is padded for it.
        self.words = np.ndarray(len(self.data) - 7, "<u8", self.data, strides=(1,))

    def only(self, which):
        """The strings at the indices ``which``."""
        part = object.__new__(Packed)
        part.lengths, part.starts, part.data, part.words = (
            self.lengths[which], self.starts[which], self.data, self.words,
        )  # fmt: skip
        return part

    def word(self, offset):
        """The eight bytes of each string from ``offset`` on."""
        return self.words[self.starts + offset]

    def byte(self, offset):
        """The byte of each string at ``offset``."""
        return self.data[self.starts + offset].astype(np.uint64)


def fingerprint64(strings):
    """FarmHash's Fingerprint64 of each of the byte strings, a uint64 array."""
    packed = Packed(strings)
    result = np.empty(len(strings), np.uint64)
    low = -1
    for high, function in _BY_LENGTH:
        which = np.flatnonzero((packed.lengths > low) & (packed.lengths <= high))
        if which.size:
            result[which] = function(packed.only(which))
        low = high
    return result


def _rotate(x, by):
    return (x >> np.uint64(by)) | (x << np.uint64(64 - by))


def _mix(x):
    return x ^ (x >> np.uint64(47))


def _join(u, v, factor):
    a = _mix((u ^ v) * factor)
    return _mix((v ^ a) * factor) * factor


def _empty(s):
    return np.full(len(s.lengths), K2)


def _up_to_3(s):
    size = s.lengths
    y = s.byte(0) + (s.byte(size >> 1) << np.uint64(8))
    z = size.astype(np.uint64) + (s.byte(size - 1) << np.uint64(2))
    return _mix(y * K2 ^ z * K0) * K2


def _factor(s):
    return K2 + s.lengths.astype(np.uint64) * np.uint64(2)


def _up_to_7(s):
    half = np.uint64(0xFFFFFFFF)
    first, last = s.word(0) & half, s.word(s.lengths - 4) & half
    return _join(s.lengths.astype(np.uint64) + (first << np.uint64(3)), last, _factor(s))


def _up_to_16(s):
    factor = _factor(s)
    a, b = s.word(0) + K2, s.word(s.lengths - 8)
    return _join(_rotate(b, 37) * factor + a, (_rotate(a, 25) + b) * factor, factor)


def _ends(s):
    """The sums over the first and last 16 bytes that strings of 17 to 64 bytes begin with, and the first word's."""
    a, b = s.word(0), s.word(8)
    c, d = s.word(s.lengths - 8) * _factor(s), s.word(s.lengths - 16) * K2
    return a, b, c, d


def _up_to_32(s):
    a, b, c, d = _ends(s)
    a = a * K1
    return _join(_rotate(a + b, 43) + _rotate(c, 30) + d, a + _rotate(b + K2, 18) + c, _factor(s))


def _up_to_64(s):
    factor = _factor(s)
    a, b, c, d = _ends(s)
    a = a * K2
    y = _rotate(a + b, 43) + _rotate(c, 30) + d
    z = _join(y, a + _rotate(b + K2, 18) + c, factor)
    e, f = s.word(16) * factor, s.word(24)
    g, h = (y + s.word(s.lengths - 32)) * factor, (z + s.word(s.lengths - 24)) * factor
    return _join(_rotate(e + f, 43) + _rotate(g, 30) + h, e + _rotate(f + a, 18) + g, factor)


def _block(s, at, a, b):
    """32 bytes from ``at`` on, mixed into the seeds ``a`` and ``b``."""
    w, x, y, z = (s.word(at + step) for step in (0, 8, 16, 24))
    a = a + w
    b = _rotate(b + a + z, 21)
    total = a + x + y
    return total + z, b + _rotate(total, 44) + a


def _round(s, at, state, factor, last):
    """One step over 64 bytes; ``last`` is how it differs at the end of a string: (of w[1], of v[0])."""
    x, y, z, v, w = state
    x = _rotate(x + y + v[0] + s.word(at + 8), 37) * factor
    y = _rotate(y + v[1] + s.word(at + 48), 42) * factor
    x = x ^ w[1] * last
    y = y + v[0] * last + s.word(at + 40)
    z = _rotate(z + w[0], 33) * factor
    v = _block(s, at, v[1] * factor, x + w[0])
    w = _block(s, at + 32, z + w[1], y + s.word(at + 16))
    return z, y, x, v, w


def _long(s):
    count = len(s.lengths)
    y = np.full(count, np.uint64(81)) * K1 + np.uint64(113)
    z = _mix(y * K2 + np.uint64(113)) * K2
    zero = np.zeros(count, np.uint64)
    state = (np.full(count, np.uint64(81)) * K2 + s.word(0), y, z, (zero, zero), (zero, zero))
    blocks = (s.lengths - 1) // 64
    for block in range(int(blocks.max())):
        going = np.flatnonzero(blocks > block)
        part = _round(s.only(going), block * 64, _take(state, going), K1, np.uint64(1))
        state = _put(state, going, part)
    x, y, z, v, w = state
    factor = K1 + ((z & np.uint64(0xFF)) << np.uint64(1))
    rest = ((s.lengths - 1) & 63).astype(np.uint64)
    w0 = w[0] + rest
    v0 = v[0] + w0
    state = (x, y, z, (v0, v[1]), (w0 + v0, w[1]))
    x, y, z, v, w = _round(s, s.lengths - 64, state, factor, np.uint64(9))
    return _join(_join(v[0], w[0], factor) + _mix(y) * K0 + z, _join(v[1], w[1], factor) + x, factor)


def _take(state, which):
    return tuple(_take(part, which) if isinstance(part, tuple) else part[which] for part in state)


def _put(state, which, parts):
    def put(old, new):
        if isinstance(old, tuple):
            return tuple(map(put, old, new))
        old = old.copy()
        old[which] = new
        return old

    return put(state, parts)


_BY_LENGTH = ((0, _empty), (3, _up_to_3), (7, _up_to_7), (16, _up_to_16), (32, _up_to_32), (64, _up_to_64),
              (np.iinfo(np.int64).max, _long))  # fmt: skip


def siphash64(strings, key):
    """SipHash-2-4 of each of the byte strings under ``key``, a pair of ints; a uint64 array."""
    packed = Packed(strings)
    low, high = (np.uint64(int(part) & 0xFFFFFFFFFFFFFFFF) for part in key)
    seeds = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
    state = tuple(
        np.full(len(strings), np.uint64(seed) ^ part) for seed, part in zip(seeds, (low, high) * 2, strict=True)
    )
    blocks = packed.lengths // 8
    for block in range(int(blocks.max(initial=0))):
        going = np.flatnonzero(blocks > block)
        word = packed.only(going).word(block * 8)
        state = _put(state, going, _absorb(_take(state, going), word))
    rest = (packed.lengths % 8).astype(np.uint64)
    kept = (np.uint64(1) << (rest * np.uint64(8))) - np.uint64(1)
    last = (packed.word(blocks * 8) & kept) | (packed.lengths.astype(np.uint64) << np.uint64(56))
    v0, v1, v2, v3 = _absorb(state, last)
    state = v0, v1, v2 ^ np.uint64(0xFF), v3
    for _ in range(4):
        state = _sip_round(*state)
    return state[0] ^ state[1] ^ state[2] ^ state[3]


def _absorb(state, word):
    v0, v1, v2, v3 = state
    v0, v1, v2, v3 = _sip_round(*_sip_round(v0, v1, v2, v3 ^ word))
    return v0 ^ word, v1, v2, v3


def _sip_round(v0, v1, v2, v3):
    v0, v2 = v0 + v1, v2 + v3
    v1, v3 = _rotate(v1, 64 - 13) ^ v0, _rotate(v3, 64 - 16) ^ v2
    v0 = _rotate(v0, 64 - 32)
    v2, v0 = v2 + v1, v0 + v3
    v1, v3 = _rotate(v1, 64 - 17) ^ v2, _rotate(v3, 64 - 21) ^ v0
    return v0, v1, _rotate(v2, 64 - 32), v3


def cross(columns):
    """The fingerprints of a row of features each: uint64 arrays (ints as they are, fingerprints of strings)."""
    result = np.full(len(columns[0]), np.uint64(CROSS_KEY))
    for column in columns:
        result = (result ^ CAT ^ _mix(column * CAT) * CAT) * CAT
        result = _mix(_mix(result) * CAT)
    return result
