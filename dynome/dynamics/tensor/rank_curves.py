"""How many components: error, stability and foresight of a factor model against its rank."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from sklearn.base import clone

from dynome import align, progress, seeds
from dynome.dynamics.tensor.components import factors_of
from dynome.dynamics.tensor.factor_measures import core_consistency, effective_dimension
from dynome.dynamics.tensor.holding_out import (
    Data,
    Pattern,
    determined,
    foretold,
    hidden_cells,
    pieces,
    sizes_of,
    squared_errors,
    without,
)
from dynome.dynamics.tensor.rank_choice import RULE, STABLE, choose_rank
from dynome.errors import InputError, Problems
from dynome.estimator import Estimator
from dynome.schema import ANIMAL, FOLD, RESTART

Array = NDArray[np.float64]

_STARTS = 3  # of a fit to a fold, which begins with the components of the next smaller rank


class _Fold(NamedTuple):
    """Data without what is hidden, and what is to be foretold."""

    seen: Data
    hidden: xr.DataArray | None
    newcomers: list[int]


def rank_curve(
    estimator: Estimator,
    data: xr.DataArray | xr.Dataset,
    ranks: Iterable[int] = range(1, 16),
    *,
    n_folds: int = 5,
    held_out: float = 0.2,
    pattern: Pattern = "blocks",
    by_animal: bool = True,
    random_state: int | None = None,
) -> xr.Dataset:
    r"""Error, stability and foresight of a factor model at every rank, and the rank that they support.

    Parameters
    ----------
    estimator : Estimator
        A model with a parameter ``rank`` and factors in ``results_``, such as `NonnegativeCP`; it is copied, never
        fitted itself. Its ``n_restarts`` starts are made at every rank. Fits to parts of the data begin with the
        components of the next smaller rank where it has the parameter ``init``.
    data : DataArray, or Dataset of an affinity
        What the estimator takes; NaN is missing. For a description as `affinity` gives it the tensor is never formed
        as a whole, one animal at a time is.
    ranks : iterable of int
        Numbers of components to try.
    n_folds : int
        Fits that see only a part of the data.
    held_out : float
        Share of the data that each fold hides. Folds hide other parts until everything was hidden once: 5 times a
        fifth.
    pattern : {"blocks", "entries"}
        What is hidden together. ``"blocks"``: tenths of the time, with all pairs, in single animals (labels of other
        dims are hidden one by one). ``"entries"``: single entries (speckled), right only where the noise of entries is
        independent. Affinities of neighbouring moments and of the pairs of one node are not: with single entries
        hidden, a model that learns noise foretells it, and the error falls for ever.
    by_animal : bool
        Also fit without a group of animals, and foretell half of the last dim of each, its loadings regressed from the
        other half. Needs two animals.
    random_state : int or None
        Seed; None draws one, which ``attrs["random_state"]`` records.

    Returns
    -------
    Dataset over rank
        * ``error (rank, restart)``: squared residual over squared data, of every start;
        * ``similarity (rank, restart)``: matched product of cosines between the components of each start and the best;
        * ``held_out_error (rank, fold)``, ``held_out_error_animal (rank, animal)``: the same error where data were
          hidden; 1 is no better than predicting 0, and more is worse;
        * ``fold_similarity (rank, fold)``: similarity of the fit to a fold with the fit to all;
        * ``effective_dimension (rank, fold)``: of the factor of the longest dim, see `effective_dimension`;
        * ``core_consistency (rank)`` in percent, see `core_consistency`;
        * ``seconds (rank)``.

        ``attrs["rank"]`` is the chosen rank, ``attrs["rule"]`` says how, and the other attributes what was done. Take
        the coordinate as ``curve["rank"]``: ``curve.rank`` is a method of xarray.

    Raises
    ------
    InputError
        With every argument that is out of range or does not fit the data.

    Notes
    -----
    Cross-validation of factor models by hidden entries follows Bro et al. 2008 (doi:10.1007/s00216-007-1790-1);
    stability over starts Williams et al. 2018 (doi:10.1016/j.neuron.2018.05.015).

    Examples
    --------
    >>> from dynome.dynamics import NonnegativeCP
    >>> rng = np.random.default_rng(0)
    >>> a, b, c = (rng.random((n, 2)) for n in (40, 6, 15))
    >>> x = np.einsum("tr,ar,pr->tap", a, b, c) + 0.1 * rng.standard_normal((40, 6, 15))
    >>> x = xr.DataArray(x, dims=("time", "animal", "pair"))
    >>> curve = rank_curve(NonnegativeCP(n_restarts=3, negative="fit"), x, range(1, 5), random_state=0)
    >>> curve.attrs["rank"], list(curve.held_out_error.dims)
    (2, ['rank', 'fold'])
    """
    asked = _checked(estimator, data, ranks, n_folds, held_out, pattern)
    data, animals = _labelled_data(data)
    seed = seeds.resolve(random_state)
    folds = [_fold(data, held_out, pattern, seed, k) for k in range(n_folds)]
    groups = _animal_folds(data, n_folds, seed) if by_animal else []
    rows: list[dict[str, Any]] = []
    known: list[xr.Dataset | None] = [None] * (len(folds) + len(groups))
    with progress.task(f"ranks {asked[0]} to {asked[-1]}", len(asked) * (1 + len(known))) as advance:
        for rank in asked:
            began = time.perf_counter()
            whole = _fitted(estimator, data, rank, seed).results_
            advance(1)
            row = _row_of(whole, data)
            for k, fold in enumerate([*folds, *groups]):
                known[k] = _fitted(estimator, fold.seen, rank, seed, known[k]).results_
                advance(1)
            row |= _row_of_folds(known[:n_folds], folds, whole, data)
            if groups:
                row["held_out_error_animal"] = _animal_errors(known[n_folds:], groups, data, seed)
            rows.append({**row, "seconds": time.perf_counter() - began})
    curve = _labelled(rows, asked, animals)
    curve.attrs.update(
        held_out=float(held_out), pattern=pattern, n_folds=n_folds, random_state=seed, rule=RULE, stable=STABLE,
        estimator=type(estimator).__name__,
    )  # fmt: skip
    return curve.assign_attrs(rank=choose_rank(curve))


def _checked(
    estimator: Estimator, data: object, ranks: Iterable[int], n_folds: int, held_out: float, pattern: str
) -> list[int]:
    problems = Problems("cannot draw a rank curve")
    asked = sorted({int(r) for r in ranks})
    if not isinstance(data, xr.DataArray | xr.Dataset):
        problems.add(f"expected a DataArray, or a Dataset as affinity() gives it, got {type(data).__name__}")
    elif isinstance(data, xr.Dataset) and "rate" not in data:
        problems.add("the Dataset has no rate; expected one as affinity() gives it")
    elif isinstance(data, xr.Dataset) and (pattern == "entries" or data.sizes[ANIMAL] < 2):
        problems.add(
            "single entries of a described affinity, or of one animal, cannot be hidden; form affinity_tensor first"
        )
    elif len(sizes_of(data)) < 2:
        problems.add(f"expected at least 2 dims, found {sizes_of(data)}")
    if "rank" not in estimator.get_params(deep=False):
        problems.add(f"{type(estimator).__name__} has no parameter rank")
    if not asked or asked[0] < 1:
        problems.add(f"ranks must be integers of at least 1, got {asked}")
    if not n_folds >= 2:
        problems.add(f"n_folds must be at least 2, got {n_folds}")
    if not 0 < held_out < 1:
        problems.add(f"held_out must be between 0 and 1, got {held_out!r}")
    if pattern not in get_args(Pattern):
        problems.add(f"pattern must be one of {', '.join(get_args(Pattern))}, got {pattern!r}")
    problems.raise_if_any(InputError)
    return asked


def _fold(data: Data, share: float, pattern: Pattern, seed: int, k: int) -> _Fold:
    hidden = hidden_cells(data, share, pattern, k, seeds.generator(seed, "cells"))
    return _Fold(without(data, hidden), hidden, [])


def _animal_folds(data: Data, n_folds: int, seed: int) -> list[_Fold]:
    """Animals in groups; a fold sees all but one group, and only labels that those have."""
    n = sizes_of(data).get(ANIMAL, 1)
    if n < 2:
        return []
    order = seeds.generator(seed, "animals").permutation(n)
    groups = [np.sort(g).tolist() for g in np.array_split(order, min(n_folds, n))]
    return [_Fold(_of_animals(data, [a for a in range(n) if a not in group]), None, group) for group in groups]


def _of_animals(data: Data, animals: list[int]) -> Data:
    part = data.isel({ANIMAL: animals})
    if isinstance(part, xr.Dataset):
        return part
    for dim in part.dims:
        there = part.notnull().any([d for d in part.dims if d != dim]).to_numpy()
        part = part if there.all() else part.isel({dim: there})
    return part


def _fitted(estimator: Estimator, data: Data, rank: int, seed: int, known: xr.Dataset | None = None) -> Any:
    """A fresh fit; with the components of a smaller one to begin with, where the estimator can."""
    model = clone(estimator)
    params: dict[str, Any] = {"rank": rank, "random_state": seed}
    accepted = model.get_params(deep=False)
    if known is not None and "init" in accepted:
        params |= {"init": known, "n_restarts": min(_STARTS, accepted["n_restarts"])}
    return model.set_params(**{k: v for k, v in params.items() if k in accepted}).fit(data)


def _row_of(whole: xr.Dataset, data: Data) -> dict[str, Any]:
    """What the fit to all of the data tells."""
    dims, factors = whole.attrs["dims"], factors_of(whole)
    along = ANIMAL if isinstance(data, xr.Dataset) else dims[0]
    slabs = ((rows, x) for _, rows, x in pieces(data, dims))
    error = whole.get("restart_error", whole["relative_error"])
    return {
        "error": np.atleast_1d(error.to_numpy()),
        "similarity": np.atleast_1d(whole.get("restart_similarity", xr.DataArray(np.nan)).to_numpy()),
        "core_consistency": core_consistency(slabs, factors, mode=dims.index(along)),
    }


def _row_of_folds(
    fits: Sequence[xr.Dataset | None], folds: Sequence[_Fold], whole: xr.Dataset, data: Data
) -> dict[str, Any]:
    """What the fits to parts of the data tell about the rest."""
    held, dimension, similarity = [], [], []
    main = max(whole.attrs["dims"], key=lambda d: whole.sizes[d])
    for fit, fold in zip(fits, folds, strict=True):
        if fit is not None and fold.hidden is not None:
            dims = fit.attrs["dims"]
            factors = determined(factors_of(fit), dims, fold.hidden)
            residual, total = squared_errors(data, dims, factors, fold.hidden)
            held.append(residual / total if total else np.nan)
            dimension.append(effective_dimension(factors[dims.index(main)]))
            similarity.append(align.match(align.cp_similarity(factors_of(whole), factors)).similarity.mean())
    return {"held_out_error": held, "effective_dimension": dimension, "fold_similarity": similarity}


def _animal_errors(fits: Sequence[xr.Dataset | None], folds: Sequence[_Fold], data: Data, seed: int) -> list[float]:
    """For every animal, the error at one half of the last dim, its loadings regressed from the other half."""
    errors = np.full(sizes_of(data)[ANIMAL], np.nan)
    for fit, fold in zip(fits, folds, strict=True):
        if fit is None:
            continue
        dims = [d for d in fit.attrs["dims"] if d != ANIMAL]
        factors = [fit[f"{d}_factor"].transpose(d, ...).to_numpy() for d in dims]
        half = seeds.generator(seed, "half").permutation(fit.sizes[dims[-1]]) % 2 == 0
        for animal in fold.newcomers:
            one = data.isel({ANIMAL: [animal]})
            if isinstance(one, xr.DataArray):
                one = one.sel({d: fit[d].to_numpy() for d in dims})
            x = np.concatenate([p.reshape(p.shape[:-1]) for _, _, p in pieces(one, [*dims, ANIMAL])])
            residual, total = foretold(x, factors, half)
            errors[animal] = residual / total if total else np.nan
    return errors.tolist()


def _labelled_data(data: Data) -> tuple[Data, dict[str, Any]]:
    """Data with labels on every dim, and the labels of animals if they had any."""
    animals = {ANIMAL: data[ANIMAL].to_numpy()} if ANIMAL in data.coords else {}
    return data.assign_coords({d: np.arange(n) for d, n in data.sizes.items() if d not in data.coords}), animals


def _labelled(rows: list[dict[str, Any]], ranks: list[int], animals: dict[str, Any]) -> xr.Dataset:
    dims = {
        "error": RESTART, "similarity": RESTART, "held_out_error": FOLD, "fold_similarity": FOLD,
        "effective_dimension": FOLD, "held_out_error_animal": ANIMAL,
    }  # fmt: skip
    names = {
        "error": "squared residual / squared data",
        "similarity": "similarity to the best start",
        "held_out_error": "squared residual / squared data, held out",
        "held_out_error_animal": "squared residual / squared data, new animal",
        "fold_similarity": "similarity of the fit to a fold",
        "effective_dimension": "effective dimension",
        "core_consistency": "core consistency",
        "seconds": "time of all fits",
    }
    unit = {"core_consistency": "percent", "seconds": "s"}
    variables = {
        name: (("rank", *((dims[name],) if name in dims else ())), np.array([row[name] for row in rows]),
               {"units": unit.get(name, "1"), "long_name": names[name]})
        for name in rows[0]
    }  # fmt: skip
    return xr.Dataset(variables, {"rank": ranks, **(animals if "held_out_error_animal" in rows[0] else {})})
