"""A small study, what an undisturbed run makes of it, and the folder of orders."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import fault_functions
import pytest
from fault_tools import HERE, make_faults, make_study

from dynome import batch


@pytest.fixture(scope="module", autouse=True)
def ctrl_c_is_heard():
    """A shell ignores Ctrl-C for what it starts in the background, and so would all processes of these tests."""
    before = signal.getsignal(signal.SIGINT)
    if before == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def study_path(tmp_path_factory):
    """Three animals with two sessions each; nobody changes it."""
    return make_study(tmp_path_factory.mktemp("study") / "study.zarr")


@pytest.fixture
def faults(tmp_path, monkeypatch):
    """Where orders are given and calls are counted, for this process and those that it starts."""
    folder = make_faults(tmp_path / "faults")
    monkeypatch.setenv(fault_functions.FOLDER, str(folder))
    return folder


@pytest.fixture(scope="session")
def expected(study_path, tmp_path_factory):
    """The results of a run to which nothing happened."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(fault_functions.FOLDER, str(make_faults(tmp_path_factory.mktemp("calm"))))
        out = tmp_path_factory.mktemp("undisturbed") / "out"
        return batch.map_sessions(fault_functions.describe, study_path, out=out, random_state=0)


@pytest.fixture(scope="session")
def clock(tmp_path_factory):
    """A library that, preloaded, makes the clock of the day wrong."""
    library = tmp_path_factory.mktemp("clock") / "clock.so"
    command = ["cc", "-shared", "-fPIC", "-o", str(library), str(HERE / "fault_clock.c"), "-ldl"]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no C compiler that builds the wrong clock: {error}")
    return Path(library)
