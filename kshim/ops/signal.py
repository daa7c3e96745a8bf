"""Fourier transforms, over whole signals and over short sequences of them.

A complex signal is a tuple of its real and its imaginary part. Source: Keras 3 ``ops/math.py``.
"""

import torch
import torch.nn.functional as F

from kshim.core import checks, dtypes
from kshim.graph.op import op
from kshim.ops.casting import tensor

__all__ = ["extract_sequences", "fft", "fft2", "ifft2", "irfft", "istft", "rfft", "stft"]


def complex_of(function, x):
    """The complex tensor that the pair ``x`` stands for."""
    if not isinstance(x, (tuple, list)) or len(x) != 2:
        raise ValueError(f"{function}: expected `x` to be a tuple of two tensors, real and imaginary. "
                         f"Received: {type(x).__name__}.")  # fmt: skip
    real = tensor(x[0])
    imaginary = tensor(x[1], device=real.device)
    if real.shape != imaginary.shape:
        raise ValueError(f"{function}: expected the real and the imaginary part of `x` to have the same shape. "
                         f"Received: {tuple(real.shape)} and {tuple(imaginary.shape)}.")  # fmt: skip
    if not (real.is_floating_point() and imaginary.is_floating_point()):
        raise ValueError(f"{function}: expected the real and the imaginary part of `x` to be floats. "
                         f"Received: {real.dtype} and {imaginary.dtype}.")  # fmt: skip
    return torch.complex(real, imaginary)


def _parts(x):
    return x.real, x.imag


@op
def fft(x):
    """The Fourier transform along the last axis of the pair ``x``, a pair.

    Raises: ValueError for what is no pair of floats of one shape; so do the others that take pairs.
    """
    return _parts(torch.fft.fft(complex_of("fft", x)))


@op
def fft2(x):
    """The Fourier transform along the last two axes of the pair ``x``, a pair."""
    return _parts(torch.fft.fft2(complex_of("fft2", x)))


@op
def ifft2(x):
    """The inverse of ``fft2``."""
    return _parts(torch.fft.ifft2(complex_of("ifft2", x)))


@op
def rfft(x, fft_length=None):
    """The Fourier transform along the last axis of a real signal: a pair, the half without the mirrored frequencies.

    Args:
        fft_length: how many samples count, cut off or filled with zeros; None means all.
    """
    return _parts(torch.fft.rfft(tensor(x), n=fft_length))


@op
def irfft(x, fft_length=None):
    """The inverse of ``rfft``: the real signal of ``fft_length`` samples, None for twice the frequencies less 2."""
    return torch.fft.irfft(complex_of("irfft", x), n=fft_length)


@op
def extract_sequences(x, sequence_length, sequence_stride):
    """Sequences from the last axis, ``sequence_stride`` apart, as a view of shape ``(..., n, sequence_length)``."""
    return tensor(x).unfold(-1, sequence_length, sequence_stride)


def _check_stride(function, stride):
    if checks.as_int(stride) is None or stride <= 0:
        raise ValueError(f"{function}: expected `sequence_stride` to be an int above 0. "
                         f"Received: sequence_stride={stride!r}.")  # fmt: skip


_WINDOWS = {"hann": torch.hann_window, "hamming": torch.hamming_window}


def _window(function, window, length, dtype, device):
    """The weights of a sequence's samples, or None."""
    if window is None:
        return None
    if isinstance(window, str):
        if window not in _WINDOWS:
            raise ValueError(f"{function}: expected `window` to be a vector or one of {tuple(_WINDOWS)}. "
                             f"Received: window={window!r}.")  # fmt: skip
        return _WINDOWS[window](length, dtype=dtype, device=device)
    window = tensor(window, dtype, device)
    if tuple(window.shape) != (length,):
        raise ValueError(f"{function}: expected `window` of shape ({length},), one weight for each sample of a "
                         f"sequence. Received: shape {tuple(window.shape)}.")  # fmt: skip
    return window


@op
def stft(x, sequence_length, sequence_stride, fft_length, window="hann", center=True):
    """The Fourier transforms of short sequences of a real signal ``(..., samples)``: a pair ``(..., n, frequencies)``.

    Args:
        sequence_length, sequence_stride: size of a sequence, and steps to the next one.
        fft_length: size of each transform, at least ``sequence_length``.
        window: weights of a sequence's samples: ``"hann"``, ``"hamming"``, a vector, or None for ones.
        center: whether the signal is mirrored at its ends, so that sequence ``i`` has its middle at ``i * stride``.

    Raises:
        TypeError: ``x`` is neither float32 nor float64.
        ValueError: another argument is not what is said above.
    """
    _check_stride("stft", sequence_stride)
    x = tensor(x)
    if x.dtype not in (torch.float32, torch.float64):
        raise TypeError(f"stft: expected `x` of float32 or float64. Received: {dtypes.name_of(x.dtype)}.")
    if fft_length < sequence_length:
        raise ValueError("stft: expected `fft_length` of at least `sequence_length`. "
                         f"Received: fft_length={fft_length}, sequence_length={sequence_length}.")  # fmt: skip
    weights = _window("stft", window, sequence_length, x.dtype, x.device)
    weights = x.new_ones(sequence_length) if weights is None else weights
    signals = x if x.dim() <= 2 else x.flatten(0, -2)
    found = torch.stft(signals, fft_length, sequence_stride, sequence_length, weights, center, return_complex=True)
    return _parts(found.mT if x.dim() <= 2 else found.mT.unflatten(0, x.shape[:-1]))


@op
def istft(x, sequence_length, sequence_stride, fft_length, length=None, window="hann", center=True):
    """The inverse of ``stft``, whose arguments it takes: the signal that a pair of transforms stands for.

    Args:
        length: how many samples to give; None means all.

    Raises: ValueError where an argument is not what ``stft`` says, or sequences overlap too little or too much.
    """
    _check_stride("istft", sequence_stride)
    spectra = complex_of("istft", x)
    dtype = torch.float64 if spectra.dtype is torch.complex128 else torch.float32
    weights = _window("istft", window, sequence_length, dtype, spectra.device)
    flat = spectra if spectra.dim() <= 3 else spectra.flatten(0, -3)
    if sequence_length == fft_length and center is True and weights is not None and not flat.is_meta:
        found = torch.istft(flat.mT, fft_length, sequence_stride, sequence_length, weights, length=length)
    else:
        found = _added(torch.fft.irfft(flat, n=fft_length), sequence_length, sequence_stride, weights)
        start = fft_length // 2 if center else 0
        end = start + length if length is not None else -start if center else None
        found = found[..., start:end]
    return found if spectra.dim() <= 3 else found.unflatten(0, spectra.shape[:-2])


def _added(sequences, length, stride, weights):
    """Overlapping sequences ``(..., n, size)`` added up where they overlap, their window taken back."""
    count, size = sequences.shape[-2:]
    if not size / count <= stride <= size:
        raise ValueError("istft: expected `sequence_stride` of at least the transform's length over the number of "
                         f"sequences, and at most that length. Received: sequence_stride={stride}, "
                         f"length={size}, sequences={count}.")  # fmt: skip
    if weights is not None:
        before = (size - length) // 2
        weights = F.pad(weights, (before, size - length - before))
        overlaps = -(-size // stride)
        total = F.pad(weights.square(), (0, overlaps * stride - size)).reshape(overlaps, stride).sum(0)
        sequences = sequences * (weights / total.repeat(overlaps)[:size])
    columns = sequences.mT if sequences.dim() == 3 else sequences.mT[None]
    added = F.fold(columns, (1, stride * (count - 1) + size), (1, size), stride=(1, stride))[:, 0, 0]
    return added if sequences.dim() == 3 else added[0]
