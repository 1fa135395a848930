"""Shared fixtures: real data where they can be had, and threads kept low."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data; without it the test skips, unless DYNOME_REQUIRE_DATA forbids skipping."""
    folder = os.environ.get("DYNOME_DATA_DIR")
    if folder and Path(folder).is_dir():
        return Path(folder)
    if os.environ.get("DYNOME_REQUIRE_DATA"):
        pytest.fail("DYNOME_REQUIRE_DATA is set, but DYNOME_DATA_DIR names no folder")
    pytest.skip("set DYNOME_DATA_DIR to a folder with the real data to run this test")
