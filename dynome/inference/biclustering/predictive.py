"""Do the draws make data like the data, and how probable do they find bins that were held out?

Both take the draws that were recorded with their latents: a predictor for every node and bin. One draw is in memory
at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from dynome import progress, seeds
from dynome.dynamics.hmm.sequences import ChainInput, Sequences, stacked
from dynome.errors import InputError, Problems
from dynome.inference.biclustering.model import Array, Labels, Law
from dynome.inference.biclustering.null_rates import constant_log_likelihood
from dynome.inference.biclustering.observations import (
    add_observation_problems,
    pointwise_log_likelihood,
    predictor,
    sample_observations,
)
from dynome.inference.biclustering.placing import unplaced
from dynome.inference.biclustering.statistics import statistics_of
from dynome.inference.column_statistics import column_mean
from dynome.permutation import permutation_p_value
from dynome.schema import ACTIVITY, CHAIN, CLUSTER, COMPONENT, DRAW, LAG, NODE, SOURCE, SPIKE_COUNT, TARGET

_LATENT_DRAW = "latent_draw"
_NAMES = {
    "mean": "mean",
    "variance": "variance",
    "fano": "variance over mean",
    "zero_fraction": "share of bins without a spike",
    "autocorrelation": "correlation with earlier bins",
    "correlation": "correlation in a bin",
    "population": "share of bins with so many spikes of all nodes",
}


class Predicted(NamedTuple):
    """One draw's view of the data.

    Attributes
    ----------
    psi : (n_node, n_bin)
        Predictor.
    dispersion : (n_node,)
    """

    psi: Array
    dispersion: Array


def predictors(results: xr.DataTree, position: Labels, number: list[tuple[int, int]]) -> Iterator[Predicted]:
    """Predictors of draws, one after the other.

    Parameters
    ----------
    results : DataTree
        Of the bi-clustering.
    position : (n_bin,)
        Bins of the flattened dims of the recording.
    number : list of (chain, latent draw)
    """
    posterior, latents = results["posterior"].to_dataset(), results["latent"].to_dataset()
    for chain, k in number:
        row = posterior.isel({CHAIN: chain, DRAW: int(latents[DRAW][k])})
        latent = unplaced(latents["latent"].isel({CHAIN: chain, _LATENT_DRAW: k}), (), (CLUSTER, COMPONENT), position)
        bias, loading = row["bias"].to_numpy(), row["loading"].transpose(NODE, ...).to_numpy()
        coefficient = np.concatenate([bias[:, None], loading], axis=1).astype(np.float64)
        cluster = row["cluster"].to_numpy().astype(np.int64)
        paths = np.ascontiguousarray(np.asarray(latent), dtype=np.float64)
        yield Predicted(predictor(coefficient, paths, cluster), row["dispersion"].to_numpy().astype(np.float64))


def heldout_scores(results: Any, data: ChainInput, *, n_draws: int | None = None) -> xr.Dataset:
    r"""How probable a fitted bi-clustering finds bins that it did not see.

    Parameters
    ----------
    results : fitted Biclustering, or its results_
        Fitted to the data with NaN in the bins that are held out (speckled over nodes and bins).
    data : DataArray, Dataset, DataTree, dict or list
        The same recordings, with the values of those bins. What the model saw does not count.
    n_draws : int or None
        Draws with latents that are looked at, evenly spaced over chains; None takes all.

    Returns
    -------
    Dataset
        * ``log_score``: log predictive probability, nats per held-out entry (bin of a node);
        * ``null``: the same of a constant rate for each node (the model's law, fitted to what the model saw);
        * ``bits_per_spike``: ``log_score - null`` in bits, by held-out spike; for counts;
        * ``node_log_score``, ``node_null (node)``, ``n_heldout (node)``; NaN for nodes with nothing held out;
        * ``log_score_by_chain (chain)``: of the draws of one chain alone. Much spread says that chains disagree.

    Raises
    ------
    InputError
        If nothing was held out, or nodes, bins or values do not fit.

    Notes
    -----
    An entry's predictive probability is the mean over draws: :math:`\log \frac{1}{S} \sum_s p(y_{it} \mid \psi_{it}^s,
    r_i^s)`. Speckled bins are predicted from their neighbours in time and from other nodes: the score compares models
    of the same data, it does not say how well the future is predicted.

    """
    tree = _tree_of(results)
    own, law = _same_bins(tree, data, "cannot score what was held out"), tree.attrs["observation"]
    position = own.layout.position
    seen = unplaced(tree["observed_data"].to_dataset()["y"], (), (NODE,), position)
    y = _heldout_values(own.y, seen, law)
    number = _numbers(tree, n_draws)
    known = np.isfinite(y)
    total = {chain: np.full(int(known.sum()), -np.inf) for chain in sorted({chain for chain, _ in number})}
    with progress.task("held-out scores", len(number)) as advance:
        for (chain, _), found in zip(number, predictors(tree, position, number), strict=True):
            entries = pointwise_log_likelihood(y, found.psi, law, found.dispersion)[known]
            np.logaddexp(total[chain], entries, out=total[chain])
            advance(1)
    whole, by_chain = np.full(y.shape, np.nan), np.full(tree["latent"].sizes[CHAIN], np.nan)
    whole[known] = np.logaddexp.reduce(list(total.values())) - np.log(len(number))
    for chain, values in total.items():
        by_chain[chain] = values.mean() - np.log(sum(c == chain for c, _ in number))
    null = constant_log_likelihood(np.ascontiguousarray(seen.T), y, law)
    return _scores(whole, null, y, by_chain, own, law, len(number))


def posterior_check(
    results: xr.DataTree, data: ChainInput, *, n_draws: int = 50, max_lag: int = 5, random_state: int | None = None
) -> xr.Dataset:
    """Statistics of the data against those of data that draws of the posterior make.

    Parameters
    ----------
    results : DataTree
        Of the bi-clustering.
    data : DataArray, Dataset, DataTree, dict or list
        What it was fitted to; bins that were hidden from the fit count if they are there.
    n_draws : int
        Draws with latents, evenly spaced over chains; each makes one data set with the latents that it has, with NaN in
        the same places.
    max_lag : int
        Largest lag of the autocorrelation, in bins.
    random_state : int or None
        Seed; None draws one.

    Returns
    -------
    Dataset
        For each statistic X three variables: ``X``, of the data; ``X_simulated (draw, ...)``; ``X_p_value``, two-sided.

        * ``mean``, ``variance``, ``zero_fraction (node)``, for counts ``fano (node)`` (variance over mean);
        * ``autocorrelation (node, lag)``; ``correlation (target, source)`` of nodes in a bin;
        * ``population (count)``, for counts: share of bins in which all nodes together fire so often; over the bins in
          which all nodes were seen.

    Notes
    -----
    Latents were fitted to the same bins: p-values are too kind. Read which statistic is off, and by how much.
    """
    seed = seeds.resolve(random_state)
    own, law = _same_bins(results, data, "cannot check predictions"), results.attrs["observation"]
    position, y, starts = own.layout.position, own.y, own.starts
    number = _numbers(results, n_draws)
    if max_lag < 1 or max_lag >= np.diff(starts).max():
        raise InputError(f"max_lag must be at least 1 and shorter than the longest sequence, got {max_lag}")
    observed = statistics_of(y, starts, law, max_lag)
    made = []
    with progress.task("simulations", len(number)) as advance:
        for k, found in enumerate(predictors(results, position, number)):
            rng = seeds.generator(seed, "check", k)
            values = sample_observations(found.psi, law, found.dispersion, rng).T
            values[np.isnan(y)] = np.nan
            made.append(statistics_of(values, starts, law, max_lag))
            advance(1)
    return _compared(observed, made, own).assign_attrs(random_state=seed, n_draws=len(number))


def _tree_of(results: Any) -> xr.DataTree:
    tree = getattr(results, "results_", results)
    if isinstance(tree, xr.DataTree) and {"posterior", "latent", "observed_data"} <= set(tree.children):
        return tree
    raise InputError(f"expected a fitted Biclustering or its results_, got a {type(results).__name__}")


def _same_bins(tree: xr.DataTree, data: ChainInput, subject: str) -> Sequences:
    """The data as they are stacked, with the nodes and bins of the fit."""
    fitted = tree["observed_data"].to_dataset()["y"]
    order = (ACTIVITY, SPIKE_COUNT) if tree.attrs["observation"] == "gaussian" else (SPIKE_COUNT, ACTIVITY)
    own = stacked(data, order, nodes=fitted[NODE].to_numpy(), subject=subject)
    first = tree["posterior"].to_dataset()["state"].isel({CHAIN: 0, DRAW: 0})
    frame = own.layout.frame
    problems = Problems(subject)
    if dict(first.sizes) != dict(frame.sizes):
        problems.add(
            f"the model was fitted to bins {dict(first.sizes)}, found {dict(frame.sizes)}; pass the same recording"
        )
    elif not np.array_equal(np.flatnonzero(first.to_numpy().ravel() >= 0), own.layout.position):
        problems.add("padding is not where it was in the fit; pass the same recording")
    else:
        for name in frame.dims:
            if name in frame.coords and name in first.coords and not np.array_equal(frame[name], first[name]):
                problems.add(f"{name} has other labels than in the fit; pass the same recording")
    problems.raise_if_any(InputError)
    return own


def _heldout_values(values: Array, seen: Array, law: Law) -> Array:
    """(n_node, n_bin): entries that the fit did not see; NaN elsewhere."""
    y = np.where(np.isnan(seen), values, np.nan)
    problems = Problems("cannot score what was held out")
    if not np.isfinite(y).any():
        problems.add(
            "no bin was held out: fit to the data with NaN where they are to be predicted, then pass the whole"
        )
    elif law != "gaussian":
        add_observation_problems(problems, y[np.isfinite(y)][None], law)
    problems.raise_if_any(InputError)
    return np.ascontiguousarray(y.T)


def _numbers(tree: xr.DataTree, n_draws: int | None) -> list[tuple[int, int]]:
    """Chains and latent draws to look at, evenly spaced."""
    sizes = tree["latent"].sizes
    every = [(chain, k) for k in range(sizes[_LATENT_DRAW]) for chain in range(sizes[CHAIN])]
    if n_draws is None or n_draws >= len(every):
        return every
    if n_draws < 1:
        raise InputError(f"n_draws must be at least 1, got {n_draws}")
    return [every[k] for k in np.linspace(0, len(every) - 1, n_draws).astype(int)]


def _scores(whole: Array, null: Array, y: Array, by_chain: Array, own: Sequences, law: Law, n_draws: int) -> xr.Dataset:
    known = np.isfinite(y)
    score, base = float(whole[known].mean()), float(null[known].mean())
    nats, name = {"units": "nat"}, "log predictive probability of a held-out bin of a node"
    found: dict[str, Any] = {
        "log_score": ((), score, nats | {"long_name": name}),
        "null": ((), base, nats | {"long_name": f"{name}, constant rates"}),
        "node_log_score": (NODE, column_mean(whole.T), nats | {"long_name": name}),
        "node_null": (NODE, column_mean(null.T), nats | {"long_name": f"{name}, constant rates"}),
        "n_heldout": (NODE, known.sum(axis=1), {"units": "count", "long_name": "bins held out"}),
        "log_score_by_chain": (CHAIN, by_chain, nats | {"long_name": f"{name}, one chain alone"}),
    }
    if law != "gaussian":
        spikes = float(y[known].mean())
        gain = (score - base) / spikes / np.log(2) if spikes > 0 else np.nan
        found["bits_per_spike"] = ((), gain, {"units": "bit", "long_name": "gain over constant rates (bits per spike)"})
    return xr.Dataset(
        found, {NODE: own.nodes, **own.node_coords, CHAIN: np.arange(by_chain.size)}, {"n_draws": n_draws}
    )


def _compared(observed: dict[str, Array], made: list[dict[str, Array]], own: Sequences) -> xr.Dataset:
    variables: dict[str, Any] = {}
    squared = "1" if own.units == "1" else f"({own.units})^2"
    for name, values in observed.items():
        dims = {"correlation": (TARGET, SOURCE), "autocorrelation": (NODE, LAG), "population": ("count",)}.get(
            name, (NODE,)
        )
        null = [found[name] for found in made]
        if name == "population":
            widest = max(v.size for v in (values, *null))
            values, *null = (np.pad(v, (0, widest - v.size)) for v in (values, *null))
        draws = np.stack(null)
        sides = [permutation_p_value(sign * values, np.moveaxis(sign * draws, 0, -1)) for sign in (1, -1)]
        about = {"units": {"mean": own.units, "variance": squared}.get(name, "1"), "long_name": _NAMES[name]}
        variables[name] = (dims, values, about)
        variables[f"{name}_simulated"] = ((DRAW, *dims), draws, about)
        variables[f"{name}_p_value"] = (dims, np.minimum(2 * np.minimum(*sides), 1.0), {"units": "1"})
    coords: dict[str, Any] = {NODE: own.nodes, TARGET: own.nodes, SOURCE: own.nodes, **own.node_coords}
    coords[LAG] = (LAG, np.arange(1, observed["autocorrelation"].shape[-1] + 1), {"units": "bin"})
    return xr.Dataset(variables, coords)
