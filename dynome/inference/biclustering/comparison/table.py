"""One table: how well does a bi-clustering foretell what it did not see, beside everything simpler?"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import seeds
from dynome.dynamics.hmm.sequences import ChainInput, Sequences, stacked
from dynome.errors import InputError, Problems, listed
from dynome.inference.biclustering.comparison.coclusters import spectral_coclusters
from dynome.inference.biclustering.comparison.factors import factor_analysis
from dynome.inference.biclustering.comparison.forecasts import Method, Scorer, Task
from dynome.inference.biclustering.comparison.holding_out import Flags, Kind, held_out
from dynome.inference.biclustering.comparison.rates import constant, overdispersed
from dynome.inference.biclustering.comparison.sampled import predictive_score, variants
from dynome.inference.biclustering.comparison.smooth_factors import gaussian_process_factors
from dynome.inference.biclustering.model import Array, Law
from dynome.inference.biclustering.observations import add_observation_problems
from dynome.schema import ACTIVITY, FOLD, NODE, SPIKE_COUNT

_model = "model"
_COUNTS = ("negative_binomial", "poisson")
_CONSTANT = {"negative_binomial": "poisson", "poisson": "poisson", "bernoulli": "bernoulli", "gaussian": "gaussian"}
_SIMPLE: dict[str, Method] = {
    "spectral_coclustering": spectral_coclusters,
    "factor_analysis": factor_analysis,
    "gpfa": gaussian_process_factors,
}
_SAMPLED = ("one_state", "one_cluster", "slds", "biclustering")


class Fold(NamedTuple):
    """What a method scores in one fold ``(n_node,)`` in nats, and its seconds of processor time."""

    score: Array
    seconds: float


def compare_biclustering(
    data: ChainInput,
    biclustering: Any | None = None,
    *,
    models: Sequence[str] | None = None,
    held_out: Kind = "speckled",
    share: float = 0.1,
    n_folds: int = 1,
    random_state: int | None = None,
) -> xr.Dataset:
    r"""Held-out log scores of a bi-clustering, of its special cases and of simpler methods, in one table.

    Parameters
    ----------
    data : DataArray, Dataset, DataTree, dict or list
        As `Biclustering.fit` takes it. NaN is missing: neither fitted nor scored.
    biclustering : Biclustering or None
        Not fitted; its parameters are those of the bi-clustering and its special cases, its ``observation`` is the law
        of all models. None is a `Biclustering` with its defaults.
    models : list of str or None
        Rows of the table, see Notes; None takes all that suit the law.
    held_out : {"speckled", "stretches"}
        What is hidden: single bins of single nodes, which ask what nodes tell of one another; or stretches of 10 bins
        of all nodes, which ask what the past and the future tell.
    share : float
        Of the observations that are hidden in a fold, from 0.01 to 0.5.
    n_folds : int
        How many disjoint parts are hidden in turn; at most ``round(1 / share)``.
    random_state : int or None
        Seed of what is hidden and of all models.

    Returns
    -------
    Dataset
        Over ``model``, best first:

        * ``log_score (model, fold)``: mean log probability of a hidden observation, in nats;
        * ``bits_over_poisson (model)``: gain over constant Poisson rates, in bits a hidden spike; for counts. (The
          ``bits_per_spike`` of `heldout_scores` has another zero: constant rates under the law of the model.)
        * ``difference``, ``difference_error (model)``: how far the mean score is above (or, negative, below) that of
          the ``biclustering``, or of the best where that was not asked for, in nats; and its standard error over nodes,
          whose differences are taken as independent;
        * ``node_score (model, fold, node)``: mean log probability, in nats;
        * ``seconds (model, fold)``: processor time;
        * ``hidden (fold, ..., time, node)``: what was hidden, so that a model of your own can be scored on the same.

    Raises
    ------
    InputError
        If a model is unknown or does not suit the law, `share` or `n_folds` is out of range, or the data do not suit
        the law.

    Notes
    -----
    Larger is better; nothing that is hidden is seen by any model.

    ========================= ====================================================================================
    ``poisson``               constant rate of each node (``gaussian``, ``bernoulli`` under other laws)
    ``negative_binomial``     constant rate and dispersion of each node
    ``spectral_coclustering`` block means of scikit-learn's co-clusters, times the mean of each node
    ``factor_analysis``       factor analysis of square roots of counts, with missing values
    ``gpfa``                  the same with smooth factors (Gaussian processes)
    ``one_state``             bi-clustering without switching, as of a mixture of factor models (mixDPFA)
    ``one_cluster``           a single population with as many factors as a cluster has
    ``slds``                  a single population with 8 factors: a switching linear dynamical system
    ``biclustering``          the model itself
    ========================= ====================================================================================

    The last four are sampled and score by the posterior predictive probability,
    :math:`\log \frac1D \sum_d p(y_{it} \mid \theta^{(d)})`, over the draws whose latents were kept. The others predict
    a mean, which is brought to the law of the observations by an intercept, a slope and a dispersion for each node,
    fitted to a tenth of the training observations that was hidden from them (counts take a negative binomial law). The
    same tenth chooses the number of factors and of co-clusters.

    Examples
    --------
    >>> from dynome.datasets import make_biclusters
    >>> counts = make_biclusters(nodes_per_cluster=4, n_times=150, random_state=0).spike_count
    >>> names = ["poisson", "negative_binomial", "factor_analysis"]
    >>> table = compare_biclustering(counts, models=names, random_state=0)
    >>> float(table.bits_over_poisson.sel(model="poisson"))
    0.0
    """
    law: Law = "negative_binomial" if biclustering is None else biclustering.observation
    sequences = stacked(data, (ACTIVITY, SPIKE_COUNT) if law == "gaussian" else (SPIKE_COUNT, ACTIVITY))
    y = np.ascontiguousarray(sequences.y.T, dtype=np.float64)
    names = _names(models, law)
    _check(y, sequences.nodes, law, names, held_out, share, n_folds)
    seed = seeds.resolve(random_state)
    given = _default_model() if biclustering is None and set(names) & set(_SAMPLED) else biclustering
    folds = _folds(y, sequences, held_out, share, n_folds, seed)
    found = {
        name: [_score(name, given, law, y, hidden, inner, sequences, seed) for hidden, inner in folds] for name in names
    }
    if _CONSTANT[law] not in found:
        floor = [_score(_CONSTANT[law], given, law, y, hidden, inner, sequences, seed) for hidden, inner in folds]
    else:
        floor = found[_CONSTANT[law]]
    return _table(found, floor, y, [hidden for hidden, _ in folds], sequences, law)


def _default_model() -> Any:
    from dynome.inference.biclustering.estimation import Biclustering

    return Biclustering()


def _names(models: Sequence[str] | None, law: Law) -> list[str]:
    simple = [n for n in _SIMPLE if law in _COUNTS or n != "spectral_coclustering"]
    known = [_CONSTANT[law], *(["negative_binomial"] if law in _COUNTS else []), *simple, *_SAMPLED]
    if isinstance(models, str):
        raise InputError(f"models must be a list of names, such as [{models!r}], got the text {models!r}")
    if models is None:
        return known
    if strangers := [m for m in models if m not in known]:
        raise InputError(
            f"for {law} observations there are no models {listed(strangers)}; there are {', '.join(known)}"
        )
    return list(dict.fromkeys(models))


def _check(y: Array, nodes: NDArray[Any], law: Law, names: list[str], kind: str, share: float, n_folds: int) -> None:
    problems = Problems("cannot compare")
    add_observation_problems(problems, y, law, nodes)
    if not names:
        problems.add("models must name at least one model")
    if kind not in get_args(Kind):
        problems.add(f"held_out must be one of {listed(get_args(Kind))}, got {kind!r}")
    if not 0.01 <= share <= 0.5:
        problems.add(f"share must be from 0.01 to 0.5, got {share:g}")
    elif not 1 <= n_folds <= max(round(1 / share), 2):
        problems.add(f"n_folds must be from 1 to {max(round(1 / share), 2)} (1 / share), got {n_folds}")
    if y.shape[0] < 2 or y.shape[1] < 20:
        problems.add(f"at least 2 nodes and 20 bins are needed, got {y.shape[0]} and {y.shape[1]}")
    problems.raise_if_any(InputError)


def _folds(
    y: Array, sequences: Sequences, kind: Kind, share: float, n_folds: int, seed: int
) -> list[tuple[Flags, Flags]]:
    """What is hidden in each fold, and the tenth of the rest that calibrates methods."""
    observed = np.isfinite(y)
    part = held_out(observed, sequences.starts, kind, share, seeds.generator(seed, "held out"))
    folds = []
    for k in range(n_folds):
        hidden = part == k
        rest = held_out(observed & ~hidden, sequences.starts, kind, 0.1, seeds.generator(seed, "calibration", k))
        folds.append((hidden, rest == 0))
    return folds


def _score(
    name: str, model: Any, law: Law, y: Array, hidden: Flags, inner: Flags, sequences: Sequences, seed: int
) -> Fold:
    began = _processor_time()
    train = np.where(hidden, np.nan, y)
    scorer: Scorer
    if name in _SAMPLED:
        labelled = sequences.labelled(train.T, (NODE,), name=SPIKE_COUNT if law in _COUNTS else ACTIVITY)
        fitted = variants(model)[name]().set_params(random_state=seed).fit(labelled)
        again = stacked(labelled, (SPIKE_COUNT, ACTIVITY))
        scorer = partial(predictive_score, fitted.results_, sequences=again, law=law)
    else:
        task = Task(train, sequences.starts, law, inner, seed)
        simple = _SIMPLE | {_CONSTANT[law]: constant} | ({"negative_binomial": overdispersed} if law in _COUNTS else {})
        scorer = simple[name](task)
    score = np.nansum(scorer(np.where(hidden, y, np.nan)), axis=1)
    return Fold(score, _processor_time() - began)


def _processor_time() -> float:
    """Of this process and of those that it started and that have ended: chains may run in processes of their own."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _table(
    found: dict[str, list[Fold]], floor: list[Fold], y: Array, hidden: list[Flags], sequences: Sequences, law: Law
) -> xr.Dataset:
    count = np.array([h.sum(axis=1) for h in hidden])  # (fold, node)
    score = np.array([[fold.score for fold in folds] for folds in found.values()])  # (model, fold, node)
    base = np.array([fold.score for fold in floor])
    names = np.array(list(found))
    guide = score[list(found).index("biclustering") if "biclustering" in found else score.sum(axis=(1, 2)).argmax()]
    gain = (score - guide).sum(axis=1)  # (model, node)
    n = count.sum()
    spikes = float(sum(np.nansum(np.where(h, y, 0)) for h in hidden))
    nats = {"units": "nat"}
    variables: dict[str, Any] = {
        "log_score": (
            (_model, FOLD),
            score.sum(axis=2) / count.sum(axis=1),
            nats | {"long_name": "held-out log score"},
        ),
        "difference": (_model, gain.sum(axis=1) / n, nats | {"long_name": "difference to the bi-clustering"}),
        "difference_error": (_model, gain.std(axis=1, ddof=1) * np.sqrt(gain.shape[1]) / n, nats),
        "node_score": ((_model, FOLD, NODE), score / np.where(count > 0, count, np.nan), nats),
        "seconds": ((_model, FOLD), [[fold.seconds for fold in folds] for folds in found.values()], {"units": "s"}),
    }
    where = xr.concat([sequences.labelled(h.T, (NODE,)) for h in hidden], FOLD)
    variables["hidden"] = where.assign_attrs(long_name="whether an observation was hidden")
    if law in _COUNTS and spikes > 0:
        bits = (score - base).sum(axis=(1, 2)) / spikes / np.log(2)
        about = {"units": "bit", "long_name": "gain over constant Poisson rates (bits per spike)"}
        variables["bits_over_poisson"] = (_model, bits, about)
    coords = {_model: names, FOLD: np.arange(len(hidden)), **dict(sequences.node_coords)}
    table = xr.Dataset(variables, coords, {"n_held_out": int(n), "n_held_out_spikes": spikes, "observation": law})
    return table.isel(model=np.argsort(-score.sum(axis=(1, 2)), kind="stable"))
