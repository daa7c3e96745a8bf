"""``python -m kshim run script.py args…``: an unchanged script, run as Python itself would run it."""

import builtins
import importlib.machinery
import importlib.util
import os
import sys
import types
import zipfile

import kshim
from kshim.core import settings
from kshim.shim import choose, hook

USAGE = """\
usage: python -m kshim run [--dialect D] [--quiet] script.py [args ...]
       python -m kshim run [--dialect D] [--quiet] -m module [args ...]
       python -m kshim --help | --version

Runs a Keras script of any generation, unchanged, on PyTorch.

  --dialect D  the Keras version whose meaning ambiguous calls have: {versions}
               (or {names}); unless given, KSHIM_DIALECT, a requirements.txt beside the script
               or the script itself tells
  --quiet      do not say on stderr which dialect was taken
"""


def main(argv=None):
    """Run the command line ``argv`` (without the program's name); returns an exit code where the script gives none."""
    argv = sys.argv[1:] if argv is None else argv
    if not argv or argv[0] in ("-h", "--help"):
        print(_usage(), end="")
        return 0 if argv else 2
    if argv[0] in ("-V", "--version"):
        print(f"kshim {kshim.__version__}")
        return 0
    if argv[0] != "run":
        return _refuse(f"unknown command {argv[0]!r}: expected run")
    dialect, quiet, module, rest = None, False, False, list(argv[1:])
    while rest and rest[0].startswith("-") and not module:
        option = rest.pop(0)
        name, equals, value = option.partition("=")
        if option in ("-h", "--help"):
            print(_usage(), end="")
            return 0
        if name == "--dialect":
            if not equals and not rest:
                return _refuse("--dialect needs a version")
            dialect = value if equals else rest.pop(0)
        elif option in ("-q", "--quiet"):
            quiet = True
        elif option == "-m":
            module = True
        else:
            return _refuse(f"unknown option {option}")
    if not rest:
        return _refuse("run needs a script, or -m and a module")
    return _run(dialect, quiet, module, rest)


def _usage():
    versions, names = ", ".join(settings.VERSIONS), ", ".join(settings.SHORT_NAMES)
    return USAGE.format(versions=versions, names=names)


def _refuse(message):
    print(f"kshim: {message}\n{_usage().splitlines()[0]}", file=sys.stderr)
    return 2


def _run(dialect, quiet, module, argv):
    if dialect is not None:
        try:
            settings.set_dialect(dialect)
        except ValueError as error:
            return _refuse(str(error))
    hook.install()
    target = argv[0]
    if not module and not os.path.exists(target):
        print(f"kshim: can't open file {os.path.abspath(target)!r}: No such file or directory", file=sys.stderr)
        return 2
    as_package = not module and (os.path.isdir(target) or zipfile.is_zipfile(target))
    folder = os.getcwd() if module else target if as_package else os.path.dirname(os.path.realpath(target))
    _first_on_path(os.path.abspath(folder))
    sys.argv[:] = argv
    try:
        find = _module if module else _package if as_package else _file
        main_module, make_code, source = find(target)
        reason = _choose(dialect, source)
        if not quiet:
            print(f"kshim: dialect {settings.dialect()}: {reason}", file=sys.stderr, flush=True)
        code = make_code()
        if module:
            sys.argv[0] = main_module.__file__
        sys.modules["__main__"] = main_module
        exec(code, main_module.__dict__)
    except _NotFound as error:
        print(f"{sys.executable}: {error}", file=sys.stderr)
        return 1
    except SystemExit:
        raise
    except BaseException:
        # The interpreter itself ends the process, as it would without kshim; only the frames that led from here to
        # the script are left out of what it prints.
        sys.excepthook = _leaving_out_own_frames(sys.excepthook)
        raise
    return None


def _choose(dialect, source):
    """Set the dialect unless it is given; returns why it is what it is."""
    if dialect is not None:
        return "given by --dialect"
    if os.environ.get("KSHIM_DIALECT"):
        return "given by KSHIM_DIALECT"
    choice = choose.choose(source) if source else choose.Choice("3", "no source to read")
    settings.set_dialect(choice.dialect)
    return choice.reason


def _first_on_path(folder):
    if not getattr(sys.flags, "safe_path", False):
        sys.path[0:1] = [folder]  # in the place of what python -m put there


class _NotFound(Exception):
    pass


def _main_module(file, loader, spec=None):
    module = types.ModuleType("__main__")
    module.__dict__.update(__file__=file, __loader__=loader, __spec__=spec, __builtins__=builtins, __cached__=None)
    module.__package__ = None if spec is None else spec.parent
    if spec is not None:
        module.__cached__ = spec.cached
    return module


def _file(path):
    """``(module, function that gives its code, path of its source)`` of a script."""

    def code():
        with open(path, "rb") as file:
            return compile(file.read(), path, "exec", dont_inherit=True)

    path = os.path.abspath(path)
    return _main_module(path, importlib.machinery.SourceFileLoader("__main__", path)), code, path


def _package(folder):
    """The same of a folder or zip file with a ``__main__.py``."""
    spec = importlib.machinery.PathFinder.find_spec("__main__", [folder])
    if spec is None:
        raise _NotFound(f"can't find '__main__' module in {folder!r}")
    return _from_spec(spec)


def _module(name):
    """The same of a module on the path, or of a package's ``__main__``."""
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(f"{name}.__main__")
    except ModuleNotFoundError as error:
        if error.name is None or not (name + ".").startswith(error.name + "."):
            raise
        spec = None
    if spec is None:
        raise _NotFound(f"No module named {name}")
    return _from_spec(spec)


def _from_spec(spec):
    if spec.loader is None or not hasattr(spec.loader, "get_code"):
        raise _NotFound(f"{spec.name} is a package and cannot be directly executed")
    source = spec.origin if spec.origin and os.path.isfile(spec.origin) else None
    return _main_module(spec.origin, spec.loader, spec), lambda: spec.loader.get_code(spec.name), source


def _leaving_out_own_frames(show):
    def excepthook(kind, error, traceback):
        while traceback is not None and traceback.tb_frame.f_code.co_filename != __file__:
            traceback = traceback.tb_next
        while traceback is not None and traceback.tb_frame.f_code.co_filename == __file__:
            traceback = traceback.tb_next
        last = traceback
        while last is not None and last.tb_next is not None:
            if last.tb_next.tb_frame.f_code.co_filename == hook.__file__:
                last.tb_next = None  # a missing name: the script's own line tells
            last = last.tb_next
        show(kind, error.with_traceback(traceback), traceback)

    return excepthook
