"""Evidence for extras.py: what is missing is told with the remedy, and nothing else is hidden."""

import sys

import pytest

from dynome.errors import MissingExtraError
from dynome.extras import require


def test_an_installed_module_comes_back():
    assert require("xml.dom", extra="nwb") is sys.modules["xml.dom"]


@pytest.mark.parametrize("module", ["no_such_package", "no_such_package.inner"])
def test_a_missing_module_is_told_with_the_extra_that_brings_it(module):
    with pytest.raises(MissingExtraError, match=rf"{module} is needed here.*pip install 'dynome\[bayes\]'"):
        require(module, extra="bayes")


def test_a_failure_inside_an_installed_module_is_not_hidden(tmp_path, monkeypatch):
    (tmp_path / "half_installed.py").write_text("import no_such_dependency\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency") as caught:
        require("half_installed", extra="torch")
    assert not isinstance(caught.value, MissingExtraError)
