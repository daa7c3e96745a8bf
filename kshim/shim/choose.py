"""Which dialect a script is written in: read from its source, and from a ``requirements.txt`` beside it."""

import ast
import os
import re
from typing import NamedTuple

from kshim.legacy import markers
from kshim.shim.hook import canonical

FILES = 50  # of the script's own modules that are read, too


class Choice(NamedTuple):
    """A dialect and the reason for it, in a few words."""

    dialect: str
    reason: str


class Found(NamedTuple):
    """A marker in a source file."""

    dialect: str
    text: str
    place: str


def choose(path):
    """The dialect of the script at ``path``: pinned by a ``requirements.txt``, marked in the source, or ``3``."""
    return _pinned(os.path.dirname(path)) or _marked(path)


def _pinned(folder):
    try:
        with open(os.path.join(folder, "requirements.txt"), encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:
        return None
    pins = {}
    for line in lines:
        match = re.match(r"\s*([A-Za-z0-9_.-]+)\s*(?:\[[^]]*\])?\s*[=~]=\s*(\d+(?:\.\d+)*)", line)
        if match:
            pins[match[1].lower().replace("_", "-")] = match[2]
    for package, limits, after in (
        ("keras", markers.VERSION_LIMITS, "3"),
        ("tf-keras", (), "tf.keras"),
        ("tensorflow", markers.TENSORFLOW_LIMITS, "3"),
        ("tensorflow-cpu", markers.TENSORFLOW_LIMITS, "3"),
        ("tensorflow-gpu", markers.TENSORFLOW_LIMITS, "3"),
    ):
        if package in pins and not (package.startswith("tensorflow") and pins[package].startswith(("0", "1"))):
            version = tuple(int(part) for part in pins[package].split("."))
            dialect = next((name for limit, name in limits if version < limit), after)
            return Choice(dialect, f"requirements.txt has {package}=={pins[package]}")
    return None


def _marked(path):
    found, uses_keras, since_2 = [], False, None
    todo, seen = [path], set()
    while todo and len(seen) < FILES:
        file = todo.pop(0)
        if file in seen:
            continue
        seen.add(file)
        reader = _Reader(file, os.path.dirname(path))
        found += reader.found
        uses_keras |= reader.uses_keras
        since_2 = since_2 or reader.since_2
        todo += reader.beside
    if not uses_keras:
        return Choice("3", "the script imports no Keras")

    def first(dialect):
        return next((marker for marker in found if marker.dialect == dialect), None)

    for dialect in ("3", "tf.keras", "0.3.3", "1.2.2"):
        marker = first(dialect)
        if marker is not None:
            if dialect == "1.2.2" and since_2 is not None:
                return Choice("2.2.4", f"{marker.place} has {marker.text} of Keras 1, but {since_2}")
            return Choice(dialect, f"{marker.place} has {marker.text}")
    marker = first("2.2.4")
    if marker is not None:
        return Choice("2.2.4", f"{marker.place} has {marker.text}")
    return Choice("3", "nothing in the script is older")


class _Reader(ast.NodeVisitor):
    """The markers of one source file, and the files it imports from the script's own folder, ``root``."""

    def __init__(self, file, root):
        self.file, self.folder, self.root = os.path.basename(file), os.path.dirname(file), root
        self.found, self.beside, self.names = [], [], {}
        self.uses_keras, self.since_2 = False, None
        try:
            with open(file, "rb") as source:
                tree = ast.parse(source.read())
        except (OSError, SyntaxError, ValueError):
            return  # running it will tell
        for node in ast.walk(tree):  # imports first: they say what names mean
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                self._imported(node)
        self.visit(tree)

    def _imported(self, node):
        if isinstance(node, ast.Import):
            for alias in node.names:
                self._path(alias.name, node)
                self.names[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
                self._beside(alias.name)
        else:
            module = node.module or ""
            if not node.level:
                self._path(module, node)
            for alias in node.names:
                if not node.level:
                    self._path(f"{module}.{alias.name}", node)
                    self.names[alias.asname or alias.name] = f"{module}.{alias.name}"
                self._beside(f"{module}.{alias.name}" if module else alias.name, node.level)
            self._beside(module, node.level)

    def _beside(self, module, level=0):
        folder = os.path.join(self.folder, *[os.pardir] * (level - 1)) if level else self.root
        stem = os.path.normpath(os.path.join(folder, *module.split(".")))
        self.beside += [p for p in (stem + ".py", os.path.join(stem, "__init__.py")) if module and os.path.isfile(p)]

    def _path(self, path, node):
        """Note the markers that ``path``, as written, is or lies below."""
        known = canonical(path)
        if known is None:
            return
        self.uses_keras = True
        if not path.startswith("keras"):
            self._note("tf.keras", path, node)
        parts = known.split(".")
        for dialect, paths in markers.PATHS.items():
            if dialect != "tf.keras" and any(".".join(parts[:end]) in paths for end in range(2, len(parts) + 1)):
                self._note(dialect, known, node)
        if parts[:2] == ["keras", "backend"] and len(parts) == 3 and parts[2] not in (*markers.BACKEND_TODAY, "*"):
            self._note("2.2.4", known, node)

    def _note(self, dialect, text, node):
        self.found.append(Found(dialect, text, f"{self.file}:{node.lineno}"))

    def _full_name(self, node):
        """``keras.backend.mean`` for ``K.mean``; None where the first name is no import."""
        parts = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id not in self.names:
            return None
        return ".".join([self.names[node.id], *reversed(parts)])

    def visit_Attribute(self, node):
        name = self._full_name(node)
        if name is not None:
            self._path(name, node)
        for dialect, methods in markers.METHODS.items():
            if node.attr in methods:
                self._note(dialect, f".{node.attr}", node)
        self.generic_visit(node)

    def visit_Call(self, node):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
        if isinstance(node.func, ast.Name):
            called = self.names.get(node.func.id, called).rpartition(".")[2]
        ours = self._ours(node.func)
        for keyword in node.keywords:
            if keyword.arg is None or not ours:
                continue
            for dialect, keywords in markers.KEYWORDS.items():
                if keyword.arg in keywords and (keywords[keyword.arg] is None or called in keywords[keyword.arg]):
                    self._note(dialect, f"{keyword.arg}=", keyword.value)
            if keyword.arg in markers.SINCE_2 and self.since_2 is None:
                self.since_2 = f"{self.file}:{keyword.value.lineno} has {keyword.arg}="
        self.generic_visit(node)

    def _ours(self, function):
        """Whether what is called may be Keras': not a name imported from elsewhere."""
        name = self._full_name(function)
        return name is None or canonical(name) is not None

    def visit_Constant(self, node):
        for dialect, strings in markers.STRINGS.items():
            if isinstance(node.value, str) and node.value in strings:
                self._note(dialect, repr(node.value), node)
