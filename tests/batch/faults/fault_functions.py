"""Functions that the tests of faults map over sessions: they count their calls in files and obey orders in files.

A test and the processes of a run share one folder, named by the environment variable DYNOME_FAULTS. What a function
does is no parameter, because parameters are part of the key of a result.
"""

from __future__ import annotations

import os
import signal
import time
import uuid
from pathlib import Path
from urllib.parse import quote

import dask
import dask.array
import numpy as np
import xarray as xr

from dynome import seeds

FOLDER = "DYNOME_FAULTS"
PATIENCE = 400.0  # seconds until a function that nobody releases gives up


def describe(recording: xr.Dataset, *, session: str, random_state: int, scale: float = 1.0) -> xr.Dataset:
    """Mean of each node, the highest of them, and a number from the session's seed."""
    obey(session)
    mean = (recording.activity.mean("time") * scale).compute()
    noise = seeds.generator(random_state).standard_normal()
    return xr.Dataset({"mean": mean, "highest": mean.max(), "noise": ((), noise, {"units": "1"})})


def highest(recording: xr.Dataset, *, session: str) -> xr.Dataset:
    """One number, for runs of many sessions."""
    obey(session)
    return recording[["activity"]].max()


def describe_late(recording: xr.Dataset, *, session: str, random_state: int) -> xr.Dataset:
    """As `describe`, but orders are obeyed when the second of two variables is written."""
    first = np.arange(4096.0)
    late = dask.delayed(lambda: (obey(session), first)[1])()
    second = dask.array.from_delayed(late, first.shape, first.dtype)
    return xr.Dataset({"first": ("place", first, {"units": "1"}), "second": ("place", second, {"units": "1"})})


def scheduler_within(recording: xr.Dataset) -> xr.Dataset:
    """What would compute the lazy variables of a session."""
    scheduler = dask.base.get_scheduler()
    return xr.Dataset(attrs={"scheduler": f"{scheduler.__module__}.{scheduler.__qualname__}"})


def obey(session: str) -> None:
    """Leave a trace of this call, then do what the order for this session says."""
    folder = Path(os.environ[FOLDER])
    name = quote(session, safe="")
    (folder / "calls" / f"{name}.{os.getpid()}.{uuid.uuid4().hex[:8]}").touch()
    order = folder / "orders" / name
    try:
        action, _, amount = order.read_text().partition(" ")
    except FileNotFoundError:
        return
    if action == "hold":
        wait_until(lambda: not order.exists(), f"release of {session}")
    elif action == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "die-once":
        order.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "refuse":
        raise ValueError(f"{session} was told to refuse")
    elif action == "refuse-once":
        order.unlink()
        raise OSError(f"{session} was told to refuse once")
    elif action == "allocate":
        hoard = [np.ones(1 << 17) for _ in range(int(amount))]  # MiB that are really touched
        wait_until(lambda: not hoard, "the end of its memory", 10.0)


def wait_until(condition, what: str, seconds: float = PATIENCE, pause: float = 0.02) -> None:
    """Return as soon as the condition holds; fail after so many seconds. To look costs what is waited for its time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds:g} s for {what}")
        time.sleep(pause)
