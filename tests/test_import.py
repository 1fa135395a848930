"""Evidence that importing is cheap, that every public name is there, and that it says what it takes."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

import dynome
from dynome.errors import MissingExtraError

ROOT = Path(dynome.__file__).parent
BUDGET = 0.3  # seconds
HEAVY = (
    "torch", "torch_geometric", "sklearn", "pymc", "arviz", "pytensor", "matplotlib", "pynwb", "hdmf", "pynapple",
    "numpy", "scipy", "pandas", "xarray", "dask", "distributed", "zarr", "networkx", "tensorly", "numba", "pooch",
    "rich", "typer", "h5py", "pyarrow", "jinja2", "threadpoolctl",
)  # fmt: skip


def python(code, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT.parent), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def loaded_by(code):
    """Which heavy packages a fresh process has loaded after some code."""
    told = python(f"import sys\n{textwrap.dedent(code)}\nprint(*{{m.split('.')[0] for m in sys.modules}})")
    return set(told.split()) & set(HEAVY)


# --- Cheap -----------------------------------------------------------------------------------------------------------


def test_importing_dynome_stays_below_its_budget():
    def seconds(code):
        started = time.perf_counter()
        python(code)
        return time.perf_counter() - started

    bare = min(seconds("pass") for _ in range(5))
    whole = min(seconds("import dynome") for _ in range(5))
    assert whole - bare < BUDGET, f"import dynome took {whole - bare:.3f} s beyond the {bare:.3f} s of Python alone"


def test_importing_dynome_loads_nothing_heavy():
    assert loaded_by("import dynome; dir(dynome); dynome.__version__") == set()


def test_naming_every_area_loads_nothing_heavy():
    areas = ("connectome", "dynamics", "inference", "datasets", "viz", "pipelines", "schema", "store")
    assert loaded_by("import dynome\n" + "\n".join(f"dir(dynome.{area})" for area in areas)) == set()


TOUCHED = {
    "connectome.from_edges": ("torch", "torch_geometric", "sklearn", "pymc", "matplotlib", "networkx", "dask", "zarr"),
    "dynamics.functional_connectivity": ("torch", "torch_geometric", "pymc", "matplotlib", "networkx", "zarr"),
    "dynamics.NonnegativeCP": ("torch", "torch_geometric", "pymc", "matplotlib", "networkx", "zarr", "dask"),
    "inference.structure_function": ("torch", "torch_geometric", "pymc", "matplotlib", "zarr"),
    "datasets.read_nwb": ("torch", "torch_geometric", "pymc", "matplotlib", "pynwb", "h5py", "pooch"),
    "viz.plot_matrix": ("torch", "torch_geometric", "pymc", "sklearn", "matplotlib", "zarr"),
    "store.save": ("torch", "sklearn", "pymc", "matplotlib", "networkx", "zarr", "dask"),
    "progress.task, dynome.device.resolve": HEAVY,
}


@pytest.mark.parametrize(("name", "unwanted"), TOUCHED.items(), ids=TOUCHED)
def test_touching_one_function_does_not_load_what_others_need(name, unwanted):
    assert loaded_by(f"import dynome; dynome.{name}") & set(unwanted) == set()


STATE = """
    import logging, random, numpy as np, xarray as xr

    def state():
        root = logging.getLogger()
        return repr((np.random.get_state(), random.getstate(), np.get_printoptions(), np.geterr(), xr.get_options(),
                     root.handlers, root.level))

    before = state()
    import dynome
    for area in ("connectome", "dynamics", "inference", "datasets", "viz", "schema", "store"):
        module = getattr(dynome, area)
        for name in dir(module):
            getattr(module, name)
    print(state() == before)
"""


def test_touching_every_name_changes_nothing_of_the_process():
    assert python(STATE) == "True\n"


KERNELS = """
    import importlib, pkgutil, sys

    refused = set(sys.argv[1].split(","))

    class Without:
        # A finder that does not see what is refused.

        def __init__(self, finder):
            self.finder = finder

        def __getattr__(self, name):
            return getattr(self.finder, name)

        def find_spec(self, name, path=None, target=None):
            return None if name.split(".")[0] in refused else self.finder.find_spec(name, path, target)

    sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
    import dynome
    names = ["dynome.labels", "dynome.units", "dynome.seeds", "dynome.device", "dynome.align", "dynome.estimator"]
    for area in ("connectome", "dynamics", "inference", "schema", "store"):
        package = importlib.import_module(f"dynome.{area}")
        names += [m.name for m in pkgutil.walk_packages(package.__path__, f"dynome.{area}.")]
    names.remove("dynome.store.guard")  # a class of Zarr's, imported where Zarr is
    for name in names:
        importlib.import_module(name)
    print(len(names), *sorted(refused & set(sys.modules)))
"""


def test_kernels_import_on_a_machine_that_has_little_more_than_numpy_xarray_and_torch():
    refused = "dask,distributed,zarr,tensorly,networkx,pymc,arviz,pynwb,pynapple,matplotlib,h5py,pyarrow,pooch,rich"
    count, *there = python(KERNELS, refused).split()
    assert int(count) > 50
    assert there == []


# --- Every public name -----------------------------------------------------------------------------------------------


def stubs():
    return sorted(ROOT.rglob("__init__.pyi"))


def listed_in(stub):
    """Public names of a package and where each comes from, read from the stub alone."""
    package = ".".join(["dynome", *stub.parent.relative_to(ROOT).parts])
    for line in ast.parse(stub.read_text(encoding="utf-8")).body:
        if isinstance(line, ast.ImportFrom):
            for name in line.names:
                yield package, name.asname or name.name, line.module


PUBLIC = [entry for stub in stubs() for entry in listed_in(stub)]
PACKAGES = sorted({package for package, _, _ in PUBLIC})


@functools.cache
def found(package, name):
    """None where it needs an extra that is not installed."""
    try:
        return getattr(importlib.import_module(package), name)
    except MissingExtraError:
        if os.environ.get("DYNOME_REQUIRE_EXTRAS"):
            raise  # where everything was installed, passing over it would hide a broken install
        return None


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_there(package):
    module, names = importlib.import_module(package), {name for home, name, _ in PUBLIC if home == package}
    assert not names - set(dir(module))
    assert not names - set(module.__all__)
    for name in names:
        found(package, name)  # raises where it is not


def public_callables():
    """Functions and classes that a stub lists, and those of the modules that the top stub lists."""
    seen = {}
    for package, name, _ in PUBLIC:
        if package == "dynome":
            path = ROOT / f"{name}.py"
            if not path.is_file():
                continue
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                    seen[f"dynome.{name}", node.name] = None
        elif not name.isupper():
            seen[package, name] = None
    return list(seen)


def parameters_of(thing):
    """Names and annotations of what a caller passes."""
    try:
        signature = inspect.signature(thing)
    except (TypeError, ValueError):
        return {}
    if inspect.isclass(thing) and issubclass(thing, BaseException):
        return {}
    return {n: p.annotation for n, p in signature.parameters.items() if n not in ("self", "cls")}


def untold(thing):
    """What the docstring or the signature of a function or class lacks."""
    if not callable(thing) or getattr(thing, "__module__", "").split(".")[0] != "dynome":
        return []  # a constant or a type alias
    text, taken = inspect.getdoc(thing) or "", parameters_of(thing)
    if not text or not taken:
        return [] if text else ["has no docstring"]
    sections = ("Parameters\n----------", "Attributes\n----------")[: 1 + inspect.isclass(thing)]
    lacking = [] if any(s in text for s in sections) else ["has no section Parameters"]
    lacking += [f"does not tell {n}" for n in taken if n not in text]
    return lacking + [f"has no annotation of {n}" for n, kind in taken.items() if kind is inspect.Parameter.empty]


def test_every_public_function_says_what_it_takes():
    assert not [(*where, problem) for where in public_callables() for problem in untold(found(*where))]


def test_no_module_holds_a_function_of_its_own_name():
    for path in ROOT.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        own = path.parent.name if path.name == "__init__.py" else path.stem
        assert own not in names, path


def test_no_public_name_hides_a_module_of_its_package():
    for package, name, home in PUBLIC:
        folder = ROOT.joinpath(*package.split(".")[1:])
        if home != package:
            assert not (folder / f"{name}.py").exists()
            assert not (folder / name).is_dir()
