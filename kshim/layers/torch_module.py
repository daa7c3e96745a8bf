"""Torch modules as layers; layers of other frameworks, which are refused."""

import base64
import io

import torch

from kshim.core import checks
from kshim.core.shapes import is_shape
from kshim.layers.base import Layer


class TorchModuleWrapper(Layer):
    """A torch module as a layer, with a name, a dtype policy and a config. (A plain module will do without them.)

    Args:
        module: the ``torch.nn.Module``; a lazy one must have run once.
        name: None gives ``torch_module_wrapper``, ``torch_module_wrapper_1``, ...
        output_shape: shape of the output, with the batch axis; None finds it by running the module on meta tensors.

    Shapes: those of ``module``; its parameters and buffers are the layer's weights.

    Raises:
        TypeError: ``module`` is no torch module.
        ValueError: ``module`` is lazy and has not run yet; a config is read in safe mode, as it holds a pickle.

    Source: Keras 3 ``utils/torch_utils.py``.
    """

    def __init__(self, module, name=None, output_shape=None, **kwargs):
        super().__init__(name=name, **kwargs)
        if not isinstance(module, torch.nn.Module):
            raise TypeError(f"{checks.describe(self)}: expected a torch.nn.Module. Received: module={module!r}.")
        if any(map(torch.nn.parameter.is_lazy, (*module.parameters(), *module.buffers()))):
            checks.fail(self, "a module with parameters", f"the lazy module={module}", "Call it on data once.")
        if output_shape is not None and not is_shape(output_shape):
            checks.fail(self, "`output_shape` to be a shape", f"output_shape={output_shape!r}")
        self.module = module
        self.output_shape = output_shape
        self.built = True

    def call(self, *args, **kwargs):
        return self.module(*args, **kwargs)

    def compute_output_shape(self, *shapes):
        return super().compute_output_shape(*shapes) if self.output_shape is None else self.output_shape

    def _tells_shape(self):
        return self.output_shape is not None

    def get_config(self):
        """The layer's config, the module in it as a pickle in base64: Keras 3 reads it, and the other way round."""
        return {**super().get_config(), "module": _packed(self.module), "output_shape": self.output_shape}

    def _config_value(self, name):
        return None if name == "module" else super()._config_value(name)

    @classmethod
    def from_config(cls, config, custom_objects=None, safe_mode=None):
        """The layer that a config describes.

        Args:
            config: ``get_config()``'s dict, or one with the module itself in it.
            custom_objects: accepted as in Keras; a pickle finds its classes by itself.
            safe_mode: False reads the pickle in ``config``, which can run any code: only for a source you trust.

        Raises: ValueError for a pickle unless ``safe_mode`` is False.
        """
        module = config["module"]
        if isinstance(module, str):
            if safe_mode is not False:
                raise ValueError(
                    f"{cls.__name__}: expected a config with a torch module. Received: a pickle of one, which can run "
                    "any code when it is read. If you trust where it comes from, pass safe_mode=False."
                )
            module = torch.load(io.BytesIO(base64.b64decode(module)), weights_only=False)
        return cls(**{**config, "module": module})


def _packed(module):
    buffer = io.BytesIO()
    torch.save(module, buffer)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


class _OfAnotherFramework(Layer):
    """Base: a layer that runs another framework's code, which kshim has not."""

    framework = way_out = ""

    def __init__(self, *args, **kwargs):
        super().__init__(name=kwargs.get("name"))
        raise NotImplementedError(
            f"{type(self).__name__} runs {self.framework}, and kshim runs on torch alone. Received: a call of "
            f"{type(self).__name__}. {self.way_out}"
        )


class JaxLayer(_OfAnotherFramework):
    """A JAX function as a layer: refused.

    Args:
        call_fn, init_fn, params, state, seed, native_serialization_platforms: as in Keras.

    Shapes: none.

    Raises: NotImplementedError, always.

    Source: Keras 3 ``utils/jax_layer.py``.
    """

    framework, way_out = "JAX", "Write the function in torch, and pass it to Lambda."

    def __init__(self, call_fn, init_fn=None, params=None, state=None, seed=None,
                 native_serialization_platforms=None, **kwargs):  # fmt: skip
        super().__init__(**kwargs)


class FlaxLayer(_OfAnotherFramework):
    """A Flax module as a layer: refused.

    Args:
        module, method, variables: as in Keras.

    Shapes: none.

    Raises: NotImplementedError, always.

    Source: Keras 3 ``utils/jax_layer.py``.
    """

    framework, way_out = "Flax", "Write the module as a torch.nn.Module, which is a layer as it is."

    def __init__(self, module, method=None, variables=None, **kwargs):
        super().__init__(**kwargs)


class TFSMLayer(_OfAnotherFramework):
    """A TensorFlow SavedModel as a layer: refused.

    Args:
        filepath, call_endpoint, call_training_endpoint, trainable, name, dtype: as in Keras.

    Shapes: none.

    Raises: NotImplementedError, always.

    Source: Keras 3 ``export/tfsm_layer.py``.
    """

    framework, way_out = "TensorFlow", "Save the model as a .keras or .h5 file, and load that."

    def __init__(self, filepath, call_endpoint="serve", call_training_endpoint=None, trainable=True, name=None,
                 dtype=None):  # fmt: skip
        super().__init__(name=name)
