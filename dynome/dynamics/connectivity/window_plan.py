"""Where windows lie in a recording and what is computed of them: arguments checked, seconds turned to samples."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import numpy as np
import xarray as xr

from dynome.dynamics.connectivity.inputs import checked
from dynome.dynamics.connectivity.kinds import FROM_MOMENTS, Kind
from dynome.dynamics.connectivity.moments import Array
from dynome.dynamics.connectivity.window_blocks import Measure, Output
from dynome.dynamics.connectivity.window_starts import Closed, starts_of_windows
from dynome.dynamics.connectivity.windowed_correlation import Starts
from dynome.dynamics.preprocessing.clock import gapless_interval
from dynome.errors import InputError, Problems
from dynome.schema import NODE, TIME

Taper = Literal["hamming", "gaussian"]
Unit = Literal["s", "samples"]

_KINDS = (*get_args(Kind), "phase coherence")
_subject = "cannot slide a window"


class Request(NamedTuple):
    """What a user asks for; each as `dynamic_connectivity` has it."""

    window: float
    stride: float
    unit: str
    closed: str
    taper: str | None
    kind: str
    band: tuple[float, float] | None
    density: float | None
    output: str
    min_samples: int


class Plan(NamedTuple):
    """What is to be done with one recording."""

    width: int
    step: int
    interval: float
    """Seconds between samples."""
    starts: Starts
    measure: Measure


def planned(activity: object, request: Request) -> tuple[xr.DataArray, Plan]:
    """The activity as ``(time, node)``, and where its windows lie.

    Parameters
    ----------
    activity : (time, node)
        One session.
    request : Request
        What a user asks for.

    Raises
    ------
    InputError
        With everything that is wrong.
    """
    x = checked(activity, _subject)
    problems = Problems(_subject)
    if x.dims != (TIME, NODE):
        problems.add(f"expected one session (time, node), found dims {x.dims}; go through the others one by one")
    _check_choices(request, problems)
    problems.raise_if_any(InputError)
    interval = gapless_interval(x, "slide a window")
    width, step = _in_samples(request, interval, x.sizes[TIME], problems)
    if request.band is not None:
        _check_band(request.band, interval, x.sizes[TIME], problems)
    problems.raise_if_any(InputError)
    closed: Closed = "stagin" if request.closed == "stagin" else "inclusive"
    starts = starts_of_windows(x.sizes[TIME], width, step, closed)
    weights = _weights(request.taper, width)
    measure = Measure(request.kind, weights, request.min_samples, request.density, request.output)
    return x, Plan(width, step, interval, starts, measure)


def _check_choices(request: Request, problems: Problems) -> None:
    choices = {"kind": _KINDS, "closed": get_args(Closed), "unit": get_args(Unit), "output": get_args(Output)}
    for name, allowed in choices.items():
        if (found := getattr(request, name)) not in allowed:
            problems.add(f"{name} must be one of {', '.join(map(repr, allowed))}, got {found!r}")
    taper, kind = request.taper, request.kind
    if taper is not None and taper not in get_args(Taper):
        problems.add(f"taper must be None, 'hamming' or 'gaussian', got {taper!r}")
    elif taper is not None and kind in _KINDS and kind not in FROM_MOMENTS:
        problems.add(f"a taper weighs samples, which {kind} does not know; use taper=None, correlation or covariance")
    if kind == "phase coherence" and request.band is None:
        problems.add("phase coherence needs a narrow band of frequencies; pass band=(low, high) in Hz")
    if kind in get_args(Kind) and request.band is not None:
        problems.add(f"band is for phase coherence, got kind={kind!r}; filter the recording first")
    if request.density is not None and not 0 < request.density < 1:
        problems.add(f"density must be above 0 and below 1, or None for values, got {request.density}")
    if request.min_samples < 2:
        problems.add(f"min_samples must be at least 2, got {request.min_samples}")


def _in_samples(request: Request, interval: float, n_time: int, problems: Problems) -> tuple[int, int]:
    """Samples in a window, and from one to the next."""
    one, unit = (interval, "s") if request.unit == "s" else (1.0, "samples")
    width, step = (round(float(v) / one) if np.isfinite(v) else -1 for v in (request.window, request.stride))
    least, most = max(request.min_samples, 2), n_time - (request.closed == "stagin")
    if not least <= width <= most:
        problems.add(
            f"window must be from {least * one:g} {unit} (min_samples) to {most * one:g} {unit} (the recording), got "
            f"{request.window:g} {unit}"
        )
    if step < 1:
        problems.add(f"stride must be at least one sample, {one:g} {unit}, got {request.stride:g} {unit}")
    return width, step


def _check_band(band: tuple[float, float], interval: float, n_time: int, problems: Problems) -> None:
    low, high = band
    nyquist = 0.5 / interval
    if not 0 < low < high < nyquist:
        problems.add(f"band must rise from above 0 to below {nyquist:g} Hz (half the sampling rate), got {band}")
    elif n_time * interval * low < 3:
        problems.add(
            f"three periods of {low:g} Hz last {3 / low:g} s, and the recording {n_time * interval:g} s; raise the band"
        )


def _weights(taper: str | None, n: int) -> Array | None:
    if taper is None:
        return None
    if taper == "hamming":
        return np.hamming(n)
    place = np.arange(n) - (n - 1) / 2
    gaussian: Array = np.exp(-0.5 * (place / (n / 6)) ** 2)
    return gaussian
