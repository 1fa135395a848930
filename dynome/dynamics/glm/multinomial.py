r"""Multinomial logistic regression on soft labels: classes of behaviour, and transitions that inputs drive.

Every class has coefficients, and those of a column sum to 0 over classes, so that no class is a reference and renaming
classes renames results. Rows carry weights, not labels: row :math:`t` counts :math:`r_{tk}` times as class :math:`k`,
as a posterior over hidden states asks for. Newton's method with the exact Hessian and backtracking: the objective
never falls.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import scipy.linalg
import scipy.special
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

Array = NDArray[np.float64]
Floats = NDArray[np.floating]

_ROWS = 16_384  # of a chunk
_FLAT = 1e-7  # curvature left, of that at equal probabilities, in a direction that the data do not bound
_HALVINGS = 40


class MultinomialFit(NamedTuple):
    """A fitted multinomial regression.

    Attributes
    ----------
    coefficient : (n_column, n_class)
        Sums to 0 over classes.
    value : float
        Log likelihood minus penalty, in nats.
    n_iter : int
        Newton steps taken.
    converged : bool
        Whether the next step would have gained less than the tolerance.
    """

    coefficient: Array
    value: float
    n_iter: int
    converged: bool


class TransitionFit(NamedTuple):
    """Fitted transitions that depend on inputs.

    Attributes
    ----------
    base : (n_state, n_state)
        Logits of the next state (column) after each state (row) where all inputs are 0; rows sum to 0.
    weight : (1 or n_state, n_input, n_state)
        What each input adds to the logits of the next state (last axis): the same for all origins, or one an origin
        (first axis). Sums to 0 over the next state.
    value, n_iter, converged
        As in `MultinomialFit`.
    """

    base: Array
    weight: Array
    value: float
    n_iter: int
    converged: bool


def fit_multinomial(
    design: Floats,
    soft_labels: Floats,
    *,
    ridge: float | Array = 0.0,
    start: Array | None = None,
    max_iter: int = 100,
    tol: float = 1e-12,
) -> MultinomialFit:
    r"""Most probable coefficients of a multinomial logistic regression.

    Parameters
    ----------
    design : (n_row, n_column)
        Features, finite; a column of ones is the intercept.
    soft_labels : (n_row, n_class)
        How often each row counts as each class, >= 0. Rows need not sum to 1; a row of zeros is left out.
    ridge : float or (n_column,)
        Precision of the normal prior on the coefficients, around 0; 0 for columns that are free, such as an intercept.
    start : (n_column, n_class), optional
        Where to begin; all zero otherwise.
    max_iter : int
        Newton steps at most; few are enough within an iteration of EM, as the objective never falls.
    tol : float
        Expected gain, in nats per unit of weight, at which to stop.

    Returns
    -------
    MultinomialFit

    Warns
    -----
    ConvergenceWarning
        If the likelihood keeps rising in a direction without a prior: classes that the features separate, or that
        never occur. The coefficients are then only as large as `tol` made them.

    Notes
    -----
    Maximises :math:`\sum_{tk} r_{tk} \log \operatorname{softmax}(x_t \beta)_k - \frac12 \sum_{pk} \rho_p \beta_{pk}^2`.

    Examples
    --------
    >>> fit = fit_multinomial(np.ones((4, 1)), np.eye(2)[[0, 0, 0, 1]])
    >>> scipy.special.softmax(fit.coefficient).round(4)
    array([[0.75, 0.25]])
    """
    precision = np.broadcast_to(np.asarray(ridge, np.float64), design.shape[1:2])
    group = _Group(design, soft_labels, np.arange(design.shape[1]))
    first = np.zeros((design.shape[1], soft_labels.shape[1])) if start is None else start
    fit = _climb([group], precision, first, max_iter, tol)
    return _warned(fit, [group], precision, np.flatnonzero(precision == 0))


def fit_transitions(
    inputs: Floats,
    transitions: Floats,
    *,
    ridge: float | Array = 0.0,
    pseudo_counts: Array | None = None,
    per_origin: bool = False,
    start: TransitionFit | None = None,
    max_iter: int = 100,
    tol: float = 1e-12,
) -> TransitionFit:
    r"""Most probable transition logits of a chain that inputs drive.

    Parameters
    ----------
    inputs : (n_bin, n_input)
        Inputs at each bin, finite: those of bin ``t`` act on the transition into ``t``.
    transitions : (n_bin, n_state, n_state)
        Expected transitions into each bin, origin first; zeros for the first bin of a sequence.
    ridge : float or (n_input,)
        Precision of the normal prior on the weights of the inputs.
    pseudo_counts : (n_state, n_state), optional
        Transitions added where all inputs are 0: a Dirichlet prior, sticky where its diagonal is large.
    per_origin : bool
        Whether the inputs act differently after each state.
    start : TransitionFit, optional
        Where to begin, for instance the last fit.
    max_iter, tol
        As for `fit_multinomial`.

    Returns
    -------
    TransitionFit

    Warns
    -----
    ConvergenceWarning
        If `ridge` is 0 and the inputs separate the next states.

    Notes
    -----
    :math:`p(z_t = j \mid z_{t-1} = i, u_t) = \operatorname{softmax}_j(b_{ij} + u_t R_{(i) j})`.
    """
    n_state, n_input = transitions.shape[1], inputs.shape[1]
    n_weight = n_state if per_origin else 1
    groups = []
    for i in range(n_state):
        first = n_state + (i if per_origin else 0) * n_input
        columns = np.r_[i, first + np.arange(n_input)]
        extra = None if pseudo_counts is None else pseudo_counts[i]
        groups.append(_Group(inputs, transitions[:, i], columns, intercept=True, extra=extra))
    precision = np.r_[np.zeros(n_state), np.tile(np.broadcast_to(ridge, n_input), n_weight)]
    begin = np.zeros((precision.size, n_state))
    if start is not None:
        begin = np.concatenate([start.base, start.weight.reshape(-1, n_state)])
    fit = _climb(groups, precision, begin, max_iter, tol)
    fit = _warned(fit, groups, precision, n_state + np.flatnonzero(precision[n_state:] == 0))
    weight = fit.coefficient[n_state:].reshape(n_weight, n_input, n_state)
    return TransitionFit(fit.coefficient[:n_state], weight, fit.value, fit.n_iter, fit.converged)


def transition_probability(inputs: Floats, base: Array, weight: Array) -> Array:
    """Probability of the next state at each bin.

    Parameters
    ----------
    inputs : (n_bin, n_input)
        Inputs, finite.
    base, weight
        As in `TransitionFit`.

    Returns
    -------
    (n_bin, n_state, n_state)
        Of the next state (last axis) after each state; entry ``t`` leads into bin ``t``.

    Examples
    --------
    >>> base, weight = np.zeros((2, 2)), np.array([[[-1.0, 1.0]]])
    >>> transition_probability(np.array([[0.0], [1.0]]), base, weight)[:, 0].round(3)
    array([[0.5  , 0.5  ],
           [0.119, 0.881]])
    """
    driven = np.einsum("tc,icj->tij", inputs, weight)
    return np.asarray(scipy.special.softmax(base + driven, axis=-1))


class _Group(NamedTuple):
    """Rows that share their columns of the coefficients: one origin of a chain, or everything."""

    design: Floats
    soft_labels: Floats
    columns: NDArray[np.int64]
    intercept: bool = False
    extra: Array | None = None  # (n_class,) counts at features 0

    def chunks(self) -> Iterator[tuple[Array, Array]]:
        for a in range(0, len(self.design), _ROWS):
            labels = np.asarray(self.soft_labels[a : a + _ROWS], np.float64)
            used = labels.sum(axis=1) > 0
            features = np.asarray(self.design[a : a + _ROWS][used], np.float64)
            yield self._widened(features), labels[used]
        if self.extra is not None:
            yield self._widened(np.zeros((1, self.design.shape[1]))), self.extra[None]

    def _widened(self, features: Array) -> Array:
        return np.concatenate([np.ones((len(features), 1)), features], axis=1) if self.intercept else features


class _Moments(NamedTuple):
    """Objective at some coefficients, and its derivatives where asked for."""

    value: float
    score: Array  # (P, K)
    information: Array  # (P, K, P, K)


def _climb(groups: Sequence[_Group], precision: Array, start: Array, max_iter: int, tol: float) -> MultinomialFit:
    """Damped Newton from `start`, which is first made to sum to 0 over classes."""
    coefficient = start - start.mean(axis=1, keepdims=True)
    now = _moments(groups, precision, coefficient)
    weight = max(sum(labels.sum() for group in groups for _, labels in group.chunks()), 1.0)
    for k in range(max_iter):
        step = _newton_step(now)
        slope = float((step * now.score).sum())
        if slope <= 2 * tol * weight:
            return MultinomialFit(coefficient, now.value, k, True)
        scale = _accepted(lambda c: _value(groups, precision, c), coefficient, step, now.value, slope)
        if scale == 0.0:
            return MultinomialFit(coefficient, now.value, k, True)
        coefficient = coefficient + scale * step
        now = _moments(groups, precision, coefficient)
    return MultinomialFit(coefficient, now.value, max_iter, False)


def _newton_step(now: _Moments) -> Array:
    """Solve for the step within the space of coefficients that sum to 0 over classes."""
    n_column, n_class = now.score.shape
    size = now.score.size
    hessian = now.information.reshape(size, size).copy()
    scale = np.maximum(hessian.diagonal().reshape(n_column, n_class).mean(axis=1), np.finfo(float).tiny)
    hessian += np.kron(np.diag(scale), np.ones((n_class, n_class)))
    damping = 1e-10 * scale.max()
    while True:
        try:
            factor = scipy.linalg.cho_factor(hessian + damping * np.eye(size))
        except np.linalg.LinAlgError:
            damping *= 100.0
            continue
        step = scipy.linalg.cho_solve(factor, now.score.ravel()).reshape(n_column, n_class)
        return np.asarray(step - step.mean(axis=1, keepdims=True))


def _accepted(value_at: Callable[[Array], float], coefficient: Array, step: Array, value: float, slope: float) -> float:
    """The first of 1, 1/2, 1/4, ... of a step that raises the objective enough; 0 if none does."""
    scale = 1.0
    for _ in range(_HALVINGS):
        if value_at(coefficient + scale * step) >= value + 1e-4 * scale * slope:
            return scale
        scale /= 2
    return 0.0


def _value(groups: Sequence[_Group], precision: Array, coefficient: Array) -> float:
    value = -0.5 * float((precision[:, None] * coefficient**2).sum())
    for group in groups:
        for features, labels in group.chunks():
            value += float((labels * scipy.special.log_softmax(features @ coefficient[group.columns], axis=1)).sum())
    return value


def _moments(groups: Sequence[_Group], precision: Array, coefficient: Array) -> _Moments:
    n_column, n_class = coefficient.shape
    value = -0.5 * float((precision[:, None] * coefficient**2).sum())
    score = -precision[:, None] * coefficient
    information = np.zeros((n_column, n_class, n_column, n_class))
    for group in groups:
        here = np.ix_(group.columns, np.arange(n_class), group.columns, np.arange(n_class))
        for features, labels in group.chunks():
            logp = scipy.special.log_softmax(features @ coefficient[group.columns], axis=1)
            probability, weight = np.exp(logp), labels.sum(axis=1, keepdims=True)
            value += float((labels * logp).sum())
            score[group.columns] += features.T @ (labels - weight * probability)
            information[here] += _information(features, probability, weight)
    columns, classes = np.ix_(np.arange(n_column), np.arange(n_class))
    information[columns, classes, columns, classes] += precision[:, None]
    return _Moments(value, score, information)


def _information(features: Array, probability: Array, weight: Array) -> Array:
    """Sum over rows of ``weight x x' (diag(p) - p p')``: (P, K, P, K)."""
    n_column, n_class = features.shape[1], probability.shape[1]
    spread = (features[:, :, None] * (probability * np.sqrt(weight))[:, None, :]).reshape(
        len(features), n_column * n_class
    )
    information = -(spread.T @ spread).reshape(n_column, n_class, n_column, n_class)
    for k in range(n_class):
        information[:, k, :, k] += features.T @ (features * (weight * probability[:, k : k + 1]))
    return np.asarray(information)


def _warned(
    fit: MultinomialFit, groups: Sequence[_Group], precision: Array, columns: NDArray[np.int64]
) -> MultinomialFit:
    """Warn of directions among `columns` in which nothing holds the coefficients back."""
    if not columns.size:
        return fit
    bare = np.zeros_like(precision)
    now = _moments(groups, bare, fit.coefficient).information[columns][:, :, columns]
    even = _moments(groups, bare, np.zeros_like(fit.coefficient)).information[columns][:, :, columns]
    size = columns.size * fit.coefficient.shape[1]
    root, vectors = np.linalg.eigh(even.reshape(size, size))
    kept = root > 1e-10 * root.max()
    basis = vectors[:, kept] / np.sqrt(root[kept])
    left = np.linalg.eigvalsh(basis.T @ now.reshape(size, size) @ basis)
    if left.size and left.min() < _FLAT:
        warnings.warn(
            "the features separate some classes, or a class never occurs: without a prior its coefficients grow "
            "without bound and are not to be read; give ridge > 0",
            ConvergenceWarning,
            stacklevel=3,
        )
    return fit
