"""Histories: over which past bins, and through which kernels, nodes act on one another.

A history turns the past of each node into a few features, one a kernel: ``h[t, m, k] = sum_l kernel[k, l] y[t - l, m]``
over lags ``l = 1 ... L`` in bins. The histories differ in their kernels only; a new one is a class with `kernels`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import scipy.interpolate
import scipy.optimize
from numba import njit
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from dynome.errors import InputError, Problems

Array = NDArray[np.float64]
_DECAY = 1.0  # a bin, of exponential kernels


class History(BaseEstimator, ABC):  # type: ignore[misc]
    """Base of the histories: stores parameters, checks them when its kernels are asked for."""

    @abstractmethod
    def kernels(self) -> Array:
        """Weight of every lag.

        Returns
        -------
        (n_kernel, n_lag)
            Lag 1 first; every kernel sums to 1.

        Raises
        ------
        InputError
            If the parameters cannot be used.
        """


class ExponentialHistory(History):
    r"""One kernel that decays exponentially, the same for all pairs of nodes.

    Parameters
    ----------
    n_lags : int
        How many bins back it reaches.
    decay : float
        Per bin, >= 0: each lag counts ``exp(-decay)`` times the lag before; 0 weighs all lags alike.

    Notes
    -----
    :math:`\phi_l = e^{-a l} / \sum_{l'} e^{-a l'}`.

    Examples
    --------
    >>> ExponentialHistory(5).kernels().round(4)
    array([[0.6364, 0.2341, 0.0861, 0.0317, 0.0117]])
    """

    def __init__(self, n_lags: int = 5, decay: float = _DECAY) -> None:
        self.n_lags = n_lags
        self.decay = decay

    def kernels(self) -> Array:
        """Weight of every lag: (1, n_lags)."""
        problems = _lag_problems(self)
        if not _is_number(self.decay) or not np.isfinite(self.decay) or self.decay < 0:
            problems.add(f"decay must be a finite number >= 0 (per bin), got {self.decay!r}")
        problems.raise_if_any(InputError)
        return _exponential(self.n_lags, self.decay)


class RaisedCosineHistory(History):
    r"""Raised-cosine bumps, narrow at short lags and wide at long ones.

    Parameters
    ----------
    n_lags : int
        How many bins back they reach.
    n_basis : int
        How many bumps, at most `n_lags`.

    Notes
    -----
    Bump :math:`j` is :math:`\frac12 + \frac12 \cos(\pi (x - c_j) / 2d)` within :math:`2d` of its centre :math:`c_j`,
    where :math:`x = \log(l + b)` is a stretched lag [1]_. The centres lie :math:`d` apart, the first at lag 1; the last
    bump ends at lag L + 1. The offset :math:`b` is 1, or the least that keeps neighbouring centres at least one bin
    apart, as bumps narrower than a bin could not be told apart: many bumps over few lags are nearly evenly spaced.
    Bumps are then scaled to sum to 1 over lags.

    References
    ----------
    .. [1] Pillow et al., Nature 2008, doi:10.1038/nature07140.

    Examples
    --------
    >>> RaisedCosineHistory(6, 2).kernels().round(2)
    array([[0.57, 0.34, 0.08, 0.  , 0.  , 0.  ],
           [0.16, 0.32, 0.27, 0.16, 0.07, 0.02]])
    """

    def __init__(self, n_lags: int, n_basis: int) -> None:
        self.n_lags = n_lags
        self.n_basis = n_basis

    def kernels(self) -> Array:
        """Weight of every lag: (n_basis, n_lags)."""
        _basis_problems(self).raise_if_any(InputError)
        offset = _stretch(self.n_lags, self.n_basis)
        lag = np.log(np.arange(1, self.n_lags + 1) + offset)
        end = np.log(self.n_lags + 1 + offset)
        step = (end - lag[0]) / (self.n_basis + 1)
        distance = (lag - (lag[0] + step * np.arange(self.n_basis)[:, None])) / (2 * step)
        return _normalized(0.5 + 0.5 * np.cos(np.pi * np.clip(distance, -1, 1)))


class BSplineHistory(History):
    """Cubic B-splines over lags: a smooth kernel, free at lag 1, that ends at 0 one bin beyond the last lag.

    Parameters
    ----------
    n_lags : int
        How many bins back they reach.
    n_basis : int
        How many splines, at most `n_lags`.

    Notes
    -----
    The knots are evenly spaced from lag 1 to lag L + 1 and repeated at both ends; the one spline that is not 0 at lag
    L + 1 is left out. Each is scaled to sum to 1 over lags. Two splines are quadratic, and one is a straight line.

    Examples
    --------
    >>> BSplineHistory(6, 2).kernels().round(2)
    array([[0.4 , 0.27, 0.18, 0.1 , 0.04, 0.01],
           [0.  , 0.14, 0.23, 0.26, 0.23, 0.14]])
    """

    def __init__(self, n_lags: int, n_basis: int) -> None:
        self.n_lags = n_lags
        self.n_basis = n_basis

    def kernels(self) -> Array:
        """Weight of every lag: (n_basis, n_lags)."""
        _basis_problems(self).raise_if_any(InputError)
        degree = min(3, self.n_basis)
        inner = np.linspace(1, self.n_lags + 1, self.n_basis + 2 - degree)
        knots = np.r_[[inner[0]] * degree, inner, [inner[-1]] * degree]
        splines = scipy.interpolate.BSpline(knots, np.eye(self.n_basis + 1), degree)
        return _normalized(splines(np.arange(1.0, self.n_lags + 1)).T[:-1])


class LagHistory(History):
    """One free weight a lag: no shape is assumed, and the most parameters are needed.

    Parameters
    ----------
    n_lags : int
        How many bins back it reaches.

    Examples
    --------
    >>> LagHistory(2).kernels()
    array([[1., 0.],
           [0., 1.]])
    """

    def __init__(self, n_lags: int) -> None:
        self.n_lags = n_lags

    def kernels(self) -> Array:
        """Weight of every lag: (n_lags, n_lags)."""
        _lag_problems(self).raise_if_any(InputError)
        return np.eye(self.n_lags)


class LearntHistory(History):
    """One kernel for all pairs of nodes, learnt with the weights.

    Parameters
    ----------
    n_lags : int
        How many bins back it reaches.

    Notes
    -----
    `kernels` gives the start, `ExponentialHistory` of the same length; the kernel that was learnt is among the results
    of the model.

    Examples
    --------
    >>> LearntHistory(3).kernels().round(3)
    array([[0.665, 0.245, 0.09 ]])
    """

    def __init__(self, n_lags: int) -> None:
        self.n_lags = n_lags

    def kernels(self) -> Array:
        """Weight of every lag at the start: (1, n_lags)."""
        _lag_problems(self).raise_if_any(InputError)
        return _exponential(self.n_lags, _DECAY)


class NoHistory(History):
    """No history: nodes do not act on one another, and only bias and covariates are left.

    Examples
    --------
    >>> NoHistory().kernels().shape
    (0, 0)
    """

    def kernels(self) -> Array:
        """No kernel: (0, 0)."""
        return np.zeros((0, 0))


def filtered(
    y: NDArray[np.floating],
    kernels: Array,
    starts: NDArray[np.int64],
    a: int,
    b: int,
    out: NDArray[np.floating] | None = None,
) -> NDArray[np.floating]:
    """Filtered history of every node in some bins.

    Parameters
    ----------
    y : (n_bin, n_node)
        Observations of all sequences, one after the other. NaN makes those features NaN whose kernel is not 0 at the
        lag from which it is seen.
    kernels : (n_kernel, n_lag)
        Lag 1 first.
    starts : (n_sequence + 1,)
        First bin of each sequence, and the number of bins. Before its first bin a sequence has no history: zeros.
    a, b : int
        First bin wanted, and the bin after the last.
    out : (b - a, n_node * n_kernel), optional
        Where to write, for instance columns of a design.

    Returns
    -------
    (b - a, n_node * n_kernel)
        ``out[t - a, m * n_kernel + k] = sum_l kernels[k, l - 1] * y[t - l, m]``, in the dtype of `y` (of `out` where
        given).

    Examples
    --------
    >>> y = np.array([[1.0], [2.0], [4.0], [8.0]])
    >>> filtered(y, np.array([[1.0]]), np.array([0, 2, 4]), 0, 4).ravel()
    array([0., 1., 0., 4.])
    """
    if out is None:
        out = np.empty((b - a, y.shape[1] * kernels.shape[0]), y.dtype)
    _filter(y, kernels.astype(out.dtype), starts, a, b, out)
    return out


@njit(cache=True, nogil=True, fastmath={"contract"})
def _filter(y, kernels, starts, a, b, out):  # type: ignore[no-untyped-def]
    n_node = y.shape[1]
    n_kernel, n_lag = kernels.shape
    row = np.empty(n_node, out.dtype)
    sequence = np.searchsorted(starts, a, side="right") - 1
    for t in range(a, b):
        while t >= starts[sequence + 1]:
            sequence += 1
        reach = min(n_lag, t - starts[sequence])
        for k in range(n_kernel):
            row[:] = 0
            for lag in range(reach):
                weight = kernels[k, lag]
                if weight != 0:
                    for m in range(n_node):
                        row[m] += weight * y[t - 1 - lag, m]
            for m in range(n_node):
                out[t - a, m * n_kernel + k] = row[m]


def _exponential(n_lags: int, decay: float) -> Array:
    return _normalized(np.exp(-decay * np.arange(n_lags))[None])


def _normalized(kernels: Array) -> Array:
    return np.asarray(kernels / kernels.sum(axis=1, keepdims=True))


def _stretch(n_lags: int, n_basis: int) -> float:
    """Offset of the logarithm: the least >= 1 for which the second centre lies at lag 2 or beyond."""

    def excess(log_offset: float) -> float:
        b = np.exp(log_offset)
        return float((np.log(n_lags + 1 + b) - np.log(1 + b)) / (n_basis + 1) - np.log((2 + b) / (1 + b)))

    lowest, highest = 0.0, np.log(100.0 * n_lags)
    if excess(lowest) >= 0:
        return 1.0
    if excess(highest) <= 0:
        return float(np.exp(highest))
    return float(np.exp(scipy.optimize.brentq(excess, lowest, highest)))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _lag_problems(history: History) -> Problems:
    problems = Problems(f"{history!r} has no kernels")
    if not isinstance(history.n_lags, int | np.integer) or isinstance(history.n_lags, bool) or history.n_lags < 1:
        problems.add(f"n_lags must be a whole number of bins >= 1, got {history.n_lags!r}")
    return problems


def _basis_problems(history: History) -> Problems:
    problems = _lag_problems(history)
    n_basis = history.n_basis
    if not isinstance(n_basis, int | np.integer) or isinstance(n_basis, bool) or n_basis < 1:
        problems.add(f"n_basis must be a whole number >= 1, got {n_basis!r}")
    elif not problems.found and n_basis > history.n_lags:
        problems.add(f"n_basis must be at most n_lags ({history.n_lags}), got {n_basis}; more lags or fewer functions")
    return problems
