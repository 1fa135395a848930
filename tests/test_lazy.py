"""Evidence for _lazy.py: the stub is the list of names, and a module loads when one of its names is touched."""

import importlib
import sys

import pytest

STUB = """
from {package} import inner as inner
from {package}.kernels import twice as twice
from {package}.kernels import twice as double
from {package}.broken import nothing as nothing
__version__: str
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    name = f"lazy_{tmp_path.name.replace('-', '_')}"
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from dynome._lazy import attach_stub\n__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)\n"
    )
    (folder / "__init__.pyi").write_text(STUB.format(package=name), encoding="utf-8")
    (folder / "kernels.py").write_text("def twice(x):\n    return 2 * x\n")
    (folder / "inner.py").write_text("answer = 42\n")
    (folder / "broken.py").write_text("import a_module_that_does_not_exist\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module(name)
    for loaded in [m for m in sys.modules if m.split(".")[0] == name]:
        del sys.modules[loaded]


def test_nothing_is_loaded_before_a_name_is_touched(package):
    assert not [m for m in sys.modules if m.startswith(f"{package.__name__}.")]
    assert package.twice(3) == 6
    assert f"{package.__name__}.kernels" in sys.modules
    assert f"{package.__name__}.inner" not in sys.modules


def test_the_stub_is_the_list_of_public_names(package):
    assert package.__all__ == ["double", "inner", "nothing", "twice"]
    assert dir(package) == package.__all__


def test_a_module_and_a_function_under_another_name_can_be_public(package):
    assert package.inner.answer == 42
    assert package.double is package.twice


def test_an_unknown_name_is_an_attribute_error(package):
    with pytest.raises(AttributeError, match=rf"module '{package.__name__}' has no attribute 'thrice'"):
        _ = package.thrice
    assert not hasattr(package, "thrice")


def test_a_failure_inside_a_module_is_not_hidden(package):
    with pytest.raises(ModuleNotFoundError, match="a_module_that_does_not_exist"):
        _ = package.nothing
