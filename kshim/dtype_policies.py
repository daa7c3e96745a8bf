"""Which float type a layer computes in, and which its weights have. Source: Keras 3 ``dtype_policies/``."""

from kshim.core import dtypes, settings
from kshim.core.configurable import Configurable
from kshim.core.registry import Registry

MIXED = {"mixed_float16": ("float16", "float32"), "mixed_bfloat16": ("bfloat16", "float32")}
QUANTIZED = ("int8_", "int4_", "int4/", "float8_", "gptq", "awq")  # how the names of quantized policies begin

_global_policy = None


class DTypePolicy(Configurable):
    """``compute_dtype`` and ``variable_dtype``, by one name.

    Args:
        name: the name of a dtype, for both; ``"mixed_float16"`` or ``"mixed_bfloat16"``, which compute in that type
            with float32 weights; None for the global policy's name.

    Raises:
        TypeError: ``name`` is no string.
        ValueError: it is an unknown one.
        NotImplementedError: it is the name of a quantized policy.
    """

    quantization_mode = None

    def __init__(self, name=None):
        name = dtype_policy().name if name is None else name
        self.compute_dtype, self.variable_dtype = _parse(name)
        self.keep({"name": name})

    def __eq__(self, other):
        return type(other) is type(self) and other.name == self.name

    def __hash__(self):
        return hash((type(self), self.name))

    def __repr__(self):
        return f'<{type(self).__name__} "{self.name}">'


def _parse(name):
    if not isinstance(name, str):
        raise TypeError(f"DTypePolicy: expected `name` to be a string. Received: name={name!r} (of type {type(name)}).")
    if name.startswith(QUANTIZED):
        raise NotImplementedError(
            f"DTypePolicy: quantized policies are not supported. Received: name={name!r}. "
            "Nearest: 'mixed_bfloat16', or torch.ao.quantization on the model, which is a torch module."
        )
    if name in MIXED:
        return MIXED[name]
    if name not in dtypes.TORCH:
        raise ValueError(
            f"DTypePolicy: expected `name` to be a dtype or one of {tuple(MIXED)}. Received: name={name!r}."
        )
    return name, name


FloatDTypePolicy = DTypePolicy

REGISTRY = Registry("dtype policy", "keras", DTypePolicy, plain=False)
REGISTRY.add(DTypePolicy, FloatDTypePolicy=DTypePolicy)


def dtype_policy():
    """The global policy: the one set last, else that of ``floatx()``."""
    return _global_policy or DTypePolicy(settings.floatx())


def set_dtype_policy(policy):
    """Make ``policy``, a ``DTypePolicy`` or a name, the global one.

    Raises: ValueError if it is neither.
    """
    global _global_policy
    if not isinstance(policy, (str, DTypePolicy)):
        raise ValueError(
            "set_dtype_policy: expected `policy` to be a name (such as 'mixed_float16') or a DTypePolicy. "
            f"Received: policy={policy!r} (of type {type(policy)})."
        )
    _global_policy = get(policy)


def get(identifier):
    """The policy that ``identifier`` stands for: None (the global one), a name, a dtype, a config, or a policy.

    Raises: ValueError if it is none of these.
    """
    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, str):
        return DTypePolicy(identifier)
    if isinstance(identifier, (dict, DTypePolicy)):
        return REGISTRY.get(identifier)
    try:
        return DTypePolicy(dtypes.name_of(identifier))
    except ValueError:
        raise ValueError(
            "Cannot interpret `dtype` argument. Expected a string or an instance of DTypePolicy. "
            f"Received: dtype={identifier!r}"
        ) from None


deserialize = REGISTRY.get
serialize = REGISTRY.serialize
