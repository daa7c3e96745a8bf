"""Pipeline: layers one after the other, as a layer."""

from kshim.core import checks
from kshim.layers import calling
from kshim.layers.base import Layer
from kshim.layers.registry import resolve, told


class Pipeline(Layer):
    """Layers one after the other. Unlike a ``Sequential`` it is no model, and takes dicts of images and boxes.

    Args:
        layers: list of layers.

    Shapes: what the layers make of the inputs.

    Raises: ValueError if ``layers`` is no list of layers.

    Source: Keras 3 ``layers/preprocessing/pipeline.py``.
    """

    def __init__(self, layers, name=None):
        super().__init__(name=name)
        layers = resolve(layers)
        if not isinstance(layers, (list, tuple)) or not all(isinstance(layer, Layer) for layer in layers):
            checks.fail(self, "`layers` to be a list of layers", f"layers={layers!r}")
        self.layers = list(layers)
        self.built = True

    def call(self, inputs, training=True, mask=None):
        for layer in self.layers:
            masks = {"mask": mask} if "mask" in layer._call_parameters else {}
            inputs = layer(inputs, training=training, **masks)
            mask = calling.masks_of(inputs)
        return inputs

    def get_config(self):
        return {"layers": told(list(self.layers)), "name": self.name}
