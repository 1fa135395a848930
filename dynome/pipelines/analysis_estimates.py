"""What computing a session takes: seconds and bytes, from sessions that were computed."""

from __future__ import annotations

import math
import os
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from dynome import batch, progress
from dynome.batch import Record
from dynome.batch.plans import BATCH
from dynome.pipelines.methods import METHODS

if TYPE_CHECKING:
    from dynome.pipelines.analysis_plan import AnalysisPlan

NOTHING = "nothing computed yet"


def estimate(folder: Path) -> tuple[float, float, str]:
    """What a session takes, from the records of those that were computed.

    Parameters
    ----------
    folder : Path
        Output of a batch, which need not exist.

    Returns
    -------
    seconds, bytes : float
        Medians; NaN where there are no records.
    basis : str
        What they are taken from.
    """
    done: list[Record] = []
    if (folder / BATCH).is_file():
        done = [record for record in batch.open_results(folder).records.values() if record.status == "done"]
    if not done:
        return float("nan"), float("nan"), "nothing computed yet"
    sizes = [_size(folder / "sessions" / record.store) for record in done]
    told = f"the median of {len(done)} session{'s' * (len(done) != 1)} done here"
    return median(record.seconds for record in done), float(median(sizes)), told


def _size(folder: Path) -> int:
    return sum(os.path.getsize(Path(at) / name) for at, _, names in os.walk(folder) for name in names)


def timed(plan: AnalysisPlan) -> AnalysisPlan:
    """Compute one session by each method of which nothing is known, and throw the result away.

    Parameters
    ----------
    plan : AnalysisPlan
        What is to be done.

    Returns
    -------
    AnalysisPlan
        With ``seconds``, ``bytes`` and ``basis`` where they were unknown. A method that learns from the whole study
        first is not tried.
    """
    methods = dict(plan.methods)
    for name, own in plan.methods.items():
        if math.isfinite(own.seconds) or not own.to_compute or METHODS[name].prepare is not None:
            continue
        first = own.to_compute[0]
        with tempfile.TemporaryDirectory() as folder, progress.task(f"{name}: {first}"):
            out = Path(folder) / name
            batch.map_sessions(
                METHODS[name].function, plan.study, out=out, parameters=own.parameters, only=[first],
                random_state=plan.random_state, on_error="record", retries=0,
            )  # fmt: skip
            seconds, size, _ = estimate(out)
        told = f"{first}, computed just now" if math.isfinite(seconds) else f"unknown: {first} failed just now"
        methods[name] = own._replace(seconds=seconds, bytes=size, basis=told)
    return plan._replace(methods=methods)


def plan_lines(plan: AnalysisPlan, n_workers: int = 1) -> list[str]:
    """A plan in words, a few lines for each method.

    Parameters
    ----------
    plan : AnalysisPlan
        What is to be done.
    n_workers : int
        Sessions at once.
    """
    lines = []
    for name, own in plan.methods.items():
        states = list(own.sessions.values())
        counts = {state: states.count(state) for state in ("done", "missing", "changed", "failed")}
        told = ", ".join(f"{n} {state}" for state, n in counts.items() if n)
        lines.append(f"{name}: {len(states)} sessions, {told}")
        lines += [f"  does not apply to {session}: {why}" for session, why in own.left_out.items()]
        if METHODS[name].prepare is not None and own.model is None:
            lines.append("  learns from the whole study first, whose time is not estimated")
        if own.to_compute:
            lines.append(f"  to compute: {_cost(own.seconds, own.bytes, len(own.to_compute), n_workers, own.basis)}")
    lines += [f"{name}: does not apply ({why})" for name, why in plan.left_out.items()]
    return lines


def _cost(seconds: float, size: float, n: int, n_workers: int, basis: str) -> str:
    if not math.isfinite(seconds):
        return f"{n} sessions; time and disk are unknown ({basis})"
    rounds = math.ceil(n / n_workers)
    return (
        f"{n} sessions, about {duration(rounds * seconds)} and {n * size / 1e6:.3g} MB "
        f"({duration(seconds)} a session: {basis})"
    )


def duration(seconds: float) -> str:
    """Seconds in words.

    Parameters
    ----------
    seconds : float
        Finite.

    Examples
    --------
    >>> duration(42.4), duration(600), duration(2e4)
    ('42 s', '10 min', '5.6 h')
    """
    if seconds < 90:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.2g} min" if seconds < 5400 else f"{seconds / 3600:.2g} h"
