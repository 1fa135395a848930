"""Whether chains agree, told by quantities that do not depend on how clusters and states are numbered."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from dynome.extras import require
from dynome.inference.biclustering.names import CONCENTRATIONS
from dynome.schema import CHAIN, DRAW, NODE

Array = NDArray[np.float64]

QUANTITY = "quantity"
MAX_R_HAT, MIN_ESS, MIN_AGREEMENT = 1.05, 100.0, 0.8
_DOUBTFUL_PAIRS = 5
_ALWAYS = ("n_clusters", "n_states", "log_likelihood_per_spike", "log_likelihood_per_bin")


def scalars(results: xr.DataTree) -> dict[str, Array]:
    """What can be compared between chains.

    Parameters
    ----------
    results : DataTree
        Of the bi-clustering.

    Returns
    -------
    dict of str to (n_chain, n_draw)
        Numbers of clusters and states, log likelihood, entropies of the sizes of clusters and of the occupancy of
        states (nats), mean log dispersion, mean bias (a mean predictor, where latents are centred), concentrations that
        move; and for a few pairs of nodes whose company is most doubtful, whether they are together.
    """
    posterior = results["posterior"].to_dataset()
    found = {n: posterior[n].to_numpy().astype(np.float64) for n in (*_ALWAYS, *CONCENTRATIONS) if n in posterior}
    found = {n: v for n, v in found.items() if np.ptp(v) > 0 or n in _ALWAYS}
    clusters = posterior["cluster"].transpose(CHAIN, DRAW, NODE).to_numpy()
    found["cluster_entropy"] = _entropies(clusters)
    found["state_entropy"] = _entropies(_flat_states(posterior["state"]))
    dispersion = posterior["dispersion"].to_numpy().astype(np.float64)
    if np.ptp(dispersion) > 0:
        found["mean_log_dispersion"] = np.log(dispersion).mean(axis=-1)
    found["mean_bias"] = posterior["bias"].to_numpy().astype(np.float64).mean(axis=-1)
    return found | _doubtful_pairs(results, clusters)


def summary(results: xr.DataTree) -> pd.DataFrame:
    """What the chains found, and how well they agree on it.

    Parameters
    ----------
    results : DataTree
        Of the bi-clustering.

    Returns
    -------
    DataFrame
        A row for each of `scalars`: ``mean``, ``sd``, ``q05``, ``q95``, ``r_hat`` (rank-normalised and split; about 1
        where chains agree), ``ess_bulk``, ``ess_tail`` (effective numbers of draws). A quantity that never changes has
        ``r_hat`` 1 and no effective number. Four rows more hold the adjusted Rand index of clusters and states within
        and between chains.

    Notes
    -----
    R-hat and effective sample sizes of labels mean nothing: chains may number clusters as they like. Vehtari et al.
    2021, doi:10.1214/20-BA1221; computed by ArviZ.
    """
    table = pd.DataFrame({name: _row(values) for name, values in scalars(results).items()}).T
    for name, value in agreements(results).items():
        table.loc[name] = {"mean": value}
    table.index.name = QUANTITY
    return table


def agreements(results: xr.DataTree) -> dict[str, float]:
    """Mean adjusted Rand index of draws, within chains and between them; NaN between where there is one chain."""
    found = {}
    for name in ("cluster", "state"):
        index = results["clustering"][f"{name}_agreement"].to_numpy()
        apart = ~np.eye(index.shape[0], dtype=bool)
        found[f"{name}_agreement_within_chains"] = float(np.diag(index).mean())
        found[f"{name}_agreement_between_chains"] = float(index[apart].mean()) if apart.any() else math.nan
    return found


def diagnostics_dataset(results: xr.DataTree) -> xr.Dataset:
    """The table of `summary` as it is kept with the results: one variable a column, over ``quantity``."""
    table = summary(results)
    units = {"units": "1"}
    return xr.Dataset(
        {str(c): (QUANTITY, table[c].to_numpy(dtype=np.float64), units) for c in table.columns},
        coords={QUANTITY: np.array(table.index, dtype=np.str_)},
    )


def advice(table: pd.DataFrame) -> str | None:
    """What to do if chains disagree; None if they agree.

    Parameters
    ----------
    table : DataFrame
        Of `summary`.
    """
    said = []
    rows = table[table["r_hat"].notna()]
    if (apart := rows[rows["r_hat"] > MAX_R_HAT]).size:
        worst = apart["r_hat"].idxmax()
        said.append(
            f"chains disagree on {', '.join(map(str, apart.index))} (R-hat up to {apart['r_hat'].max():.2f}, {worst})"
        )
    if (few := rows[rows["ess_bulk"] < MIN_ESS]).size and not said:
        said.append(f"{', '.join(map(str, few.index))} have fewer than {MIN_ESS:.0f} effective draws")
    for name in ("cluster", "state"):
        within, between = (float(table["mean"][f"{name}_agreement_{k}_chains"]) for k in ("within", "between"))
        if between < min(MIN_AGREEMENT, within - 0.1):
            said.append(
                f"chains found different {name}s: their adjusted Rand index is {between:.2f} between chains and "
                f"{within:.2f} within one"
            )
    if not said:
        return None
    return (
        "; ".join(said) + ". Sample longer (resume), run more chains, or temper them; look at "
        "log_likelihood_trace for a chain that is stuck below the others, and trust only what all chains share"
    )


def warn_if_chains_disagree(table: pd.DataFrame, *, stacklevel: int = 3) -> None:
    """Warn with `advice`, if there is any.

    Parameters
    ----------
    table : DataFrame
        Of `summary`.
    stacklevel : int
        As of `warnings.warn`.
    """
    from sklearn.exceptions import ConvergenceWarning

    if (said := advice(table)) is not None:
        warnings.warn(said, ConvergenceWarning, stacklevel=stacklevel)


def _row(values: Array) -> dict[str, float]:
    row = {
        "mean": values.mean(),
        "sd": values.std(),
        "q05": np.quantile(values, 0.05),
        "q95": np.quantile(values, 0.95),
    }
    return {k: float(v) for k, v in row.items()} | _convergence(values)


def _convergence(values: Array) -> dict[str, float]:
    """R-hat and effective sample sizes; ArviZ gives NaN for what never changes, and for fewer than four draws."""
    missing = {"r_hat": math.nan, "ess_bulk": math.nan, "ess_tail": math.nan}
    if values.shape[1] < 4:
        return missing
    if np.ptp(values) == 0:
        return missing | {"r_hat": 1.0}
    if (np.ptp(values, axis=1) == 0).all():
        return missing | {"r_hat": math.inf}
    arviz: Any = require("arviz", extra="bayes")
    # Folded around its median, an even split of two values is constant, of which ArviZ divides by the variance.
    with np.errstate(all="ignore"):
        # ArviZ writes to the log that one chain has no R-hat.
        ranked = float(arviz.rhat(values)) if values.shape[0] > 1 else math.nan
        again = values.shape[0] > 1 and not math.isfinite(ranked)
        return {
            "r_hat": float(arviz.rhat(values, method="split")) if again else ranked,
            "ess_bulk": float(arviz.ess(values, method="bulk")),
            "ess_tail": float(arviz.ess(values, method="tail", prob=(0.05, 0.95))),
        }


def _entropies(labels: NDArray[np.integer]) -> Array:
    """Of the shares of labels in each draw, in nats."""
    count = np.zeros((*labels.shape[:2], int(labels.max()) + 1))
    for k in range(count.shape[-1]):
        count[..., k] = (labels == k).sum(axis=-1)
    # Sorted, so that a partition under other names has the same entropy to the last bit, and ties in rank stay ties.
    share = np.sort(count, axis=-1) / count.sum(axis=-1, keepdims=True)
    return np.asarray(-(share * np.log(np.where(share > 0, share, 1.0))).sum(axis=-1))


def _flat_states(state: xr.DataArray) -> NDArray[np.integer]:
    """(chain, draw, bin); padding is -1, which no state has."""
    rest = [d for d in state.dims if d not in (CHAIN, DRAW)]
    return np.asarray(state.transpose(CHAIN, DRAW, *rest).to_numpy().reshape(state.sizes[CHAIN], state.sizes[DRAW], -1))


def _doubtful_pairs(results: xr.DataTree, clusters: NDArray[np.integer]) -> dict[str, Array]:
    """Whether two nodes are together, for the pairs that are so about half of the time."""
    clustering = results["clustering"].to_dataset()
    if "node_similarity" not in clustering:
        return {}
    matrix = clustering["node_similarity"].to_numpy()
    first, second = np.triu_indices(matrix.shape[0], 1)
    doubt = np.abs(matrix[first, second] - 0.5)
    chosen = [k for k in np.argsort(doubt, kind="stable")[:_DOUBTFUL_PAIRS] if doubt[k] < 0.45]
    nodes = clustering[NODE].to_numpy()
    return {
        f"together[{nodes[first[k]]}, {nodes[second[k]]}]": (clusters[..., first[k]] == clusters[..., second[k]]) * 1.0
        for k in chosen
    }
