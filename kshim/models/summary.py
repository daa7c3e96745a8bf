"""What ``summary()`` prints: Keras 3's table, and the lines of Keras 1 and 2 in their dialects.

A text with colours is a list of ``(character, style)`` pairs, so that cutting and wrapping need not know of styles;
a style is what stands between ``\\x1b[`` and ``m``, or "".

Source: Keras 3 ``utils/summary_utils.py``, which draws with rich; Keras 1 and 2 ``utils/layer_utils.py``.
"""

import contextlib
import itertools
import os
import re
import shutil
import sys
from collections.abc import Sequence
from typing import NamedTuple

import torch

from kshim.core import checks, progress, settings
from kshim.core.shapes import map_shapes
from kshim.graph.node import Node
from kshim.layers.base import weights_of


class Look(NamedTuple):
    """Width of the text and where its columns end, as shares of the width."""

    width: int
    ends: tuple


TABLE, TABLE_OF_GRAPH = Look(88, (0.45, 0.80, 1.0)), Look(108, (0.3, 0.56, 0.74, 1.0))
LINES, LINES_OF_GRAPH = Look(65, (0.45, 0.85, 1.0)), Look(98, (0.33, 0.55, 0.67, 1.0))
LINES_OF_KERAS_1 = Look(100, (0.33, 0.55, 0.67, 1.0))

HEADERS = ("Layer (type)", "Output Shape", "Param #", "Connected to")
ALIGNMENT = {"Param #": "right", "Trainable": "center"}  # of a column with this header, where not left

# Left end, filling, divider and right end of each line of the table.
UNICODE = {"top": "┏━┳┓", "head": "┃ ┃┃", "under": "┡━╇┩", "row": "│ ││", "between": "├─┼┤", "bottom": "└─┴┘"}
ASCII = {"top": "+--+", "head": "| ||", "under": "|-+|", "row": "| ||", "between": "|-+|", "bottom": "+--+"}

BOLD, NUMBER, UNKNOWN, CLASS, YES, NO = "1", "38;5;34", "38;5;45", "38;5;33", "1;38;5;34", "1;91"
OF_16_COLOURS = {"38;5;34": "32", "38;5;45": "96", "38;5;33": "94"}
UNITS = ("B", "KB", "MB", "GB", "TB", "PB")


def print_summary(model, line_length=None, positions=None, print_fn=None, expand_nested=False, show_trainable=False,
                  layer_range=None):  # fmt: skip
    """Print the layers of ``model``, their output shapes and numbers of parameters.

    Args:
        model: a Model.
        line_length: width in characters; None means Keras' own, cut to the terminal in Keras 3's table.
        positions: where each column ends: shares of the width, for dialects up to 2.3.1 also numbers of characters.
        print_fn: called with the text (up to 2.3.1 with each line) in place of printing it.
        expand_nested: whether the layers of nested models are rows too.
        show_trainable: whether a column says if a layer is trainable; in Keras 3's table.
        layer_range: two names or patterns, the first and the last layer to show.

    Raises: ValueError for a ``layer_range`` that names no layers, for columns of less than 4 characters, and up to
        dialect 2.3.1 for a model that is not built.
    """
    graph = _graph(model)
    is_graph = bool(graph) and "_stack" not in vars(model)  # a Sequential shows its stack, without the InputLayer
    shown = [Row(*item) for item in graph.items()] if is_graph else _stack(model)
    shown = _in_range(shown, layer_range)
    if expand_nested:
        shown = [nested for row in shown for nested in _expanded(row)]
    connected = is_graph and not _is_straight(graph)
    if settings.holds(until="2.3.1"):
        _print_lines(model, shown, graph, connected, line_length, positions, print_fn or progress.print_msg)
        return
    rows = [_fields(row, graph if connected else None, show_trainable) for row in shown]
    header = list(HEADERS if connected else HEADERS[:3])
    look = TABLE_OF_GRAPH if connected else TABLE
    ends = list(positions or look.ends)
    width = look.width
    if show_trainable:
        width, ends, header = width + 12, [end * 0.9 for end in ends] + [1.0], [*header, "Trainable"]
    width = line_length or min(width, shutil.get_terminal_size().columns - 4)
    screen = _screen_width()
    lines = _wrapped(styled(f'Model: "{model.name}"', BOLD), screen, fold=True)
    lines += _table(header, rows, _column_widths(ends, width, len(header)), _box())
    lines += [line for total in _totals(model) for line in _wrapped(total, screen, fold=True)]
    plain = print_fn or not progress.is_interactive_logging_enabled()
    paint = (lambda style: "") if plain else _paint()
    text = "".join(_rendered(line[:screen], paint) + "\n" for line in lines)
    if print_fn:
        print_fn(text)
    else:
        progress.print_msg(text, line_break=False)


# -- rows ----------------------------------------------------------------------------------------------------------


class Row(NamedTuple):
    """A key of ``_graph``, its calls in that graph, and how deep it is nested."""

    key: object
    nodes: Sequence[Node] = ()
    level: int = 0

    @property
    def layer(self):
        """The layer, or the function called."""
        return self.key.operation if isinstance(self.key, Node) else self.key

    @property
    def calls(self):
        """Its calls in any graph."""
        return getattr(self.layer, "_inbound_nodes", None) or self.nodes

    @property
    def name(self):
        """The layer's name, or the one its call got."""
        layer = self.layer
        return name_of(layer) if isinstance(layer, torch.nn.Module) else self.key.name

    @property
    def class_name(self):
        """The layer's class; of a function its name as a class would have it, ``matmul_1`` -> ``Matmul``."""
        if isinstance(self.layer, torch.nn.Module):
            name = type(self.layer).__name__
            return "Model" if name == "Functional" and settings.holds(until="2.3.1") else name
        words = re.sub(r"_\d+$", "", self.name).split("_")
        return "".join(word[:1].upper() + word[1:] for word in words)

    @property
    def weights(self):
        """The weights, none of a function."""
        return weights_of(self.layer) if isinstance(self.layer, torch.nn.Module) else []

    @property
    def is_built(self):
        """Whether the number of weights is known."""
        return getattr(self.layer, "built", True)

    @property
    def shapes(self):
        """Output shapes of the last symbolic call, or for the shape it was built with; () where neither is known."""
        if self.calls:
            return [tensor._shape for tensor in self.calls[-1].outputs]
        built_with, found = getattr(self.layer, "_build_shape", None), []
        if built_with is not None:
            with contextlib.suppress(NotImplementedError):
                map_shapes(found.append, self.layer.compute_output_shape(built_with))
        return found


def name_of(layer):
    """The name of a layer, or the automatic one of a plain module."""
    return getattr(layer, "name", None) or vars(layer).get("_keras_name") or type(layer).__name__.lower()


def _stack(model, level=0):
    graph = _graph(model)
    return [Row(layer, graph.get(layer, ()), level) for layer in getattr(model, "layers", None) or ()]


def _graph(model):
    """``{what is called: its calls}`` in Keras' order, deepest first; empty where the model is no graph.

    A layer or module stands for itself; a function is another one at each call, and the call stands for it.
    """
    function = getattr(model, "_function", None)
    if function is None:
        return {}
    return {_called(calls[0]): calls for calls in function.calls}


def _called(node):
    return node.operation if isinstance(node.operation, torch.nn.Module) else node


def _is_straight(graph):
    """Whether each is called once, on what the one before gave."""
    return all(len(nodes) == 1 for nodes in graph.values()) and all(
        [tensor.node for tensor in after.inputs] == [before]
        for (before,), (after,) in itertools.pairwise(graph.values())
    )


def _in_range(rows, layer_range):
    """The rows from the first that matches ``layer_range[0]`` to the last that matches ``layer_range[1]``."""
    if layer_range is None:
        return rows
    if len(layer_range) != 2:
        raise ValueError(
            "layer_range must be a list or tuple of length 2, the names of the first and last layer. Received: "
            f"layer_range = {layer_range} of length {len(layer_range)}"
        )
    if not all(isinstance(name, str) for name in layer_range):
        raise ValueError(f"layer_range should contain string type only. Received: {layer_range}")
    first, last = ([i for i, row in enumerate(rows) if re.match(name, row.name)] for name in layer_range)
    if not first or not last:
        missing, known = layer_range[bool(first)], [row.name for row in rows]
        raise ValueError(
            f"Passed layer_names do not match the layer names in the model: expected names or patterns of {known}. "
            f"Received: {layer_range}.{checks.nearest(missing, known)}"
        )
    if first[0] > last[-1]:
        return rows[last[0] : first[-1] + 1]
    return rows[first[0] : last[-1] + 1]


def _expanded(row):
    return [row, *(below for nested in _stack(row.layer, row.level + 1) for below in _expanded(nested))]


# -- cells ---------------------------------------------------------------------------------------------------------


def styled(text, style=""):
    """``text`` with one style."""
    return [(character, style) for character in text]


def _joined(texts, before="", after=""):
    cell = styled(before)
    for i, text in enumerate(texts):
        cell += styled(", " if i else "") + text
    return cell + styled(after)


def _fields(row, graph, show_trainable):
    prefix = "   " * row.level + "└ " if row.level else ""
    weights = row.weights
    count = sum(weight.numel() for weight in weights) if row.is_built else 0
    fields = [
        styled(f"{prefix}{row.name} (") + styled(row.class_name, CLASS) + styled(")"),
        _shape_cell(row),
        styled(f"{count:,}", NUMBER) + styled("" if row.is_built else " (unbuilt)"),
    ]
    if graph is not None:
        calls = [
            styled(f"{name}[") + styled(str(call), NUMBER) + styled("][") + styled(str(output), NUMBER) + styled("]")
            for name, call, output in _connections(row, graph)
        ]
        fields.append(_joined(calls) or styled("-"))
    if show_trainable:
        trains = getattr(row.layer, "trainable", any(weight.requires_grad for weight in weights))
        fields.append(styled("-", BOLD) if not weights else styled("Y", YES) if trains else styled("N", NO))
    return fields


def _shape_cell(row):
    cells = [
        _joined([styled(str(size), UNKNOWN if size is None else NUMBER) for size in shape], "(", ")")
        for shape in row.shapes
    ]
    if len(cells) == 1:
        return cells[0]
    return _joined(cells, "[", "]") if cells else styled("?")


def _connections(row, graph):
    """``(name, number of its call, number of its output)`` for each tensor that the row's calls take."""
    for node in row.calls:
        for tensor in node.inputs if node in row.nodes else ():
            key = _called(tensor.node)
            if key in graph:
                source = Row(key, graph[key])
                index = source.calls.index(tensor.node)
                if settings.holds(until="2.3.1") and _graph(source.layer):
                    index += 1  # to Keras 1 and 2 a nested model's own graph was its call number 0
                yield source.name, index, tensor.index


# -- totals --------------------------------------------------------------------------------------------------------


def _totals(model):
    weights = weights_of(model)
    counts = [
        ("Trainable", *_size([weight for weight in weights if weight.requires_grad])),
        ("Non-trainable", *_size([weight for weight in weights if not weight.requires_grad])),
    ]
    optimizer = model.optimizer if model.compiled else None
    if getattr(optimizer, "built", False):
        count, size = _size(optimizer.variables)
        # Keras counts steps in 4 bytes, kshim in 8.
        counts.append(("Optimizer", count, size - optimizer._iterations.element_size() + 4))
    counts.insert(0, ("Total", sum(count for _, count, _ in counts), sum(size for _, _, size in counts)))
    for kind, count, size in counts:
        yield styled(f" {kind} params: ", BOLD) + styled(f"{count:,}", NUMBER) + styled(f" ({_readable(size)})")


def _size(weights):
    """How many numbers, and in how many bytes."""
    return sum(w.numel() for w in weights), sum(w.numel() * w.element_size() for w in weights)


def _readable(size):
    unit = 0
    while size >= 1024 and unit < len(UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:.2f} {UNITS[unit]}"


# -- Keras 3's table -----------------------------------------------------------------------------------------------


def _column_widths(ends, width, count):
    """Widths with the space on either side, such that the table with its borders is ``width`` wide."""
    ends = [0, *(int(end * width) for end in ends)]
    widths = [end - start for start, end in itertools.pairwise(ends)]
    if len(widths) < count:
        raise ValueError(f"`positions`: expected {count} ends of columns. Received: {len(widths)} positions.")
    if min(widths) < 4:
        raise ValueError(f"Insufficient console width to print summary: a column needs 4. Received: {widths}.")
    widths = [size + 2 for size in widths[:count]]
    spare = width - (count + 1) - sum(widths)
    if spare < 0:  # taken from the columns in equal parts, but none goes below 0
        for i, size in enumerate(widths):
            taken = min(size, round(-spare / (count - i)))
            widths[i], spare = size - taken, spare + taken
    elif spare > 0:  # given in proportion
        rest = sum(widths)
        for i, size in enumerate(widths):
            given = -(-size * spare // rest)
            widths[i], spare, rest = size + given, spare - given, rest - size
    return widths


def _table(header, rows, widths, box):
    aligned = [ALIGNMENT.get(name, "left") for name in header]

    def rule(kind):
        left, fill, divider, right = box[kind]
        return styled(left + divider.join(fill * width for width in widths) + right)

    def draw(cells, kind):
        left, _, divider, right = box[kind]
        style = BOLD if kind == "head" else ""
        columns = [
            [_aligned(_cut(line, width - 2), width - 2, align, style) for line in _wrapped(cell, width - 2)]
            if width > 2 else []
            for cell, width, align in zip(cells, widths, aligned, strict=True)
        ]  # fmt: skip
        height = max(map(len, columns))
        for column, width in zip(columns, widths, strict=True):
            blank = [styled(" " * width, style)] * (height - len(column))
            column[:] = blank + column if kind == "head" else column + blank
        for parts in zip(*columns, strict=True):
            line = styled(left)
            for part in parts:
                line += part + styled(divider)
            yield line[:-1] + styled(right)

    lines = [rule("top"), *draw([styled(name, BOLD) for name in header], "head"), rule("under")]
    for i, row in enumerate(rows):
        lines += [rule("between")] if i else []
        lines += draw(row, "row")
    return [*lines, rule("bottom")]


def _wrapped(cell, width, fold=False):
    """``cell`` in lines of words; a word that no line can hold is left too long, or folded."""
    text = "".join(character for character, _ in cell)
    breaks, used = [], 0
    for word in re.finditer(r"\s*\S+\s*", text):
        length = len(word[0].rstrip())
        if length <= width - used:
            used += len(word[0])
        elif fold and length > width:
            breaks += range(word.start(), word.end(), width)
            used = word.end() - breaks[-1]
        else:
            breaks.append(word.start())
            used = len(word[0])
    ends = [0, *(place for place in breaks if place), len(cell)]
    return [cell[start:end] for start, end in itertools.pairwise(ends)]


def _cut(line, width):
    while line and line[-1][0].isspace():
        line = line[:-1]
    return line if len(line) <= width else [*line[: width - 1], ("…", line[width - 1][1])]


def _aligned(line, width, align, style):
    """``line`` in its place, with a space on either side."""
    space = width - len(line)
    left = {"left": 0, "center": space // 2, "right": space}[align]
    return styled(" " * (left + 1), style) + line + styled(" " * (space - left + 1), style)


def _box():
    encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").lower()
    return UNICODE if encoding.startswith("utf") else ASCII


def _screen_width():
    """Characters that a line can have. Unlike ``shutil``, rich asks the terminals of stdin and stderr too."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdigit():
        return int(columns) or 80
    for descriptor in (0, 1, 2):
        with contextlib.suppress(OSError, ValueError):
            return os.get_terminal_size(descriptor).columns or 80
    return 80


def _paint():
    """``style -> what the terminal takes for it``, by the environment's usual words on colour."""
    forced, term = os.environ.get("FORCE_COLOR"), os.environ.get("TERM", "").lower()
    is_terminal = bool(forced) if forced is not None else getattr(sys.stdout, "isatty", bool)()
    if not is_terminal or term in ("dumb", "unknown"):
        return lambda style: ""
    if os.environ.get("NO_COLOR"):
        return lambda style: BOLD if style.startswith("1") else ""
    if term.endswith("-256color") or os.environ.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return lambda style: style
    return lambda style: re.sub(r"38;5;\d+", lambda match: OF_16_COLOURS[match[0]], style)


def _rendered(line, paint):
    runs = itertools.groupby(line, key=lambda pair: paint(pair[1]))
    texts = ((style, "".join(character for character, _ in run)) for style, run in runs)
    return "".join(f"\x1b[{style}m{text}\x1b[0m" if style else text for style, text in texts)


# -- the lines of Keras 1 and 2 ------------------------------------------------------------------------------------


def _print_lines(model, rows, graph, connected, line_length, positions, print_fn):
    if not model.built:
        raise ValueError(
            f"This model has not yet been built: {checks.describe(model)} has to know its input's shape. "
            "Received: built=False. Build it with `model.build(input_shape)`, or give `input_shape` to the first layer."
        )
    keras_1 = settings.holds(until="1.2.2")
    look = LINES_OF_KERAS_1 if keras_1 else LINES_OF_GRAPH if connected else LINES
    width, ends = line_length or look.width, positions or look.ends
    if ends[-1] <= 1:
        ends = [int(width * end) for end in ends]
    columns = 4 if keras_1 or connected else 3

    def line(*fields):
        text = ""
        for i, (field, end) in enumerate(zip(fields[:columns], ends, strict=False)):
            text = (text[:-1] + " " if i else "") + field
            text = text[:end].ljust(end)
        print_fn(text)

    if settings.holds(since="2.3.1"):
        print_fn(f'Model: "{model.name}"')
    print_fn("_" * width)
    line(*HEADERS)
    print_fn("=" * width)
    for i, row in enumerate(rows):
        calls = [f"{name}[{node}][{tensor}]" for name, node, tensor in _connections(row, graph)]
        count = sum(weight.numel() for weight in row.weights)
        line(f"{row.name} ({row.class_name})", _old_shape(row), str(count), *(calls[:1] or [""]))
        for call in calls[1:]:
            line("", "", "", call)
        print_fn(("=" if i == len(rows) - 1 else "_") * width)
    counts = [_size([w for w in weights_of(model) if w.requires_grad is trains])[0] for trains in (True, False)]
    print_fn(f"Total params: {sum(counts):,}")
    print_fn(f"Trainable params: {counts[0]:,}")
    print_fn(f"Non-trainable params: {counts[1]:,}")
    print_fn("_" * width)


def _old_shape(row):
    """The output shape, where it is the same in each call of any graph."""
    shapes = {tuple(tensor._shape for tensor in node.outputs) for node in row.calls}
    if len(shapes) != 1:
        return "multiple"
    (shape,) = shapes
    return str(shape[0] if len(shape) == 1 else list(shape))
