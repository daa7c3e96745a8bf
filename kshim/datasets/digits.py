"""Optical Recognition of Handwritten Digits: 1,797 pictures of 8x8, shipped with the package."""

from pathlib import Path

import numpy as np


def load_data(test_split=0.2, seed=113):
    """Load the digits, shuffled and split in the manner of ``keras.datasets.boston_housing``.

    A picture counts the inked pixels of each 4x4 block of a 32x32 bitmap. Rows are shuffled by
    ``numpy.random.RandomState(seed)``, whose stream is frozen: the same seed gives the same split
    everywhere. The defaults give 1,437 rows to train on and 360 to test on. Every call returns
    arrays of its own; numpy's global random state is left as it is.

    Args:
        test_split: share of the rows kept for testing, in [0, 1).
        seed: int in [0, 2**32), fixes the shuffle.

    Returns:
        ``(x_train, y_train), (x_test, y_test)``, all uint8: ``x`` of shape ``(n, 8, 8)``, values
        0 (white) to 16 (ink); ``y`` of shape ``(n,)``, the digit, 0 to 9.

    Raises:
        ValueError: ``test_split`` is not in [0, 1).

    Source: E. Alpaydin and C. Kaynak (1998), UCI Machine Learning Repository, doi:10.24432/C50P49,
    licence CC BY 4.0; its test part (``optdigits.tes``). See ``kshim/datasets/README.md``.
    """
    if not 0 <= test_split < 1:
        raise ValueError(f"digits: expected a test_split in [0, 1). Received: test_split={test_split}")
    with np.load(Path(__file__).with_name("digits.npz"), allow_pickle=False) as file:
        x, y = file["x"], file["y"]
    order = np.arange(len(x))
    np.random.RandomState(seed).shuffle(order)
    train, test = np.split(order, [int(len(x) * (1 - test_split))])
    return (x[train], y[train]), (x[test], y[test])
