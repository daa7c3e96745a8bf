"""Boston housing: 506 districts by 13 numbers, and the median price of a house.

The data set has an ethical problem: one of its columns is computed from the share of Black inhabitants.
``california_housing`` is one without it.
"""

from kshim.core import npz
from kshim.datasets import source

HASH = "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5"


def load_data(path="boston_housing.npz", test_split=0.2, seed=113, cache_dir=None):
    """Load the districts, from the cache or the web.

    Args:
        path: name of the file in the cache.
        test_split: share of the rows that is for testing, in [0, 1).
        seed: int of the shuffle.
        cache_dir: where files are kept, in a folder ``datasets``; None means ``KERAS_HOME`` or ``~/.keras``.

    Returns:
        ``(x_train, y_train), (x_test, y_test)``, all float64: ``x`` of shape ``(n, 13)``; ``y`` of shape ``(n,)``,
        in thousands of dollars, 5 to 50.

    Raises:
        ValueError: ``test_split`` is not in [0, 1).

    Source: Harrison and Rubinfeld 1978, "Hedonic prices and the demand for clean air"; Keras 3
        ``datasets/boston_housing.py``.
    """
    arrays = npz.load(source.cached(path, source.FOLDER + "boston_housing.npz", [HASH], cache_dir))
    return source.train_and_test(arrays["x"], arrays["y"], test_split, seed)
