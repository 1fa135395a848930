"""How probable the draws find bins that were held out."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import progress
from dynome.dynamics.hmm.sequences import ChainInput, Sequences
from dynome.errors import InputError, Problems
from dynome.inference.biclustering.model import Array, Law
from dynome.inference.biclustering.null_rates import constant_log_likelihood
from dynome.inference.biclustering.observations import add_observation_problems, pointwise_log_likelihood
from dynome.inference.biclustering.placing import unplaced
from dynome.inference.biclustering.predictive import draw_numbers, predictors, same_bins
from dynome.inference.column_statistics import column_mean
from dynome.schema import CHAIN, NODE


def heldout_scores(results: Any, data: ChainInput, *, n_draws: int | None = None) -> xr.Dataset:
    r"""How probable a fitted bi-clustering finds bins that it did not see.

    Parameters
    ----------
    results : fitted Biclustering, or its results
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
    own, law = same_bins(tree, data, "cannot score what was held out"), tree.attrs["observation"]
    position = own.layout.position
    seen = unplaced(tree["observed_data"].to_dataset()["y"], (), (NODE,), position)
    y = _heldout_values(own.y, seen, own.nodes, law)
    number = draw_numbers(tree, n_draws)
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


def _tree_of(results: Any) -> xr.DataTree:
    tree = getattr(results, "results_", results)
    if isinstance(tree, xr.DataTree) and {"posterior", "latent", "observed_data"} <= set(tree.children):
        return tree
    raise InputError(f"expected a fitted Biclustering or its results_, got a {type(results).__name__}")


def _heldout_values(values: Array, seen: Array, nodes: NDArray[Any], law: Law) -> Array:
    """(n_node, n_bin): entries that the fit did not see; NaN elsewhere."""
    y = np.where(np.isnan(seen), values, np.nan)
    problems = Problems("cannot score what was held out")
    if not np.isfinite(y).any():
        problems.add(
            "no bin was held out: fit to the data with NaN where they are to be predicted, then pass the whole"
        )
    elif law != "gaussian":
        some = np.isfinite(y).any(axis=0)
        add_observation_problems(problems, y[:, some].T, law, nodes[some])
    problems.raise_if_any(InputError)
    return np.ascontiguousarray(y.T)


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
