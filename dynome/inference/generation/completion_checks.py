"""How well missing parts of dynamic graphs are told, beside simple ways to tell them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.errors import InputError, listed
from dynome.inference.dynamic_graphs.scans import Scan, Scans, scans_of, series_of
from dynome.inference.generation.completion import HIDDEN, complete_connectivity
from dynome.schema import SESSION, SOURCE, WINDOW

if TYPE_CHECKING:
    from dynome.inference.pretraining.masked_autoencoder import GraphMaskedAutoencoder

Floats = NDArray[np.float64]

PREDICTOR = "predictor"
_METHODS = ("model", "interpolation", "session mean", "group mean")


def completion_scores(
    model: GraphMaskedAutoencoder,
    study: Any,
    *,
    nodes: str | Sequence[str] | None = None,
    windows: Sequence[int] | None = None,
    reference: Any,
) -> xr.Dataset:
    r"""Hide parts of recordings that are complete, have them told, and compare with the truth and with simple rivals.

    Parameters
    ----------
    model : GraphMaskedAutoencoder
        Fitted with objective "jema" or "mae".
    study : DataTree, mapping, Dataset or DataArray
        Sessions of animals that the model has not seen, with all its regions.
    nodes, windows
        What to hide, as in `complete_connectivity`; at least one of the two.
    reference : DataTree, mapping, Dataset or DataArray
        Sessions of other animals, such as those that the model was fitted to, for the group mean. Animals are told
        apart by their names.

    Returns
    -------
    Dataset
        ``auroc`` (0.5 is chance) and ``brier`` (mean squared error of probabilities, lower is better), both
        (predictor, session), over the ``n_pairs (session)`` hidden pairs: all pairs of hidden windows; in other
        windows, those with a hidden node. Predictors: "model"; "interpolation" between the nearest windows that are
        there, linear in time; "session mean" over the windows that are there; "group mean" over the windows of
        `reference`. Those that cannot tell a pair, as the second and third for a hidden node, are NaN; so are both
        where nodes and windows are hidden together, since their score is over all hidden pairs. Hide windows alone to
        compare with them.

    Raises
    ------
    InputError
        If nothing is hidden, sessions lack regions, or an animal of `reference` is to be told.
    """
    if not list(nodes or []) and not list(windows or []):
        raise InputError("nothing is hidden; name nodes or windows")
    told = complete_connectivity(model, study, nodes=nodes, windows=windows)
    known = told[SOURCE].to_numpy()
    gone, lost = (told[HIDDEN].all(dim).to_numpy() for dim in (SOURCE, WINDOW))
    scans, others = (scans_of(data, model.graph_settings, nodes=known) for data in (study, reference))
    _refuse_shared(scans, others)
    group = np.mean([_graphs(scan, model).mean(axis=0) for scan in others.scans], axis=0)
    lower = np.tril(np.ones((known.size, known.size), dtype=bool), -1)
    auroc, brier = np.full((2, len(_METHODS), len(scans.scans)), np.nan)
    n_pairs = np.zeros(len(scans.scans), dtype=np.int64)
    for k, scan in enumerate(scans.scans):
        truth, away = _graphs(scan, model), gone[: scan.starts.size]
        asked = (away[:, None, None] | lost[:, None] | lost) & lower
        n_pairs[k] = asked.sum()
        rivals = [
            told.to_numpy()[k, : scan.starts.size],
            None if lost.any() else _interpolated(truth, away),
            None if lost.any() else np.broadcast_to(truth[~away].mean(axis=0), truth.shape),
            np.broadcast_to(group, truth.shape),
        ]
        for j, found in enumerate(rivals):
            if found is not None:
                auroc[j, k], brier[j, k] = _scores(truth[asked], found[asked].astype(np.float64))
    coords = {PREDICTOR: list(_METHODS), SESSION: told[SESSION].to_numpy()}
    return xr.Dataset(
        {
            "auroc": ((PREDICTOR, SESSION), auroc, {"units": "1", "long_name": "area under the ROC curve"}),
            "brier": ((PREDICTOR, SESSION), brier, {"units": "1", "long_name": "mean squared error of probabilities"}),
            "n_pairs": (SESSION, n_pairs, {"units": "count", "long_name": "hidden pairs"}),
        },
        coords=coords,
    )


def _refuse_shared(scans: Scans, others: Scans) -> None:
    told, reference = ({scan.animal for scan in found.scans} for found in (scans, others))
    if both := sorted(told & reference):
        raise InputError(
            f"animals {listed(both)} are to be told and in the reference, so that the group mean would know them; take "
            'them out of one (animals are told apart by their names: pass {"animal": recording})'
        )


def _graphs(scan: Scan, model: Any) -> Floats:
    from dynome.inference.dynamic_graphs.graph_batches import graphs_of

    windows = np.arange(scan.starts.size)
    return graphs_of(series_of(scan), scan, windows, model.graph_settings)[0].astype(np.float64)


def _interpolated(graphs: Floats, gone: NDArray[np.bool_]) -> Floats:
    """Each window between the nearest that are there; beyond the first and the last of them, as those."""
    there, every = np.flatnonzero(~gone), np.arange(gone.size)
    after = np.minimum(np.searchsorted(there, every), there.size - 1)
    before = np.maximum(np.searchsorted(there, every, side="right") - 1, 0)
    span = there[after] - there[before]
    share = np.clip(np.where(span > 0, (every - there[before]) / np.maximum(span, 1), 0.0), 0, 1)[:, None, None]
    return np.asarray((1 - share) * graphs[there[before]] + share * graphs[there[after]])


def _scores(truth: Floats, told: Floats) -> tuple[float, float]:
    from scipy.stats import rankdata

    ranks, n = rankdata(told), truth.sum()
    m = truth.size - n
    area = (ranks[truth > 0].sum() - n * (n + 1) / 2) / (n * m) if n and m else np.nan
    return float(area), float(np.mean((told - truth) ** 2))
