"""What rises and falls together from window to window: covariance of the main components of an embedding.

A mean over windows says how a scan is on average; two scans may be alike in that and differ in what comes at the same
time. Components are found in one set of scans, without labels, and those of others are seen in them.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

import numpy as np
import scipy.linalg
import xarray as xr
from numpy.typing import NDArray

from dynome.errors import InputError, Problems, listed
from dynome.inference.probing.features import layout
from dynome.schema import FEATURE, WINDOW

Floats = NDArray[np.float64]

N_COMPONENTS = 20
_WINDOWS = 1000  # that components are found in


class Components(NamedTuple):
    """Of windows.

    Attributes
    ----------
    mean : (p,)
    whiten : (p, k)
        Products with windows less `mean` have unit variance in the sample.
    """

    mean: Floats
    whiten: Floats


def window_covariance(
    embedding: xr.DataArray, *, reference: xr.DataArray | None = None, n_components: int = N_COMPONENTS
) -> xr.DataArray:
    r"""Covariance over windows of the main components of an embedding, a row of numbers for each session.

    Parameters
    ----------
    embedding : (session or animal, window, ...)
        As `GraphMaskedAutoencoder.transform` gives it, for one. Windows that are NaN as a whole, after the last of a
        shorter session, are left out.
    reference : (session or animal, window, ...) or None
        Scans that the components are found in, best those the model has learnt from; None takes `embedding`, of which
        no label is looked at. Other dims and their labels as of `embedding`.
    n_components : int
        At most; fewer where the reference varies in fewer directions.

    Returns
    -------
    (session or animal, feature) float64
        Variances and covariances of pairs of components, in units of their variance in the reference. Coordinates of
        the sessions are kept. To be given to `probe`, or to `compare_representations` as one of its models.

    Raises
    ------
    InputError
        If there is no dim ``window``, a session has less than two windows or one with some values missing, reference
        and embedding have other features, or the reference does not vary.

    Notes
    -----
    With windows :math:`x_t`, mean m and main directions W of the reference, scaled to unit variance, the features are
    the upper triangle of :math:`\mathrm{cov}_t(W^\top (x_t - m))`. Components are found in 1,000 windows at most,
    evenly spaced in every session.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((6, 40, 5))
    >>> embedding = xr.DataArray(x, dims=("session", "window", "feature"), coords={"session": list("abcdef")})
    >>> window_covariance(embedding, n_components=3).shape
    (6, 6)
    """
    over, found = _windows(embedding, "the embedding")
    basis = found
    if reference is not None:
        _check_features(embedding, reference)
        basis = _windows(reference, "the reference")[1]
    if n_components < 1:
        raise InputError(f"n_components must be 1 at least, got {n_components!r}")
    each = max(1, _WINDOWS // len(basis))
    known = main_components(np.concatenate([x[evenly(len(x), each)] for x in basis]), n_components)
    values = np.stack([covariance_in(known, x) for x in found])
    coords = {name: c for name, c in embedding.coords.items() if c.dims == (over,)}
    attrs = {"units": "1", "long_name": "covariance of components over windows"}
    return xr.DataArray(values, dims=(over, FEATURE), coords=coords, name="window_covariance", attrs=attrs)


def main_components(sample: Floats, n_components: int = N_COMPONENTS) -> Components:
    """Directions in which windows vary most.

    Parameters
    ----------
    sample : (n, p)
        Windows; not modified.
    n_components : int

    Raises
    ------
    InputError
        If the sample does not vary.
    """
    mean = sample.mean(axis=0)
    sample = sample - mean
    last = len(sample) - 1
    size, left = scipy.linalg.eigh(sample @ sample.T, subset_by_index=[max(0, last + 1 - n_components), last])
    if not size[-1] > 1e-12 * max(1.0, float(np.square(mean).sum())):
        raise InputError("windows do not vary: there are no components to describe them by")
    kept = size > 1e-6 * size[-1]
    return Components(mean, sample.T @ left[:, kept] / size[kept] * np.sqrt(len(sample)))


def covariance_in(components: Components, windows: Floats) -> Floats:
    """Covariance over windows of components, upper triangle.

    Parameters
    ----------
    components : Components
    windows : (n, p)
    """
    z = (windows - components.mean) @ components.whiten
    z -= z.mean(axis=0)
    rows, columns = np.triu_indices(z.shape[1])
    return np.asarray((z.T @ z / len(z))[rows, columns])


def evenly(n: int, wanted: int) -> NDArray[np.int64]:
    """At most `wanted` of `n` places, evenly spaced.

    Parameters
    ----------
    n, wanted : int

    Examples
    --------
    >>> evenly(7, 3).tolist(), evenly(2, 3).tolist()
    ([0, 3, 6], [0, 1])
    """
    return np.linspace(0, n - 1, min(n, wanted)).round().astype(np.int64)


def _windows(embedding: xr.DataArray, which: str) -> tuple[str, list[Floats]]:
    """The dim of sessions, and the windows (n, p) of each."""
    over, _ = layout(embedding, ())
    problems = Problems(f"cannot use {which}")
    if WINDOW not in embedding.dims:
        problems.add(f"expected a dim {WINDOW}, found {tuple(map(str, embedding.dims))}; do not average over windows")
        problems.fail(InputError)
    values = embedding.transpose(over, WINDOW, ...).to_numpy().astype(np.float64)
    values = values.reshape(*values.shape[:2], -1)
    missing = np.isnan(values)
    there: NDArray[np.bool_] = np.asarray(~missing.all(axis=2))
    names = embedding[over].to_numpy()
    bad: NDArray[np.bool_] = np.asarray((there & ~np.isfinite(values).all(axis=2)).any(axis=1))
    if bad.any():
        problems.add(f"values are missing or infinite within windows of {listed(names[bad].tolist())}; drop them")
    if (few := there.sum(axis=1) < 2).any():
        problems.add(f"{listed(names[few].tolist())} have less than two windows, which have no covariance")
    problems.raise_if_any(InputError)
    return over, [x[known] for x, known in zip(values, there, strict=True)]


def _check_features(embedding: xr.DataArray, reference: xr.DataArray) -> None:
    """Refuse a reference whose features are not those of the embedding, in the same order."""
    mine, theirs = _features(embedding), _features(reference)
    same = [(d, embedding.sizes[d]) for d in mine] == [(d, reference.sizes[d]) for d in theirs]
    labelled = [d for d in mine if d in embedding.indexes and d in reference.indexes]
    if not same or not all(embedding.indexes[d].equals(reference.indexes[d]) for d in labelled):
        told = [", ".join(f"{d} ({x.sizes[d]})" for d in dims) for x, dims in ((embedding, mine), (reference, theirs))]
        raise InputError(
            f"embedding and reference must have the same features, with the same labels in the same order: the "
            f"embedding has {told[0]}, the reference {told[1]}; make both with one model"
        )


def _features(embedding: xr.DataArray) -> list[Hashable]:
    over, _ = layout(embedding, ())
    return [d for d in embedding.dims if d not in (over, WINDOW)]
