"""Sequences of a chain: the sessions or trials that a posterior, a decoded path or a recording consists of."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.errors import InputError, listed
from dynome.viz import canvas
from dynome.viz.states import STATE

Floats = NDArray[np.float64]

Recording = TypeVar("Recording", xr.Dataset, xr.DataArray)

TIME = "time"
_marks = ("animal", "session", "trial")  # coords on time that tell sequences apart


class Course(NamedTuple):
    """One sequence: what it is called, where it lies in the input, and its clocks."""

    name: str
    place: dict[str, Any]  # integer positions in the input, for isel
    clock: xr.DataArray  # of the recording
    own: xr.DataArray  # from the beginning of the sequence, so that sequences can be compared


def courses(array: xr.DataArray) -> tuple[str, list[Course]]:
    """What tells the sequences of `array` apart, and each sequence in the order of the input.

    Parameters
    ----------
    array : (..., time, ...)
        A posterior or a path: every dim beside time and state makes sequences, and so does each change of a coord
        ``animal``, ``session`` or ``trial`` of time.
    """
    leading = [str(d) for d in array.dims if d not in (TIME, STATE)]
    if leading:
        labels = [canvas.labels_of(array, d) for d in leading]
        clock = canvas.clock_of(array)
        found = []
        for where in np.ndindex(*(array.sizes[d] for d in leading)):
            name = ", ".join(known[p] for known, p in zip(labels, where, strict=True))
            found.append(Course(name, dict(zip(leading, where, strict=True)), clock, clock))
        return ", ".join(leading), found
    marks = [m for m in _marks if m in array.coords and array[m].dims == (TIME,)]
    if not marks or not array.sizes[TIME]:
        clock = canvas.clock_of(array)
        return "", [Course("", {}, clock, clock)]
    words = [np.array([str(v) for v in array[m].to_numpy()]) for m in marks]
    change = np.any([w[1:] != w[:-1] for w in words], axis=0)
    limits = np.concatenate([[0], np.flatnonzero(change) + 1, [array.sizes[TIME]]])
    varying = [w for w in words if (w != w[0]).any()] or words[-1:]
    kind = ", ".join(m for m, w in zip(marks, words, strict=True) if any(w is v for v in varying))
    spans = zip(limits[:-1].tolist(), limits[1:].tolist(), strict=True)
    return kind, [
        Course(", ".join(w[a] for w in varying), {TIME: slice(a, b)}, *_clocks(array.isel({TIME: slice(a, b)}), kind))
        for a, b in spans
    ]


def _clocks(part: xr.DataArray, kind: str) -> tuple[xr.DataArray, xr.DataArray]:
    """Time of the recording (of the sequence, where the former is not known), and time in the sequence."""
    name = next((n for k in reversed(kind.split(", ")) if (n := f"time_in_{k}") in part.coords), None)
    own = None if name is None else part[name].drop_vars(TIME, errors="ignore").astype(float)
    if own is not None and (TIME not in part.coords or not (np.diff(part[TIME]) > 0).all()):
        return own, own
    clock = canvas.clock_of(part)
    if own is None:
        own = (clock - clock[0]).assign_attrs(clock.attrs | {"long_name": f"time in {kind}"})
    return clock, own


def windowed(course: Course, array: xr.DataArray, window: tuple[float, float] | None, *, own: bool) -> Course:
    """The part of a sequence in the window, ends included, by its `own` clock or that of the recording.

    Raises
    ------
    InputError
        If nothing lies in it.
    """
    place = course.place.get(TIME, slice(0, array.sizes[TIME]))
    stamps = (course.own if own else course.clock).to_numpy()
    start, stop = (-np.inf, np.inf) if window is None else window
    inside = np.flatnonzero((stamps >= start) & (stamps <= stop))
    if not inside.size:
        raise InputError(f"nothing lies in the window {window}: time runs from {stamps[0]:g} to {stamps[-1]:g}")
    first, last = int(inside[0]), int(inside[-1]) + 1
    cut = {TIME: slice(place.start + first, place.start + last)}
    return Course(course.name, course.place | cut, course.clock[first:last], course.own[first:last])


def named(found: list[Course], sequence: Any, kind: str) -> Course:
    """The sequence called `sequence`: its label, or a tuple where several labels tell sequences apart.

    Raises
    ------
    InputError
        If there is none.
    """
    asked = ", ".join(map(str, sequence)) if isinstance(sequence, tuple) else str(sequence)
    for course in found:
        if course.name == asked:
            return course
    if not kind:
        raise InputError(f"there is no sequence {asked!r}: the input is a single one; leave sequence out")
    raise InputError(f"there is no {kind} {asked!r}; there are {listed([c.name for c in found])}")


def recorded(recording: Recording, course: Course, states: xr.DataArray) -> Recording:
    """The part of a recording that belongs to one sequence of the states.

    Raises
    ------
    InputError
        If the recording has other sequences or lacks samples.
    """
    leading = {d: p for d, p in course.place.items() if d != TIME and d in recording.dims}
    for dim, position in leading.items():
        label = canvas.labels_of(states, dim)[position]
        known = canvas.labels_of(recording, dim)
        if label not in known:
            raise InputError(f"the recording has no {dim} {label!r}; it has {listed(known)}")
        recording = recording.isel({dim: known.index(label)})
    if TIME not in recording.dims:
        raise InputError(f"the recording must have the dim time, found {tuple(map(str, recording.dims))}")
    if TIME not in states.coords and recording.sizes[TIME] == states.sizes[TIME]:
        return recording.isel({TIME: course.place.get(TIME, slice(None))})
    return recording.isel({TIME: _samples(canvas.clock_of(recording).to_numpy(), course.clock.to_numpy())})


def _samples(known: Floats, asked: Floats) -> NDArray[np.int64] | slice:
    """Positions of the stamps `asked` among `known`; a slice, which copies nothing, where they are neighbours."""
    close = 1e-3 * float(np.median(np.diff(asked))) if asked.size > 1 else 1e-9
    after = np.clip(np.searchsorted(known, asked), 0, max(known.size - 1, 0))
    before = np.maximum(after - 1, 0)
    if known.size:
        found = np.where(np.abs(known[before] - asked) < np.abs(known[after] - asked), before, after)
        lost = np.abs(known[found] - asked) > close
    if not known.size or lost.any():
        first = asked[0] if not known.size else asked[lost][0]
        raise InputError(
            f"the recording has no sample at time {first:g}, where states are known; pass the recording that they "
            "were found in"
        )
    neighbours = asked.size and found[-1] - found[0] == asked.size - 1
    return slice(int(found[0]), int(found[-1]) + 1) if neighbours else found
