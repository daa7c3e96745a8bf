"""California housing: 20,640 districts of 1990 by 8 numbers, and the median price of a house."""

from kshim.core import checks, npz
from kshim.datasets import source

HASH = "1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f"
ROWS = {"small": 600, "large": None}


def load_data(version="large", path="california_housing.npz", test_split=0.2, seed=113, cache_dir=None):
    """Load the districts, from the cache or the web.

    Args:
        version: ``"large"`` for all, ``"small"`` for the first 600.
        path: name of the file in the cache.
        test_split: share of the rows that is for testing, in [0, 1).
        seed: int of the shuffle.
        cache_dir: where files are kept, in a folder ``datasets``; None means ``KERAS_HOME`` or ``~/.keras``.

    Returns:
        ``(x_train, y_train), (x_test, y_test)``: ``x`` of shape ``(n, 8)``; ``y`` of shape ``(n,)``, in dollars.

    Raises:
        ValueError: for another ``version``, or a ``test_split`` that is not in [0, 1).

    Source: Pace and Barry 1997, "Sparse Spatial Autoregressions"; Keras 3 ``datasets/california_housing.py``.
    """
    if version not in ROWS:
        raise ValueError(
            f"Argument `version` must be one of 'small', 'large'. Received: version={version}."
            + checks.nearest(version, ROWS)
        )
    arrays = npz.load(source.cached(path, source.FOLDER + "california_housing.npz", [HASH], cache_dir))
    return source.train_and_test(arrays["x"][: ROWS[version]], arrays["y"][: ROWS[version]], test_split, seed)
