"""Labelled recordings as one long stack of bins, and arrays over those bins as labelled recordings again.

Every model that is a chain over time takes the same inputs and sees the same arrays: all bins of all sequences end to
end, and where each sequence begins. A *sequence* is a stretch over which the chain and the history run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from dynome.dynamics.hmm.gathering import ChainInput as ChainInput
from dynome.dynamics.hmm.gathering import end_to_end, joined, recordings_of
from dynome.dynamics.hmm.parts import on_grid, read, variable_of, with_positions
from dynome.errors import InputError, Problems
from dynome.schema import ACTIVITY, NODE, SPIKE_COUNT

Array = NDArray[np.float64]
SEQUENCE = "sequence"


class Layout(NamedTuple):
    """How bins are put back.

    Attributes
    ----------
    frame : DataArray (..., time)
        Dims and coordinates of the result; its values mean nothing.
    position : (n_bin,)
        Where each bin goes in the flattened frame.
    """

    frame: xr.DataArray
    position: NDArray[np.int64]


class Sequences(NamedTuple):
    """What a chain model sees of its input.

    Attributes
    ----------
    y : (n_bin, n_node)
        Observations, float64; NaN is missing. May share memory with the input: not to be written to.
    starts : (n_sequence + 1,)
        First bin of each sequence, and the number of bins.
    nodes : (n_node,)
        Labels as they came; 0, 1, ... where there were none.
    node_coords : dict of str to Variable
        What else the input knows of its nodes.
    covariates : (n_bin, n_covariate)
        Inputs of the observations. NaN is allowed.
    covariate_names : tuple of str
        One a column; features of ``running (time, feature)`` are ``running_{label}``.
    transition_covariates, transition_covariate_names
        The same, inputs of the transitions.
    step : float or None
        Seconds a bin, where there is a clock (the median of the recordings).
    units : str
        Of `y`.
    layout : Layout
        How bins are put back.
    """

    y: Array
    starts: NDArray[np.int64]
    nodes: NDArray[Any]
    node_coords: Mapping[str, xr.Variable]
    covariates: Array
    covariate_names: tuple[str, ...]
    transition_covariates: Array
    transition_covariate_names: tuple[str, ...]
    step: float | None
    units: str
    layout: Layout

    def labelled(
        self,
        values: NDArray[Any],
        dims: Sequence[str] = (),
        coords: Mapping[str, Any] | None = None,
        name: str | None = None,
        attrs: Mapping[str, Any] | None = None,
    ) -> xr.DataArray:
        """Values of bins, with the dims and coordinates of the input.

        Parameters
        ----------
        values : (n_bin, ...)
            Anything that has one entry a bin.
        dims : sequence of str
            Names of the axes after the first. ``"node"`` gets its labels and coordinates.
        coords : mapping or None
            Coordinates of `dims`.
        name : str or None
        attrs : mapping or None

        Returns
        -------
        (..., time, *dims)
            For one recording, its leading dims and its time; padding is NaN, -1 for integers, False for booleans. For
            a study, dict or list, ``time`` runs over all sessions end to end, without padding, with the coordinates
            ``session`` (path, key or number) and ``time_in_session`` (the session's clock) and those coordinates of
            bins that all sessions have.
        """
        frame, position = self.layout
        n_grid = frame.size
        whole = values
        if position.size < n_grid:
            fill: Any = {"f": np.nan, "i": -1, "u": 0, "b": False}[values.dtype.kind]
            whole = np.full((n_grid, *values.shape[1:]), fill, dtype=values.dtype)
            whole[position] = values
        known: dict[Any, Any] = {n: c.variable for n, c in frame.coords.items() if n not in dims}
        if NODE in dims:
            known |= dict(self.node_coords)
        return xr.DataArray(
            whole.reshape(*frame.shape, *values.shape[1:]),
            dims=(*frame.dims, *dims),
            coords={**known, **(coords or {})},
            name=name,
            attrs=attrs,
        )

    def per_sequence(
        self, values: NDArray[Any], name: str | None = None, attrs: Mapping[str, Any] | None = None
    ) -> xr.DataArray:
        """Values of sequences, with what is known of their first bins.

        Parameters
        ----------
        values : (n_sequence,)
        name : str or None
        attrs : mapping or None

        Returns
        -------
        (sequence,)
            What is known of leading dims and of time at the first bin: ``sequence_trial (sequence)``,
            ``sequence_time``, ... The prefix lets them stand beside the coordinates of `labelled`.
        """
        frame, position = self.layout
        at = position[self.starts[:-1]]
        frame = with_positions(frame)
        coords = {
            f"{SEQUENCE}_{n}": (SEQUENCE, on_grid(frame, str(n))[at], c.attrs)
            for n, c in frame.coords.items()
            if c.dims
        }
        return xr.DataArray(values, dims=SEQUENCE, coords=coords, name=name, attrs=attrs)


def stacked(
    data: ChainInput,
    variable: str | Sequence[str] = (SPIKE_COUNT, ACTIVITY),
    *,
    covariates: Sequence[str] = (),
    transition_covariates: Sequence[str] = (),
    nodes: ArrayLike | None = None,
    min_bins: int = 1,
    subject: str = "cannot read the sequences",
) -> Sequences:
    """Bring any recordings to one stack of bins.

    Parameters
    ----------
    data : DataArray, Dataset, DataTree, dict or list
        ``(time, node)`` with any further dims leading (``session``, ``trial``, ``animal``, ...); recordings or trials
        as a Dataset; a study, or a dict or list of any of these, whose nodes are joined by their labels. dask is
        computed.
    variable : str or sequence of str
        What to take from a Dataset: the first that it has.
    covariates, transition_covariates : sequence of str
        Variables or coordinates of the recordings over any of ``(leading..., time)``, and at most one dim of features;
        what does not change with time is repeated.
    nodes : (n_node,) or None
        Labels that the data must have, and their order, as when a fitted model meets new data.
    min_bins : int
        Shortest sequence that is allowed.
    subject : str
        What cannot be done if there is a problem.

    Returns
    -------
    Sequences

    Raises
    ------
    InputError
        With everything that is wrong: dims, labels, infinite values, clocks, covariates, short sequences.

    Notes
    -----
    A new sequence begins with each entry of the leading dims; wherever the coordinate ``animal``, ``session`` or
    ``trial`` of time changes; and where the clock steps back or by more than 1.5 usual steps. A gap breaks a sequence
    because chains and histories count bins: over a gap of unknown length neither the transition nor the filtered past
    would mean what they mean elsewhere. To bridge short gaps, `resample` first, which puts NaN into them: a bin of
    NaN is missing, and the chain runs on.

    With leading dims, bins at either end of a row that are NaN for all nodes are padding (ragged trials) and are cut
    off. All other NaN are missing values and stay.

    Examples
    --------
    >>> trial = ("time", [1, 1, 2, 2, 2])
    >>> x = xr.DataArray(np.arange(10.0).reshape(5, 2), dims=("time", "node"), coords={"trial": trial})
    >>> found = stacked(x)
    >>> found.starts, bool((found.labelled(found.y, ["node"]) == x).all())
    (array([0, 2, 5]), True)
    """
    problems = Problems(subject)
    recordings, many = recordings_of(data, problems)
    names = [variable] if isinstance(variable, str) else list(variable)
    wheres = {key: f"{key}: " if many else "" for key in recordings}
    found = {key: variable_of(item, names, wheres[key], problems) for key, item in recordings.items()}
    problems.raise_if_any(InputError)
    values = joined({key: v for key, v in found.items() if v is not None}, nodes, wheres, problems)
    groups = (covariates, transition_covariates)
    parts = {key: read(values[key], recordings[key], groups, wheres[key], problems) for key in values}
    problems.raise_if_any(InputError)
    y = _concatenated([part.y for part in parts.values()])
    first = np.concatenate([part.first for part in parts.values()])
    starts = np.append(np.flatnonzero(first), first.size).astype(np.int64)
    _check_lengths(starts, min_bins, problems)
    columns = [tuple(part.names) for part in parts.values()]
    if any(other != columns[0] for other in columns):
        problems.add("covariates must have the same features in all recordings, found different ones")
    problems.raise_if_any(InputError)
    steps = [part.step for part in parts.values() if part.step is not None]
    sample = next(iter(values.values()))
    inputs = [_concatenated([part.covariates[k] for part in parts.values()]) for k in range(2)]
    only = next(iter(parts.values()))
    return Sequences(
        y=y,
        starts=starts,
        nodes=sample[NODE].to_numpy(),
        node_coords={str(n): c.variable for n, c in sample.coords.items() if c.dims == (NODE,)},
        covariates=inputs[0],
        covariate_names=columns[0][0],
        transition_covariates=inputs[1],
        transition_covariate_names=columns[0][1],
        step=float(np.median(steps)) if steps else None,
        units=str(sample.attrs.get("units", "1")),
        layout=Layout(end_to_end(parts), np.arange(first.size)) if many else Layout(only.frame, only.position),
    )


def _check_lengths(starts: NDArray[np.int64], min_bins: int, problems: Problems) -> None:
    lengths = np.diff(starts)
    if not lengths.size:
        problems.add("expected at least one bin with a value, found none")
    elif short := int((lengths < min_bins).sum()):
        problems.add(
            f"{short} of {lengths.size} sequences are shorter than {min_bins} bins (the shortest has {lengths.min()}); "
            "drop them, or fill gaps of the clock with resample(recording, rate=...)"
        )


def _concatenated(arrays: list[Array]) -> Array:
    """One array; the array itself where there is only one, so that a long recording is not copied."""
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
