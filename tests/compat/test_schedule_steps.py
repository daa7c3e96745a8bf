"""What a schedule takes for a step, against the real Keras 3."""

import numpy as np
import pytest
import torch

from kshim.optimizers import schedules

ROWS = {
    "exponential": ("ExponentialDecay", (0.1, 10, 0.9), {}),
    "exponential stairs": ("ExponentialDecay", (0.1, 10, 0.9), {"staircase": True}),
    "inverse": ("InverseTimeDecay", (0.1, 10, 0.9), {}),
    "inverse stairs": ("InverseTimeDecay", (0.1, 10, 0.9), {"staircase": True}),
    "piecewise": ("PiecewiseConstantDecay", ([3, 7], [1.0, 0.5, 0.1]), {}),
    "polynomial": ("PolynomialDecay", (0.1, 10), {}),
    "polynomial cycle": ("PolynomialDecay", (0.1, 10), {"cycle": True}),
    "cosine": ("CosineDecay", (0.1, 10), {"warmup_target": 0.5, "warmup_steps": 4}),
    "cosine restarts": ("CosineDecayRestarts", (0.1, 4), {}),
    "cosine restarts alike": ("CosineDecayRestarts", (0.1, 4), {"t_mul": 1.0}),
}
KINDS = (int, float, np.int64, np.float32, np.array, torch.tensor)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("step", [0, 3, 5, 12, 31])
def test_steps(row, step, kind, keras3):
    name, args, kwargs = ROWS[row]
    own = getattr(schedules, name)(*args, **kwargs)(kind(step))
    theirs = getattr(keras3.optimizers.schedules, name)(*args, **kwargs)(kind(step))
    assert np.shape(own) == np.shape(theirs)
    assert float(own) == pytest.approx(float(theirs), rel=2e-6, abs=1e-8)
