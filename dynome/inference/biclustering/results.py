"""The draws of all chains as one labelled tree."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.dynamics.hmm.sequences import Sequences
from dynome.inference.biclustering.chains import ChainRun
from dynome.inference.biclustering.clustering import clusterings
from dynome.inference.biclustering.diagnostics import diagnostics_dataset
from dynome.inference.biclustering.end_points import last_dynamics, last_points
from dynome.inference.biclustering.model import Law, State
from dynome.inference.biclustering.names import CONCENTRATIONS, FACTOR
from dynome.inference.biclustering.placing import input_coords, placed
from dynome.inference.biclustering.recorded_latents import latents_dataset
from dynome.inference.biclustering.relabelling import matched_labels
from dynome.inference.biclustering.storage import LOG_LIKELIHOOD, STAT
from dynome.schema import CHAIN, DRAW, ITERATION, NODE, STATE, TIME

SAMPLES = (CHAIN, DRAW)
MAX_SIMILARITY_BINS = 2000
_NAMES = {
    "cluster": "cluster of a node, numbered as in the point partition",
    "state": "state of a bin, numbered as in the point partition",
    "bias": "bias of a node",
    "loading": "loading of a node on a factor of its cluster",
    "dispersion": "shape r of the negative binomial, or variance of Gaussian observations",
    "n_clusters": "clusters that have nodes",
    "n_states": "states that have bins",
    "log_likelihood_per_spike": "log likelihood by the number of spikes",
    "log_likelihood_per_bin": "log likelihood by observed bins and nodes",
    "row_concentration": "concentration of the rows of the transition matrix (alpha)",
    "top_concentration": "concentration of the weights of the states (gamma)",
    "stickiness": "added to self-transitions (kappa)",
    "partition_concentration": "concentration of the Dirichlet process over clusters",
}


def results_tree(
    runs: Sequence[ChainRun],
    sequences: Sequences,
    *,
    law: Law,
    point: Callable[[Any], State] | None = None,
    max_similarity_bins: int = MAX_SIMILARITY_BINS,
) -> xr.DataTree:
    """Everything that the chains found, with the dims and coordinates of the recording.

    Parameters
    ----------
    runs : sequence of ChainRun
        Of equally many draws.
    sequences : Sequences
        What was fitted; its nodes and bins are those of the draws.
    law : str
        Of the observations.
    point : callable or None
        As `run_chain` had it.
    max_similarity_bins : int
        With more bins, the similarity of bins is left out: it has their number squared.

    Returns
    -------
    DataTree
        * root: ``history (iteration)``, the log likelihood of every sweep, mean over chains;
          ``log_likelihood_trace``, ``n_clusters_trace``, ``n_states_trace (chain, iteration)``;
        * ``posterior (chain, draw, ...)``: ``cluster``, ``state``, ``bias``, ``loading``, ``dispersion``,
          ``n_clusters``, ``n_states``, ``log_likelihood_per_spike`` (``_per_bin`` for Gaussian observations),
          concentrations. Clusters and states are numbered as in the point partitions that maximise PEAR;
        * ``latent``: ``latent (chain, latent_draw, ..., time, cluster, component)``, NaN where a draw has no such
          cluster; ``active``; ``matrix``, ``offset``, ``noise`` of the last draw;
        * ``sample_stats``, ``observed_data``, ``log_likelihood``: as ArviZ has them; ``constant_data``: where sequences
          start;
        * ``clustering``: what `clusterings` gives;
        * ``diagnostics (quantity)``: the table of `summary`;
        * ``last/chain_0``, ...: where each chain stands, see `checkpoints_of`.
    """
    draws = {name: np.stack([run.recorded.draws[name] for run in runs]) for name in runs[0].recorded.draws}
    found = clusterings(draws["cluster"], draws["state"], sequences, max_similarity_bins)
    points = [run.end.state if point is None else point(run.end.state) for run in runs]
    nodes, bins = found["cluster_maxpear"].to_numpy(), _bins(found["state_maxpear"], sequences)
    cluster_map = _maps(draws["cluster"], nodes, int(draws["n_clusters"].max()))
    state_map = _maps(draws["state"], bins, points[0].weight.size)
    relabelled = {
        "cluster": np.take_along_axis(cluster_map, draws["cluster"].astype(np.int64), -1).astype(np.int16),
        "state": _relabelled_states(state_map, draws["state"]),
    }
    groups = {
        "/": _history(runs),
        "/posterior": _posterior(draws | relabelled, sequences, law),
        "/latent": latents_dataset(runs, sequences, cluster_map),
        "/sample_stats": _sample_stats(draws),
        "/log_likelihood": _node_log_likelihood(draws[LOG_LIKELIHOOD], sequences),
        "/observed_data": _observed(sequences),
        "/constant_data": _sequence_starts(sequences),
        "/clustering": found,
    }
    last_clusters = _maps(np.stack([p.cluster for p in points])[:, None], nodes, cluster_map.shape[-1])[:, 0]
    last_states = _maps(np.stack([p.state for p in points])[:, None], bins, state_map.shape[-1])[:, 0]
    dynamics = last_dynamics(points, last_clusters, last_states)
    groups["/latent"] = groups["/latent"].assign(dynamics)
    groups["/latent"] = groups["/latent"].assign_coords({STATE: np.arange(dynamics["offset"].sizes[STATE])})
    tree = xr.DataTree.from_dict(groups | last_points(runs))
    tree.attrs["observation"] = law
    tree["diagnostics"] = xr.DataTree(diagnostics_dataset(tree))
    return tree


def _maps(draws: NDArray[Any], reference: NDArray[np.int64], n_labels: int) -> NDArray[np.int64]:
    """(chain, draw, label): the label that a label becomes; a permutation."""
    n = max(n_labels, int(reference.max()) + 1, int(draws.max()) + 1)
    flat = matched_labels(draws.reshape(-1, draws.shape[-1]), reference, n)
    return flat.reshape(*draws.shape[:2], n)


def _relabelled_states(maps: NDArray[np.int64], draws: NDArray[np.int16]) -> NDArray[np.int16]:
    out = np.empty_like(draws)
    for chain in range(draws.shape[0]):
        for draw in range(draws.shape[1]):
            out[chain, draw] = maps[chain, draw][draws[chain, draw]]
    return out


def _bins(values: xr.DataArray, sequences: Sequences) -> NDArray[Any]:
    return np.asarray(values.to_numpy().ravel()[sequences.layout.position])


def _about(name: str, units: str = "1") -> dict[str, str]:
    return {"units": units, "long_name": _NAMES.get(name, name.replace("_", " "))}


def _history(runs: Sequence[ChainRun]) -> xr.Dataset:
    sweeps = {name: np.stack([run.recorded.sweeps[name] for run in runs]) for name in runs[0].recorded.sweeps}
    nats = {"units": "nat", "long_name": "log likelihood of a sweep"}
    variables: dict[str, Any] = {
        "history": (
            ITERATION,
            sweeps[LOG_LIKELIHOOD].mean(axis=0),
            nats | {"long_name": "log likelihood, mean of chains"},
        )
    }
    for name, values in sweeps.items():
        variables[f"{name}_trace"] = ((CHAIN, ITERATION), values, nats if name == LOG_LIKELIHOOD else _about(name))
    n_chain, n_sweep = sweeps[LOG_LIKELIHOOD].shape
    return xr.Dataset(variables, {CHAIN: np.arange(n_chain), ITERATION: np.arange(n_sweep)})


def _posterior(draws: Mapping[str, NDArray[Any]], sequences: Sequences, law: Law) -> xr.Dataset:
    total = draws[LOG_LIKELIHOOD].sum(axis=-1)
    known = np.isfinite(sequences.y)
    per_spike = law != "gaussian"
    share = float(np.nansum(sequences.y)) if per_spike else float(known.sum())
    score = "log_likelihood_per_spike" if per_spike else "log_likelihood_per_bin"
    spread = "1" if per_spike else f"({sequences.units})^2"
    by_node = (*SAMPLES, NODE)
    variables: dict[str, Any] = {
        "cluster": (by_node, draws["cluster"], _about("cluster")),
        "state": placed(draws["state"], sequences, SAMPLES),
        "bias": (by_node, draws["coefficient"][..., 0], _about("bias")),
        "loading": ((*by_node, FACTOR), draws["coefficient"][..., 1:], _about("loading")),
        "dispersion": (by_node, draws["dispersion"], _about("dispersion", spread)),
        "n_clusters": (SAMPLES, draws["n_clusters"], _about("n_clusters")),
        "n_states": (SAMPLES, draws["n_states"], _about("n_states")),
        score: (SAMPLES, total / share if share else np.full_like(total, np.nan), _about(score, "nat")),
    }
    variables["state"].attrs.update(_about("state"))
    for k, name in enumerate(CONCENTRATIONS):
        variables[name] = (SAMPLES, draws["concentrations"][..., k], _about(name))
    dims = (*SAMPLES, NODE, *map(str, sequences.layout.frame.dims))
    coords = input_coords(sequences, dims, tuple(variables))
    factors = {FACTOR: np.arange(draws["coefficient"].shape[-1] - 1)}
    return xr.Dataset(variables, coords | _samples(draws) | factors)


def _samples(draws: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    n_chain, n_draw = draws["n_clusters"].shape
    return {CHAIN: np.arange(n_chain), DRAW: np.arange(n_draw)}


def _sample_stats(draws: Mapping[str, NDArray[Any]]) -> xr.Dataset:
    variables: dict[str, Any] = {
        LOG_LIKELIHOOD: (SAMPLES, draws[LOG_LIKELIHOOD].sum(axis=-1), _about(LOG_LIKELIHOOD, "nat"))
    }
    for name, values in draws.items():
        if name.startswith(STAT):
            variables[name.removeprefix(STAT)] = (SAMPLES, values, _about(name.removeprefix(STAT)))
    return xr.Dataset(variables, _samples(draws))


def _node_log_likelihood(values: NDArray[np.float64], sequences: Sequences) -> xr.Dataset:
    about = {"units": "nat", "long_name": "log likelihood of all bins of a node"}
    coords = input_coords(sequences, (NODE,), ("y",)) | {
        CHAIN: np.arange(values.shape[0]),
        DRAW: np.arange(values.shape[1]),
    }
    return xr.Dataset({"y": ((*SAMPLES, NODE), values, about)}, coords)


def _observed(sequences: Sequences) -> xr.Dataset:
    y = placed(sequences.y, sequences, (), (NODE,))
    y.attrs.update(units=sequences.units, long_name="observations")
    return xr.Dataset({"y": y}, input_coords(sequences, (*map(str, y.dims), TIME), ("y",)))


def _sequence_starts(sequences: Sequences) -> xr.Dataset:
    first = np.zeros(sequences.y.shape[0], dtype=bool)
    first[sequences.starts[:-1]] = True
    where = placed(first, sequences, ())
    where.attrs["long_name"] = "first bin of a sequence"
    return xr.Dataset(
        {"sequence_start": where}, input_coords(sequences, tuple(map(str, where.dims)), ("sequence_start",))
    )
