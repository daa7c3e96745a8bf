"""``keras.tree``: functions of nested lists, tuples, named tuples and dicts. None is a leaf.

Source: Keras 3 ``tree/tree_api.py``.
"""

from kshim.core import tree as _tree
from kshim.core.tree import flatten, is_nested

__all__ = [
    "MAP_TO_NONE", "assert_same_paths", "assert_same_structure", "flatten", "flatten_with_path", "is_nested",
    "lists_to_tuples", "map_shape_structure", "map_structure", "map_structure_up_to", "pack_sequence_as", "traverse",
]  # fmt: skip


class MAP_TO_NONE:
    """What a function given to ``traverse`` returns for None: None itself means "as it is"."""


def _items(structure):
    """``(key, item)`` of what a container holds."""
    if isinstance(structure, dict):
        return [(key, structure[key]) for key in _tree._keys(structure)]
    return list(enumerate(structure))


def _differ(a, b):
    raise ValueError(f"`a` and `b` don't have the same nested structure. Received: a={a!r} and b={b!r}")


def assert_same_structure(a, b, check_types=None):
    """Raise ValueError unless ``a`` and ``b`` are nested alike.

    Args:
        a, b: nested structures.
        check_types: deprecated by Keras, where it does nothing; containers are always of one kind.

    Raises: ValueError for different containers, lengths or keys.
    """
    if not is_nested(a) and not is_nested(b):
        return
    kinds = [next((kind for kind in (dict, tuple, list) if isinstance(one, kind)), None) for one in (a, b)]
    if kinds[0] is not kinds[1] or _tree._is_namedtuple(a) != _tree._is_namedtuple(b):
        _differ(a, b)
    pairs = [_items(one) for one in (a, b)]
    if [key for key, _ in pairs[0]] != [key for key, _ in pairs[1]]:
        _differ(a, b)
    for (_, one), (_, other) in zip(*pairs, strict=True):
        assert_same_structure(one, other)


def flatten_with_path(structure):
    """The leaves with the tuple of keys and positions that leads to each: a list of ``(path, leaf)``."""
    if not is_nested(structure):
        return [((), structure)]
    return [((key, *path), leaf) for key, item in _items(structure) for path, leaf in flatten_with_path(item)]


def assert_same_paths(a, b):
    """Raise ValueError unless ``a`` and ``b`` have their leaves at the same paths, whatever the containers.

    Raises: ValueError that lists the paths of one that the other lacks.
    """
    paths = [{path for path, _ in flatten_with_path(one)} for one in (a, b)]
    if paths[0] == paths[1]:
        return
    message = "`a` and `b` don't have the same paths."
    for name, other, lacking in (("a", "b", paths[0] - paths[1]), ("b", "a", paths[1] - paths[0])):
        if lacking:
            message += f"\nPaths in `{name}` missing in `{other}`:\n{lacking}"
    raise ValueError(message)


def map_structure(func, *structures, none_is_leaf=True):
    """``func`` of the leaves that the structures have at each place, in the containers of the first.

    Args:
        func: function of as many leaves as there are structures.
        structures: nested alike.
        none_is_leaf: False leaves None where it is.

    Raises:
        TypeError: ``func`` is no callable.
        ValueError: no structure, or different ones.
    """
    if not callable(func):
        raise TypeError(f"`func` must be callable. Received: func={func}")
    if not structures:
        raise ValueError("Must provide at least one structure")
    for other in structures[1:]:
        assert_same_structure(structures[0], other)
    if none_is_leaf:
        return _tree.map_structure(func, *structures)
    return _tree.map_structure(lambda first, *others: None if first is None else func(first, *others), *structures)


def map_structure_up_to(shallow_structure, func, *structures):
    """``func`` of what the structures have at the leaves of ``shallow_structure``, which may be nested further.

    Args:
        shallow_structure: says how deep.
        func: function of as many parts as there are structures.
        structures: nested like ``shallow_structure`` down to its leaves.

    Raises: ValueError where a structure is not nested so deep.
    """
    if not structures:
        raise ValueError("Must provide at least one structure")
    if not is_nested(shallow_structure):
        return func(*structures)
    for one in structures:
        keys = [key for key, _ in _items(one)] if is_nested(one) else None
        if keys != [key for key, _ in _items(shallow_structure)]:
            raise ValueError(
                f"Structures don't have the same nested structure. Received: {shallow_structure!r} and {one!r}"
            )
    parts = [
        map_structure_up_to(shallow, func, *(one[key] for one in structures))
        for key, shallow in _items(shallow_structure)
    ]
    marks = iter(parts)
    return _rebuilt(shallow_structure, lambda _: next(marks))


def _rebuilt(structure, function):
    """The container ``structure`` with ``function`` of each item."""
    made = [function(item) for _, item in _items(structure)]
    if isinstance(structure, dict):
        by_key = dict(zip(_tree._keys(structure), made, strict=True))
        items = {key: by_key[key] for key in structure}
        return items if type(structure) is dict else _tree._same_dict(structure, items)
    return type(structure)(*made) if _tree._is_namedtuple(structure) else _tree._plain(structure)(made)


def traverse(func, structure, top_down=True):
    """``structure`` with each part, container or leaf, that ``func`` gives another one for.

    Args:
        func: function of a part: None leaves it as it is, ``MAP_TO_NONE`` puts None there.
        structure: nested.
        top_down: whether a container comes before what it holds, which is not looked at if it is replaced.

    Raises: TypeError if ``func`` is no callable.
    """
    if not callable(func):
        raise TypeError(f"`func` must be callable. Received: func={func}")

    def inside():
        return _rebuilt(structure, lambda item: traverse(func, item, top_down)) if is_nested(structure) else structure

    part = structure if top_down else inside()
    found = func(part)
    if found is None:
        return inside() if top_down else part
    return None if found is MAP_TO_NONE else found


def pack_sequence_as(structure, flat_sequence):
    """The containers of ``structure`` around the items of ``flat_sequence``, in the order of ``flatten``.

    Raises:
        TypeError: ``flat_sequence`` is no sequence.
        ValueError: it has another number of items than there are leaves.
    """
    if not is_nested(flat_sequence) or isinstance(flat_sequence, dict):
        raise TypeError(f"flat_sequence must be a sequence. Received: {flat_sequence!r}")
    count = len(flatten(structure))
    if count != len(flat_sequence):
        raise ValueError(
            f"Expected a flat sequence of {count} items, one for each leaf. Received: {len(flat_sequence)} items."
        )
    return _tree.pack_like(structure, flat_sequence)


def lists_to_tuples(structure):
    """``structure`` with a tuple in the place of each list."""
    return traverse(lambda part: tuple(part) if isinstance(part, list) else None, structure, top_down=False)


def _is_shape(value):
    return isinstance(value, (list, tuple)) and all(size is None or isinstance(size, int) for size in value)


def map_shape_structure(func, structure):
    """``func`` of each shape, a list or tuple of ints and None, in a nested structure.

    Raises: TypeError if ``func`` is no callable.
    """
    if not callable(func):
        raise TypeError(f"`func` must be callable. Received: func={func}")
    if _is_shape(structure) or not is_nested(structure):
        return func(structure)
    return _rebuilt(structure, lambda item: map_shape_structure(func, item))
