"""The bi-clustering of one session: who shares a trajectory, and when its rules change."""

from __future__ import annotations

from typing import Literal

import numpy as np
import xarray as xr

from dynome import inference, seeds
from dynome.errors import InputError
from dynome.pipelines.bin_limits import at_most
from dynome.pipelines.session_inputs import (
    Auto,
    binned,
    chosen_nodes,
    unsuitable,
)
from dynome.schema import ACTIVITY, NODE, TIME

_LEAST_BINS = 50
_SPIKE_BIN = 0.05
_LATENT_EVERY = 5


def bicluster(
    recording: xr.Dataset,
    *,
    random_state: int = 0,
    n_factors: int = 1,
    n_states: int = 4,
    observation: Literal["auto", "negative_binomial", "poisson", "bernoulli", "gaussian"] = "auto",
    bin_width: float | Auto = "auto",
    max_bins: int = 300,
    nodes: tuple[str, ...] = (),
    max_nodes: int = 30,
    held_out: float = 0.02,
    n_chains: int = 2,
    n_tune: int = 30,
    n_draws: int = 50,
) -> xr.Dataset:
    """Clusters of nodes and states of bins of one session, from short chains.

    Parameters
    ----------
    recording : Dataset
        ``spike_count (time, node)``, or ``activity`` in any unit, which is standardized; at least 50 bins. NaN is
        missing. Nodes without an identity, that never vary or that miss half of their samples are left out.
    random_state : int
        Seed.
    n_factors, n_states : int
        Factors of a cluster besides its common course; the most states there can be.
    observation : str
        ``"auto"`` is negative binomial for spike counts and Gaussian for activity.
    bin_width : float or "auto"
        Seconds of a bin. ``"auto"`` is the recording's own interval, at least 50 ms for spike counts, and wider where
        there would be more than `max_bins`.
    max_bins : int
        Bins that are looked at if `bin_width` is ``"auto"``. Where trials are too short for wider bins, evenly spaced
        trials are taken, and ``attrs["trials_left_out"]`` counts the others.
    nodes, max_nodes
        As in `switching_glm`.
    held_out : float
        Share of the bins (of single nodes, speckled) that are hidden and foretold; 0 hides none.
    n_chains, n_tune, n_draws : int
        Chains, sweeps before and draws of each. The defaults are for a look at many sessions; they are too few to rely
        on, and a warning says so where chains disagree. For a result take thousands, as `Biclustering` does.

    Returns
    -------
    Dataset
        The group ``clustering`` of `Biclustering` without the similarity of bins: ``cluster_maxpear (node)``,
        ``state_maxpear (time)``, their uncertainty, ``node_similarity``, ...; and numbers: ``n_clusters`` and
        ``n_states``, posterior means; ``cluster_agreement_between_chains``
        (adjusted Rand index); ``worst_r_hat``, NaN where chains never move; and
        ``gain_over_rates``, nats for each hidden bin above a constant rate. Draws are not kept: they would be most of
        a batch's disk.

    Raises
    ------
    InputError
        If the recording is too short or a parameter is out of range.
    MissingExtraError
        Without ArviZ, which judges the chains.

    References
    ----------
    Wei (2024), arXiv:2309.02213.

    Examples
    --------
    >>> import warnings
    >>> from dynome.datasets import make_biclusters
    >>> data = make_biclusters(n_clusters=2, nodes_per_cluster=3, n_times=60, random_state=0)
    >>> rec = data[["spike_count"]]
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")  # 5 draws are too few, and say so
    ...     found = bicluster(rec, bin_width=0.01, n_states=2, n_chains=1, n_tune=5, n_draws=5)
    >>> found.cluster_maxpear.dims, found.state_maxpear.dims
    (('node',), ('time',))
    """
    if not 0 <= held_out < 0.5:
        raise InputError(f"held_out must be a share from 0 to below 0.5, got {held_out!r}")
    if reason := unsuitable(recording, _LEAST_BINS):
        raise InputError(f"no bi-clustering can be made: the session {reason}")
    rec, variable = binned(recording, bin_width, _SPIKE_BIN)
    rec = chosen_nodes(at_most(rec, max_bins) if bin_width == "auto" else rec, variable, max_nodes, nodes)
    values = rec[variable].transpose(TIME, NODE)
    seed = seeds.resolve(random_state)
    hidden = seeds.generator(seed, "held out").random(values.shape) < held_out
    if variable == ACTIVITY:
        seen = values.where(~hidden)
        scale = seen.std(TIME)
        values = ((values - seen.mean(TIME)) / scale.where(scale > 0, 1.0)).assign_attrs(values.attrs, units="1")
    model = inference.Biclustering(
        n_factors,
        ("gaussian" if variable == ACTIVITY else "negative_binomial") if observation == "auto" else observation,
        n_draws,
        n_tune,
        n_chains,
        n_states=n_states,
        latent_every=min(_LATENT_EVERY, n_draws),
        scheduler="synchronous",
        random_state=seed,
    ).fit(values.where(~hidden) if hidden.any() else values)
    gain = np.nan
    if hidden.any():
        scores = inference.heldout_scores(model, values)
        gain = float(scores["log_score"] - scores["null"])
    attrs = {k: v for k, v in model.results_.attrs.items() if isinstance(v, int | float | str)}
    found: xr.Dataset = model.results_["clustering"].to_dataset().drop_vars("state_similarity", errors="ignore")
    found = found.drop_dims([d for d in (f"other_{TIME}", "other_bin") if d in found.dims])
    found = found.assign(_numbers(model.results_, gain))
    told = ("nodes_left_out", "trials_left_out", "bin_width")
    return found.assign_attrs(attrs, **{name: rec.attrs[name] for name in told if name in rec.attrs})


def why_no_biclustering(recording: xr.Dataset, _connectome: xr.Dataset | None = None) -> str:
    """Why a session has no bi-clustering, or "" where it can have one.

    Parameters
    ----------
    recording : Dataset
        One session; its values are not looked at.
    _connectome : Dataset or None
        Not needed.
    """
    return unsuitable(recording, _LEAST_BINS)


def _numbers(results: xr.DataTree, gain: float) -> dict[str, xr.DataArray]:
    """The numbers by which sessions are compared."""
    posterior = results["posterior"].to_dataset()
    table = results["diagnostics"].to_dataset()
    between = [q for q in table["quantity"].to_numpy().tolist() if q == "cluster_agreement_between_chains"]
    agreement = float(table["mean"].sel(quantity=between[0])) if between else np.nan
    worst = float(table["r_hat"].max())  # infinite where chains stay apart and never move
    told = {
        "n_clusters": (float(posterior["n_clusters"].mean()), "1", "mean number of clusters"),
        "n_states": (float(posterior["n_states"].mean()), "1", "mean number of states"),
        "cluster_agreement_between_chains": (agreement, "1", "agreement of clusters between chains"),
        "worst_r_hat": (worst if np.isfinite(worst) else np.nan, "1", "largest R-hat"),
        "gain_over_rates": (gain, "nat", "gain over a constant rate for each hidden bin"),
    }
    return {
        name: xr.DataArray(value, attrs={"units": unit, "long_name": told_as})
        for name, (value, unit, told_as) in told.items()
    }
