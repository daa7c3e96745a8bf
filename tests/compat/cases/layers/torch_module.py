"""TorchModuleWrapper, and the layers of other frameworks."""

import torch

from cases.layers.row import Refused

NO_CASE = {
    "TorchModuleWrapper": "its weights are torch's own, without names: test_layers_torch_module.py",
    **dict.fromkeys(["FlaxLayer", "JaxLayer", "TFSMLayer"], "always refused: REFUSED"),
}  # fmt: skip

REFUSED = [
    Refused("torch_module_no_module", lambda k: k.layers.TorchModuleWrapper("linear", name="t"), TypeError,
            r"TorchModuleWrapper 't': expected a torch.nn.Module", AttributeError, "Keras' error is that of a string"),
    Refused("torch_module_lazy", lambda k: k.layers.TorchModuleWrapper(torch.nn.LazyLinear(2), name="t"), ValueError,
            r"'t': expected a module with parameters.*Call it on data once"),
    Refused("torch_module_pickle", lambda k: k.layers.TorchModuleWrapper.from_config(
                k.layers.TorchModuleWrapper(torch.nn.Linear(3, 2), name="t").get_config()), ValueError,
            r"a pickle of one, which can run any code.*safe_mode=False"),
    Refused("jax_layer", lambda k: k.layers.JaxLayer(abs), NotImplementedError, r"JaxLayer runs JAX.*Received.*Lambda",
            Exception, "Keras' differs by what is installed"),
    Refused("flax_layer", lambda k: k.layers.FlaxLayer(abs), NotImplementedError, r"FlaxLayer runs Flax.*torch.nn.Modu",
            Exception, "Keras' differs by what is installed"),
    Refused("tfsm_layer", lambda k: k.layers.TFSMLayer("model"), NotImplementedError, r"TFSMLayer runs TensorFlow",
            Exception, "Keras' differs by what is installed"),
]  # fmt: skip
