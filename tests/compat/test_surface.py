"""The promised surface: Keras 3.15's public names and signatures, and what of it kshim lacks, with the reason."""

import importlib
import inspect
import json
import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "surface"
PROMISED = json.loads((HERE / "keras-3.15.json").read_text())
MISSING = {
    line.strip()
    for line in (HERE / "missing.txt").read_text().splitlines()
    if line.strip() and not line.startswith("#")
}
ALL = [(module, name) for module, names in sorted(PROMISED.items()) for name in names]

# Signatures that differ on purpose, with the reason.
OTHER_SIGNATURE: dict[str, str] = json.loads((HERE / "signatures.json").read_text())


def find(module, name):
    """kshim's object of that name, or None."""
    try:
        return getattr(importlib.import_module(re.sub("^keras", "kshim", module)), name, None)
    except ModuleNotFoundError:
        return None


def listed(module, name):
    return f"{module}.{name}" in MISSING or f"{module}.*" in MISSING


@pytest.mark.parametrize("module", sorted(PROMISED))
def test_every_name_is_there_or_listed(module):
    lacking = [name for name in PROMISED[module] if find(module, name) is None and not listed(module, name)]
    assert not lacking, f"{module} lacks {lacking}: add them, or list them in surface/missing.txt with the reason"


@pytest.mark.parametrize("module", sorted(PROMISED))
def test_what_is_listed_as_missing_is_missing(module):
    there = [name for name in PROMISED[module] if listed(module, name) and find(module, name) is not None]
    assert not there, f"{module} has {there} now: take them off surface/missing.txt"


def test_the_list_names_only_what_was_promised():
    known = {f"{module}.{name}" for module, name in ALL} | {f"{module}.*" for module in PROMISED}
    assert sorted(MISSING - known) == []


def arguments(signature):
    """Names of a signature's arguments, in order; those that only take the rest are left out."""
    return [p.name for p in signature.parameters.values() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]


def signature_of(found):
    """A function's signature, or a class's: its ``__init__``'s, or ``__new__``'s where that takes the arguments."""
    if not inspect.isclass(found):
        return inspect.signature(found)
    makes = next(c for c in found.__mro__ if {"__init__", "__new__"} & vars(c).keys())
    method = makes.__init__ if "__init__" in vars(makes) else makes.__new__
    parameters = list(inspect.signature(method).parameters.values())[1:]
    return inspect.Signature(parameters)


def promised_arguments(text):
    inner = re.sub(r"<[^<>]*>", "None", text.replace("<class ", "<"))
    scope: dict = {}
    exec(f"def f{inner}: ...", {}, scope)
    return arguments(inspect.signature(scope["f"]))


def signature_problem(module, name):
    found, text = find(module, name), PROMISED[module][name]
    if found is None or not text.startswith("("):
        return None
    expected, got = promised_arguments(text), arguments(signature_of(found))
    return None if got[: len(expected)] == expected else f"{got} instead of {expected}"


@pytest.mark.parametrize("module", sorted(PROMISED))
def test_arguments_are_keras(module):
    wrong = {name: problem for name in PROMISED[module] if (problem := signature_problem(module, name))}
    wrong = {name: problem for name, problem in wrong.items() if f"{module}.{name}" not in OTHER_SIGNATURE}
    assert not wrong


def test_signatures_listed_as_other_are_other():
    same = [key for key in OTHER_SIGNATURE if signature_problem(*key.rsplit(".", 1)) is None]
    assert same == []
