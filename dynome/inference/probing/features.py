"""Embeddings as rows of numbers, one for each session."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import labels
from dynome.errors import InputError, Problems, listed
from dynome.inference.probing.outcomes import animals_of
from dynome.schema import ANIMAL, SESSION, SOURCE, TARGET, WINDOW

_SYMMETRIC = 1e-6


class Features(NamedTuple):
    """Rows of numbers.

    Attributes
    ----------
    values : (n, p)
        Finite.
    sessions, animals : (n,)
    """

    values: NDArray[np.float64]
    sessions: labels.StrArray
    animals: labels.StrArray


def features_of(embedding: xr.DataArray, pool: Collection[str] | None = None) -> Features:
    """One row of numbers for each session.

    Parameters
    ----------
    embedding : (session or animal, ...)
        Labelled; a coordinate ``animal (session)`` says whose a session is, else what is before the slash of its path
        does. Of matrices (source, target) that are symmetric (targets are put in
        the order of the sources, by label), pairs above the diagonal are taken.
    pool : collection of str or None
        Dims to average over, without NaN; None is ``window`` where there is one. All others become features.

    Raises
    ------
    InputError
        If there is no dim of sessions or a value is missing.
    """
    over, dims = layout(embedding, pool)
    problems = Problems("cannot use this embedding")
    pooled = embedding.mean(dims, skipna=True) if dims else embedding
    values = _rows(pooled, over)
    sessions = labels.as_labels(embedding[over].to_numpy())
    if not values.shape[1]:
        problems.add("it has no features")
    elif (bad := ~np.isfinite(values).all(axis=1)).any():
        problems.add(
            f"values are missing or infinite in {listed(sessions[bad].tolist())}; drop the sessions, or what they lack"
        )
    problems.raise_if_any(InputError)
    return Features(values, sessions, animals_of(sessions.tolist(), _owner(embedding, over)))


def layout(embedding: xr.DataArray, pool: Collection[str] | None = None) -> tuple[str, list[str]]:
    """The dim of sessions, and the dims to average over.

    Parameters
    ----------
    embedding : (session or animal, ...)
    pool : collection of str or None

    Raises
    ------
    InputError
        If there is no labelled dim of sessions, a session is there twice, or `pool` names no dim of features.
    """
    if not isinstance(embedding, xr.DataArray):
        raise InputError(f"expected an embedding (session, ...), a DataArray, got a {type(embedding).__name__}")
    problems = Problems("cannot use this embedding")
    over = SESSION if SESSION in embedding.dims else ANIMAL
    if over not in embedding.dims or over not in embedding.coords:
        problems.add(f"expected a dim {SESSION} or {ANIMAL} with labels, found dims {tuple(map(str, embedding.dims))}")
        problems.fail(InputError)
    dims = [d for d in (WINDOW,) if d in embedding.dims] if pool is None else list(pool)
    if isinstance(pool, str) or not set(dims) <= set(embedding.dims) - {over}:
        problems.add(f"pool must be a collection of dims of the embedding, got {pool!r}")
    if repeated := labels.duplicates(embedding[over].to_numpy()):
        problems.add(f"labels of {over} must be unique, {listed(repeated)} occur more than once")
    problems.raise_if_any(InputError)
    return over, dims


def _owner(embedding: xr.DataArray, over: str) -> xr.DataArray | None:
    if over == ANIMAL:
        return embedding[ANIMAL]
    named = embedding.coords.get(ANIMAL)
    return named if named is not None and named.dims == (SESSION,) else None


def _rows(pooled: xr.DataArray, over: str) -> NDArray[np.float64]:
    ordered = _same_order(pooled.transpose(over, ...))
    values = ordered.to_numpy().astype(np.float64)
    matrices = set(map(str, ordered.dims)) == {over, SOURCE, TARGET} and values.shape[1] == values.shape[2]
    if matrices and np.nanmax(np.abs(values - values.swapaxes(1, 2)), initial=0.0) <= _SYMMETRIC:
        rows, columns = np.triu_indices(values.shape[1], 1)
        return np.asarray(values[:, rows, columns])
    return np.asarray(values.reshape(values.shape[0], -1))


def _same_order(embedding: xr.DataArray) -> xr.DataArray:
    """Targets in the order of the sources where both are the same regions: symmetry is of labels, not positions."""
    if not {SOURCE, TARGET} <= set(embedding.indexes):
        return embedding
    source, target = embedding.indexes[SOURCE], embedding.indexes[TARGET]
    if source.equals(target) or not (source.is_unique and target.is_unique and set(source) == set(target)):
        return embedding
    return embedding.isel({TARGET: target.get_indexer(source)})
