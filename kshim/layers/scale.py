"""Layers that only applications have; they are here since files of models name them."""

from kshim.initializers import Constant
from kshim.layers.base import Layer


class LayerScale(Layer):
    """``inputs * gamma``, a weight for each channel.

    Args:
        init_values: what the weights are at first, a float.
        projection_dim: number of channels, an int above 0.

    Shapes:
        inputs ``(..., projection_dim)`` -> the same; gamma ``(projection_dim,)``.

    Source: Touvron et al. 2021, "Going deeper with Image Transformers"; Keras 3 ``applications/convnext.py``.
    """

    config_module = "keras.src.applications.convnext"

    def __init__(self, init_values, projection_dim, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals())

    def build(self, input_shape):
        self.gamma = self.add_weight(shape=(self.projection_dim,), initializer=Constant(self.init_values))

    def call(self, inputs):
        return inputs * self.gamma


class CustomScaleLayer(Layer):
    """``inputs[0] + scale * inputs[1]``.

    Args:
        scale: a float.

    Shapes:
        two inputs of a shape -> output of that shape.

    Source: Keras 3 ``applications/inception_resnet_v2.py``.
    """

    config_module = "keras.src.applications.inception_resnet_v2"

    def __init__(self, scale, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals())

    def call(self, inputs):
        return inputs[0] + inputs[1] * self.scale
