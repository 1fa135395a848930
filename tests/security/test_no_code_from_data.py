"""Evidence that nothing read from data can run: no call in the package unpickles, evaluates or starts a shell."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import dynome

PACKAGE = Path(dynome.__file__).parent
NEVER_IMPORTED = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "yaml", "ruamel", "xml", "lxml"}
MAY_IMPORT = {"xml.parsers"}  # expat, of which a document type is refused
NEVER_CALLED = {"eval", "exec", "compile", "__import__", "read_pickle", "to_pickle", "read_hdf", "unpickle"}
NEVER_ATTRIBUTES = {
    ("joblib", "load"), ("joblib", "dump"), ("np", "fromregex"), ("os", "system"), ("os", "popen"), ("torch", "save"),
    ("pd", "eval"), ("numpy", "fromregex"),
}  # fmt: skip


def offences(source: str) -> list[str]:
    """What in a module could turn data into code."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            found += [n for n in names if n.split(".")[0] in NEVER_IMPORTED and n not in MAY_IMPORT]
        if isinstance(node, ast.Call):
            name, owner, said = _name(node.func), _owner(node.func), {k.arg: k.value for k in node.keywords}
            if isinstance(node.func, ast.Name) and name in NEVER_CALLED:
                found.append(name)
            if isinstance(node.func, ast.Attribute) and (name in NEVER_CALLED - {"eval", "compile"}):
                found.append(f"{owner}.{name}")
            if (owner, name) in NEVER_ATTRIBUTES:
                found.append(f"{owner}.{name}")
            if (
                owner in ("np", "numpy", "npy")
                and name in ("load", "read_array")
                and not _is(said, "allow_pickle", False)
            ):
                found.append("np.load without allow_pickle=False")
            if owner == "torch" and name == "load" and not _is(said, "weights_only", True):
                found.append("torch.load without weights_only=True")
            if _is(said, "allow_pickle", True) or _is(said, "shell", True):
                found.append("allow_pickle or shell")
    return found


def _name(func: ast.expr) -> str:
    return func.id if isinstance(func, ast.Name) else func.attr if isinstance(func, ast.Attribute) else ""


def _owner(func: ast.expr) -> str:
    return _name(func.value) if isinstance(func, ast.Attribute) else ""


def _is(said: dict[str | None, ast.expr], key: str, value: bool) -> bool:
    return key in said and isinstance(said[key], ast.Constant) and said[key].value is value


def test_nothing_in_the_package_unpickles_or_evaluates_data():
    found = {
        str(path.relative_to(PACKAGE)): told
        for path in sorted(PACKAGE.rglob("*.py"))
        if (told := offences(path.read_text("utf-8")))
    }
    assert found == {}


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from yaml import load",
        "from xml.etree import ElementTree",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "joblib.load(path)",
        "pd.read_pickle(path)",
        "eval(text)",
        "subprocess.run(text, shell=True)",
    ],
)
def test_what_could_run_data_would_be_found(line):
    assert offences(line)


def test_what_cannot_run_data_is_not_found():
    assert not offences(
        "network.eval()\nnp.load(p, allow_pickle=False)\ntorch.load(p, weights_only=True)\nre.compile(x)"
    )
