"""Do the draws make data like the data?"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from dynome import progress, seeds
from dynome.dynamics.hmm.sequences import ChainInput, Sequences
from dynome.errors import InputError
from dynome.inference.biclustering.model import Array
from dynome.inference.biclustering.observations import sample_observations
from dynome.inference.biclustering.predictive import draw_numbers, predictors, same_bins
from dynome.inference.biclustering.statistics import statistics_of
from dynome.permutation import permutation_p_value
from dynome.schema import DRAW, LAG, NODE, SOURCE, TARGET

_NAMES = {
    "mean": "mean",
    "variance": "variance",
    "fano": "variance over mean",
    "zero_fraction": "share of bins without a spike",
    "autocorrelation": "correlation with earlier bins",
    "correlation": "correlation in a bin",
    "population": "share of bins with so many spikes of all nodes",
}


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
    own, law = same_bins(results, data, "cannot check predictions"), results.attrs["observation"]
    position, y, starts = own.layout.position, own.y, own.starts
    number = draw_numbers(results, n_draws)
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
