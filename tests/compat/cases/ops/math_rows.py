# ruff: noqa: E501  (a row is a line)
"""Rows of the ops that stand in no group of Keras, and of ``keras.ops.linalg``."""

import numpy as np

from cases.ops.row import row

RNG = np.random.RandomState(6)


def arrays(*shape, dtype="float32"):
    """Normal numbers."""
    return RNG.randn(*shape).astype(dtype)


X, POSITIVE, SMALL = arrays(3, 4), np.abs(arrays(3, 4)) + 0.1, arrays(3, 4) * 0.3
IDS = np.array([0, 0, 2, 2, 1], "int32")
DATA = arrays(5, 3)
SQUARE, BATCH = arrays(3, 3), arrays(2, 3, 3)
DEFINITE = (SQUARE @ SQUARE.T + 3 * np.eye(3)).astype("float32")
DEFINITES = (BATCH @ BATCH.transpose(0, 2, 1) + 3 * np.eye(3)).astype("float32")
TALL, FLAT = arrays(4, 3), arrays(3, 4)
TRIANGLE = np.triu(DEFINITE)
RIGHT, COLUMN = arrays(3, 2), arrays(3)
SIGNAL, SIGNALS = arrays(32), arrays(2, 3, 32)
PAIR = (arrays(2, 4, 8), arrays(2, 4, 8))
HALF = (arrays(2, 5), arrays(2, 5))
SPECTRA = (arrays(2, 5, 9), arrays(2, 5, 9))

MATH = [
    row("erf", X), row("erfc", X), row("erfinv", SMALL), row("rsqrt", POSITIVE), *[row(n, x) for n in ("erf", "rsqrt") for x in (POSITIVE.astype("float16"), POSITIVE.astype("float64"))],
    row("logsumexp", X), row("logsumexp", X, axis=1), row("logsumexp", X, axis=(0, 1), keepdims=True), row("logsumexp", X * 100, -1),
    row("top_k", X, 2), row("top_k", X, 3, sorted=True), row("top_k", X.astype("float64"), 1), row("in_top_k", np.array([1, 0, 3]), X, 2), row("in_top_k", np.array([1, 0, 3]), X, k=1),
    *[row(n, DATA, IDS, symbolic=False) for n in ("segment_sum", "segment_max", "segment_min", "segment_prod")],
    *[row(n, DATA, IDS, num_segments=4) for n in ("segment_sum", "segment_max", "segment_min", "segment_prod")],
    *[row(n, DATA[:, 0], np.sort(IDS), num_segments=3, sorted=True) for n in ("segment_sum", "segment_max", "segment_min", "segment_prod")],
    row("segment_sum", IDS, IDS, num_segments=3), row("segment_max", IDS, IDS, num_segments=3),
    row("logdet", DEFINITE), row("logdet", DEFINITES), row("cdist", X, X + 1), row("cdist", X, X[:2], p=1), row("cdist", BATCH, BATCH + 1),
    row("view_as_complex", arrays(3, 2)), row("view_as_real", (X + 1j * X[::-1]).astype("complex64")),
]  # fmt: skip

LINALG = [
    *[row(n, x) for n in ("cholesky", "det", "inv") for x in (DEFINITE, DEFINITES)], row("cholesky", DEFINITE, upper=True),
    row("cholesky_inverse", np.tril(DEFINITE)), row("cholesky_inverse", np.triu(DEFINITE), upper=True),
    row("eigh", DEFINITE, gradient=False), row("eigh", DEFINITES, gradient=False), row("eig", DEFINITE, gradient=False),
    row("lu_factor", DEFINITE, gradient=False), row("lu_factor", DEFINITES, gradient=False),
    *[row("norm", x) for x in (COLUMN, SQUARE, BATCH, np.arange(6), np.arange(6.0).reshape(2, 3))],
    *[row("norm", SQUARE, ord=o) for o in ("fro", "nuc", 1, 2, -1, np.inf, -np.inf)], *[row("norm", COLUMN, ord=o) for o in (0, 1, 2, 3, np.inf, -np.inf)],
    row("norm", BATCH, axis=1), row("norm", BATCH, axis=(1, 2), keepdims=True), row("norm", BATCH, ord=1, axis=-1, keepdims=True), row("norm", SQUARE.astype("float16")),
    row("qr", TALL), row("qr", TALL, mode="complete", gradient=False), row("qr", FLAT, gradient=False), row("qr", BATCH),
    row("solve", DEFINITE, RIGHT), row("solve", DEFINITE, COLUMN), row("solve", DEFINITES, BATCH), row("solve_triangular", TRIANGLE, RIGHT), row("solve_triangular", TRIANGLE, COLUMN),
    row("solve_triangular", np.tril(DEFINITE), RIGHT, lower=True),
    row("svd", TALL, compute_uv=False), row("svd", TALL, False, gradient=False), row("svd", FLAT, gradient=False),
    row("lstsq", TALL, arrays(4, 2)), row("lstsq", TALL, arrays(4, 1)), row("lstsq", TALL, arrays(4, 2), rcond=1e-3, gradient=False),
    row("matrix_rank", TALL, gradient=False), row("matrix_rank", BATCH, gradient=False), row("matrix_rank", DEFINITE, tol=1e3, gradient=False), row("pinv", TALL), row("pinv", TALL, rcond=0.1), row("pinv", BATCH),
]  # fmt: skip

SIGNALS_ROWS = [
    row("fft", PAIR), row("fft2", PAIR), row("ifft2", PAIR), row("fft", (SIGNAL, SIGNAL)), row("rfft", SIGNAL), row("rfft", SIGNALS, 16), row("rfft", SIGNALS, fft_length=40),
    row("irfft", HALF), row("irfft", HALF, 7), row("irfft", HALF, fft_length=8),
    row("extract_sequences", SIGNAL, 8, 4), row("extract_sequences", SIGNALS, 5, 3),
    row("stft", SIGNAL, 16, 8, 16), row("stft", SIGNALS, 12, 5, 16), row("stft", SIGNALS, 16, 8, 16, "hamming", False), row("stft", SIGNAL, 16, 8, 16, window=None),
    row("stft", SIGNAL, 8, 4, 16, window=np.linspace(0.1, 1, 8).astype("float32")), row("stft", SIGNAL.astype("float64"), 16, 8, 16),
    row("istft", SPECTRA, 16, 8, 16, gradient=False), row("istft", SPECTRA, 16, 4, 16, length=20, gradient=False), row("istft", SPECTRA, 12, 4, 16, window="hamming", center=False, gradient=False),
]  # fmt: skip

ROWS = MATH + LINALG + SIGNALS_ROWS

REFUSED = [
    *[row(n, TALL) for n in ("cholesky", "cholesky_inverse", "det", "eig", "eigh", "inv")],
    *[row(n, COLUMN) for n in ("lu_factor", "qr", "svd")],
    row("cholesky", -DEFINITE),
    row("qr", TALL, mode="thin"),
    row("solve", DEFINITE, TALL),
    row("solve_triangular", TALL, RIGHT),
    row("view_as_complex", X),
    row("fft", SIGNAL),
    row("fft", (SIGNAL, SIGNAL[:4])),
    row("irfft", SIGNAL),
    row("stft", np.arange(32), 16, 8, 16),
    row("stft", SIGNAL, 16, 8, 8),
    row("stft", SIGNAL, 16, 8, 16, window="kaiser"),
    row("stft", SIGNAL, 16, 8, 16, window=np.ones(3, "float32")),
    row("segment_sum", DATA, DATA.astype("int32")),
]
