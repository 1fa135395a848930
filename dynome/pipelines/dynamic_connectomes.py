"""The dynamic connectome of one session: its motifs, tested against chance."""

from __future__ import annotations

from typing import Literal

import numpy as np
import xarray as xr

from dynome import dynamics
from dynome.pipelines.session_inputs import (
    Auto,
    chosen_nodes,
    continuous_activity,
    longest_stretch,
    unsuitable,
)
from dynome.schema import ACTIVITY, NODE, TIME

_LEAST_WINDOWS = 8  # of one stretch, below which a course over time says nothing
_SMOOTH, _WINDOW = 1.0, 4.0  # seconds, of fast recordings
_SMOOTH_BINS, _WINDOW_BINS = 1.5, 4.0  # samples, of slow ones


def dynamic_connectome(
    recording: xr.Dataset,
    *,
    session: str = "session",
    random_state: int = 0,
    rank: int | Literal["auto"] = 3,
    smooth: float | Auto = "auto",
    window: float | Auto = "auto",
    spike_bin: float = 0.5,
    event: str = "",
    before: float = 8.0,
    after: float = 12.0,
    min_duration: float = 2.0,
    nodes: tuple[str, ...] = (),
    max_nodes: int = 200,
    n_restarts: int = 3,
    n_null: int = 20,
    n_permutations: int = 500,
) -> xr.Dataset:
    """Motifs of one session: who changes together, when, and whether that is more than chance.

    Parameters
    ----------
    recording : Dataset
        ``activity (time, node)`` in any unit, or ``spike_count``, of which rates are made; at least 8 windows without a
        gap. NaN is missing. Nodes without an identity, that never vary or that miss half of their samples are left out.
    session : str
        What the session is called; it is the one label of ``animal`` in the result.
    random_state : int
        Seed.
    rank : int or "auto"
        Motifs. ``"auto"`` looks for the number, which takes a minute more. Give all sessions the same if they are to be
        matched.
    smooth, window : float or "auto"
        Seconds over which changes are taken, and affinities averaged. ``"auto"`` is 1 and 4, and for slow recordings
        1.5 and 4 samples.
    spike_bin : float
        Seconds of the bins in which spikes become rates.
    event : str
        A flag of the recording around whose onsets motifs are looked for; ``""`` takes the clock of the session.
    before, after : float
        Seconds around an event.
    min_duration : float
        Seconds: shorter intervals are dropped.
    nodes, max_nodes
        As in `switching_glm`. Time and memory grow with pairs of nodes.
    n_restarts : int
        Starts of the factorisation.
    n_null : int
        Recordings with shifted traces against which motifs are tested: 0 for no test, else at least 20.
    n_permutations : int
        Draws of the test of motifs against epochs.

    Returns
    -------
    Dataset
        ``results_`` of `DynamicConnectome` with one animal, and three numbers: ``motifs_above_chance``,
        ``mean_active_share``, the part of the session in which a motif is active, on average over motifs, and
        ``largest_overlap``, of any motif with any epoch, in standard deviations of its course; NaN without any.

    Raises
    ------
    InputError
        If the recording is too short or a parameter is out of range.
    SchemaError
        If `recording` is none.

    References
    ----------
    Dyballa et al. (2024), arXiv:2402.14102.

    Examples
    --------
    >>> from dynome.datasets import make_dynamic_communities
    >>> worms = make_dynamic_communities(n_nodes=24, n_communities=2, n_times=300, noise=0.2, random_state=3)
    >>> found = dynamic_connectome(worms["animal_1"].to_dataset(), rank=2)
    >>> found.sizes["component"], int(found.motifs_above_chance)
    (2, 2)
    """
    rec = chosen_nodes(continuous_activity(recording, spike_bin), ACTIVITY, max_nodes, nodes)
    step = dynamics.sampling_interval(rec)
    model = dynamics.DynamicConnectome(
        rank,
        smooth=max(_SMOOTH, _SMOOTH_BINS * step) if smooth == "auto" else smooth,
        window=max(_WINDOW, _WINDOW_BINS * step) if window == "auto" else window,
        event=event or None,
        before=before,
        after=after,
        min_duration=min_duration,
        n_restarts=n_restarts,
        n_null=n_null,
        n_permutations=n_permutations,
        random_state=random_state,
    )
    results: xr.Dataset = model.fit(_as_animal(rec, session)).results_
    return _with_numbers(results).assign_attrs(nodes_left_out=rec.attrs["nodes_left_out"])


def why_no_dynamic_connectome(recording: xr.Dataset, _connectome: xr.Dataset | None = None) -> str:
    """Why a session has no dynamic connectome, or "" where it can have one.

    Parameters
    ----------
    recording : Dataset
        One session; its values are not looked at.
    _connectome : Dataset or None
        Not needed.
    """
    if reason := unsuitable(recording, 2 * _LEAST_WINDOWS):
        return reason
    longest, step = longest_stretch(recording)
    needed = _LEAST_WINDOWS * max(_WINDOW, _WINDOW_BINS * step)
    if longest < needed:
        return f"has no stretch without gaps of {needed:g} s (the longest is {longest:.3g} s)"
    return ""


def _as_animal(rec: xr.Dataset, session: str) -> xr.Dataset:
    """One animal of an aligned study, under the session's own name."""
    timed = rec.drop_vars([n for n, v in rec.data_vars.items() if TIME not in v.dims])
    numbers = {
        n: v.astype(np.float64).assign_attrs(v.attrs) for n, v in timed.data_vars.items() if v.dtype.kind in "iub"
    }
    return timed.assign(numbers).transpose(TIME, NODE, ...).expand_dims(animal=[session])


def _with_numbers(results: xr.Dataset) -> xr.Dataset:
    """The numbers by which sessions are compared."""
    above = results["above_chance"].sum() if "above_chance" in results else np.nan
    overlap = results["overlap"].max() if "overlap" in results else np.nan
    numbers = {
        "motifs_above_chance": ((), float(above), {"units": "1", "long_name": "motifs above chance"}),
        "mean_active_share": ((), float(results["active"].mean()), {"units": "1", "long_name": "share of time active"}),
        "largest_overlap": ((), float(overlap), {"units": "1", "long_name": "largest overlap with an epoch, in sd"}),
    }
    return results.assign(numbers)
