"""Dropouts, Gaussian noise, ActivityRegularization."""

import numpy as np

from cases.layers.row import Case, Refused, layer

TRAINING = {"training": True}
NO_INPUT_SHAPE = {"test_shape_arguments": "Keras 3.15's takes `name` and `dtype` alone"}
OWN_DTYPE = dict.fromkeys(("test_float64", "test_half_precision"), "the draws are of the layer's dtype, as in Keras 3")
X = np.ones((2, 3), "float32")

CASES = [
    Case("dropout", layer("Dropout", 0.5), [(3, 5)]),
    Case("dropout_zero", layer("Dropout", 0), [(3, 5)], call=TRAINING),
    Case("dropout_one", layer("Dropout", 1.0), [(3, 5)], call=TRAINING, gradient=False),
    Case("dropout_noise_shape", layer("Dropout", 0.5, noise_shape=(None, 1, 5)), [(3, 4, 5)]),
    Case("dropout_training", layer("Dropout", 0.5), [(3, 5)], call=TRAINING, random=True),
    Case("dropout_noise_shape_training", layer("Dropout", 0.5, noise_shape=(None, 1, 5)), [(3, 4, 5)], call=TRAINING,
         random=True),
    Case("dropout_seed", layer("Dropout", 0.5, seed=7), [(3, 4, 5)], call=TRAINING),
    Case("dropout_seed_noise_shape", layer("Dropout", 0.3, noise_shape=(None, 1, None), seed=7), [(3, 4, 5)],
         call=TRAINING),
    Case("spatial_dropout1d", layer("SpatialDropout1D", 0.5), [(3, 4, 5)], skip=NO_INPUT_SHAPE),
    Case("spatial_dropout1d_training", layer("SpatialDropout1D", 0.5), [(3, 4, 5)], call=TRAINING, random=True,
         skip=NO_INPUT_SHAPE),
    Case("spatial_dropout1d_seed", layer("SpatialDropout1D", 0.5, seed=7), [(3, 4, 5)], call=TRAINING,
         skip=NO_INPUT_SHAPE),
    Case("spatial_dropout2d", layer("SpatialDropout2D", 0.4), [(2, 3, 4, 5)], skip=NO_INPUT_SHAPE),
    Case("spatial_dropout3d", layer("SpatialDropout3D", 0.4), [(2, 3, 4, 5, 2)], skip=NO_INPUT_SHAPE),
    *(
        Case(f"spatial_dropout{rank}d_{order}", layer(f"SpatialDropout{rank}D", 0.4, data_format=order, seed=9),
             [(2, *(3, 4, 5)[:rank], 6)], call=TRAINING, skip=NO_INPUT_SHAPE)
        for rank in (2, 3) for order in ("channels_last", "channels_first")
    ),
    *(
        case
        for name, kind in (("gaussian_noise", "GaussianNoise"), ("gaussian_dropout", "GaussianDropout"),
                           ("alpha_dropout", "AlphaDropout"))
        for case in (
            Case(name, layer(kind, 0.4), [(3, 4, 5)]),
            Case(f"{name}_zero", layer(kind, 0), [(3, 5)], call=TRAINING),
            Case(f"{name}_training", layer(kind, 0.4), [(3, 5)], call=TRAINING, random=True),
            Case(f"{name}_seed", layer(kind, 0.4, seed=7), [(3, 4, 5)], call=TRAINING,
                 skip={} if kind == "AlphaDropout" else OWN_DTYPE),
        )
    ),
    Case("alpha_dropout_noise_shape", layer("AlphaDropout", 0.4, noise_shape=(None, 1, 5), seed=7), [(3, 4, 5)],
         call=TRAINING),
    Case("activity_regularization", layer("ActivityRegularization", l1=0.25, l2=0.5), [(3, 4, 5)]),
    Case("activity_regularization_none", layer("ActivityRegularization"), [(3, 5)]),
]  # fmt: skip

REFUSED = [
    *(
        Refused(f"{kind}_{value}", lambda k, kind=kind, value=value: getattr(k.layers, kind)(value, name="d"),
                ValueError, f"{kind} 'd': expected `{argument}`")
        for kind, argument in (("Dropout", "rate"), ("AlphaDropout", "rate"), ("GaussianDropout", "rate"),
                               ("GaussianNoise", "stddev"), ("SpatialDropout2D", "rate"))
        for value in (-0.1, 1.5)
    ),
    Refused("dropout_rate_string", lambda k: k.layers.Dropout("0.5", name="d"), ValueError,
            "Dropout 'd': expected `rate`", TypeError, "it compares the string with 0"),
    *(
        Refused(f"dropout_noise_shape_{value}", lambda k, value=value: k.layers.Dropout(0.5, value, name="d"),
                ValueError, "Dropout 'd': expected `noise_shape`")
        for value in ("2", 3, (2.5,), (0, 3), (-1, 3))
    ),
    Refused("dropout_seed_float", lambda k: k.layers.Dropout(0.5, seed=1.5), ValueError, "`seed`"),
    *(
        Refused(f"{kind}_of_all", lambda k, kind=kind: getattr(k.layers, kind)(1.0, name="d")(X, training=True),
                ValueError, f"{kind} 'd': expected `rate`", ZeroDivisionError, "it divides by 1 - rate at the call")
        for kind in ("AlphaDropout", "GaussianDropout")
    ),
    Refused("spatial_dropout1d_rank", lambda k: k.layers.SpatialDropout1D(0.5, name="d")(X), ValueError, "'d'.*ndim=3"),
    Refused("spatial_dropout2d_format", lambda k: k.layers.SpatialDropout2D(0.5, "last", name="d"), ValueError,
            "SpatialDropout2D 'd': expected `data_format`"),
    Refused("activity_regularization_negative", lambda k: k.layers.ActivityRegularization(l1=-1.0), ValueError,
            "L1L2"),
]  # fmt: skip
