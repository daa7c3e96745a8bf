"""Nested structures of lists, tuples, named tuples and dicts; everything else, None too, is a leaf.

Dict keys are visited in sorted order, as Keras does, so the order of ``model.inputs`` does not
depend on how a dict was written; an ``OrderedDict`` has its own. (torch's pytree keeps insertion order.)
"""

import collections


def _is_namedtuple(value):
    return isinstance(value, tuple) and hasattr(value, "_fields")


def _keys(structure):
    if isinstance(structure, collections.OrderedDict):
        return list(structure)
    try:
        return sorted(structure)
    except TypeError:  # keys of several types
        return list(structure)


def is_nested(structure):
    """Whether ``structure`` is a list, tuple or dict."""
    return isinstance(structure, (list, tuple, dict))


def flatten(structure):
    """The leaves of ``structure``, depth first."""
    if isinstance(structure, dict):
        return [leaf for key in _keys(structure) for leaf in flatten(structure[key])]
    if isinstance(structure, (list, tuple)):
        return [leaf for item in structure for leaf in flatten(item)]
    return [structure]


def map_structure(function, structure, *others):
    """``function`` applied to the leaves; the result has the containers of ``structure``."""
    if isinstance(structure, dict):
        mapped = {k: map_structure(function, structure[k], *(o[k] for o in others)) for k in structure}
        return mapped if type(structure) is dict else _same_dict(structure, mapped)
    if isinstance(structure, (list, tuple)):
        items = [map_structure(function, *parts) for parts in zip(structure, *others, strict=True)]
        return type(structure)(*items) if _is_namedtuple(structure) else _plain(structure)(items)
    return function(structure, *others)


def _same_dict(structure, items):
    """``items`` in a dict of the class of ``structure``."""
    if isinstance(structure, collections.defaultdict):
        return type(structure)(structure.default_factory, items)
    return type(structure)(items)


def _plain(structure):
    if hasattr(type(structure), "n_sequence_fields"):  # torch.return_types.max and the like
        return type(structure)
    return tuple if isinstance(structure, tuple) else list


def pack_like(structure, leaves):
    """The containers of ``structure`` around ``leaves`` (in the order of ``flatten``)."""
    leaves = iter(leaves)

    def pack(part):
        if isinstance(part, dict):
            packed = {key: pack(part[key]) for key in _keys(part)}
            packed = {key: packed[key] for key in part}
            return packed if type(part) is dict else _same_dict(part, packed)
        if isinstance(part, (list, tuple)):
            items = [pack(item) for item in part]
            return type(part)(*items) if _is_namedtuple(part) else _plain(part)(items)
        return next(leaves)

    return pack(structure)
