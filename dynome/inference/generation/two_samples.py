"""Statistics that say how far two samples differ, for the labels as they are and for many permutations at once.

Each takes `membership (n_labelling, n)`, 1 where a member counts as real and 0 where as synthetic, first the true
labels, then permutations of them, and returns one number for each labelling. None looks at the labels before that.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_FOLDS = 5
_DIRECTIONS = 20
_PENALTY = 0.1  # of the classifier, against features of variance 1, for each feature and person


def labellings(n_real: int, n_synthetic: int, n_permutations: int, rng: np.random.Generator) -> Array:
    """The true labels and permutations of them.

    Parameters
    ----------
    n_real, n_synthetic, n_permutations : int
    rng : Generator

    Returns
    -------
    (1 + n_permutations, n_real + n_synthetic)

    Examples
    --------
    >>> labellings(2, 1, 1, np.random.default_rng(0))[0].tolist()
    [1.0, 1.0, 0.0]
    """
    true = np.repeat([1.0, 0.0], [n_real, n_synthetic])
    return np.stack([true, *(rng.permutation(true) for _ in range(n_permutations))])


def squared_distances(x: Array) -> Array:
    """Between all rows.

    Parameters
    ----------
    x : (n, n_feature)

    Returns
    -------
    (n, n)
    """
    x = x - x.mean(axis=0)
    square = np.einsum("ij,ij->i", x, x)
    out = np.maximum(square[:, None] + square - 2 * x @ x.T, 0.0)
    np.fill_diagonal(out, 0.0)
    return np.asarray(out)


def gaussian_kernel(x: Array) -> Array:
    """Gaussian kernel whose width is the median distance.

    Parameters
    ----------
    x : (n, n_feature)

    Returns
    -------
    (n, n)
    """
    distance = squared_distances(x)
    median = float(np.median(distance[np.triu_indices(len(x), 1)]))
    return np.asarray(np.exp(-distance / (median if median > 0 else 1.0)))


def discrepancy(kernel: Array, membership: Array) -> Array:
    r"""Squared maximum mean discrepancy, unbiased: about 0 for samples of one distribution.

    Parameters
    ----------
    kernel : (n, n)
    membership : (n_labelling, n)

    Notes
    -----
    :math:`\overline{k(x, x')} + \overline{k(y, y')} - 2\, \overline{k(x, y)}` without pairs of one member with itself
    (Gretton et al., JMLR 2012).
    """
    plain = kernel - np.diag(np.diag(kernel))
    a, b = membership, 1 - membership
    n, m = a.sum(axis=1), b.sum(axis=1)
    ka = a @ plain
    aa, ab = np.einsum("pi,pi->p", ka, a), np.einsum("pi,pi->p", ka, b)
    bb = plain.sum() - aa - 2 * ab
    return np.asarray(aa / (n * (n - 1)) + bb / (m * (m - 1)) - 2 * ab / (n * m))


def mean_differences(x: Array, membership: Array) -> Array:
    """Mean over features of the squared difference of means, in variances of the feature.

    Parameters
    ----------
    x : (n, n_feature)
    membership : (n_labelling, n)

    Returns
    -------
    (n_labelling,)
        About ``1 / n_real + 1 / n_synthetic`` for samples of one distribution.
    """
    x = x - x.mean(axis=0)
    variance = x.var(axis=0)
    kept = x[:, variance > 0] / np.sqrt(variance[variance > 0])
    return np.asarray(np.square(_contrast(membership) @ kept).mean(axis=1))


def log_spread_ratios(x: Array, membership: Array) -> Array:
    """Mean over features of log(sd of the synthetic / sd of the real): below 0 where variance has collapsed.

    Parameters
    ----------
    x : (n, n_feature)
    membership : (n_labelling, n)
    """
    x = x - x.mean(axis=0)
    x = x[:, x.var(axis=0) > 0]
    variances = []
    for member in (membership, 1 - membership):
        n = member.sum(axis=1, keepdims=True)
        mean = member @ x / n
        variances.append((member @ x**2 / n - mean**2) * n / (n - 1))
    return np.asarray(0.5 * np.log(np.maximum(variances[1], 1e-300) / np.maximum(variances[0], 1e-300)).mean(axis=1))


def slope_differences(x: Array, columns: Array, membership: Array) -> Array:
    """Mean over features of the squared difference of regression slopes, in variances of the feature.

    Parameters
    ----------
    x : (n, n_feature)
    columns : (n, n_column)
        Conditions, scaled to variance 1; slopes on each alone, added up.
    membership : (n_labelling, n)
    """
    x = (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-300)
    total = np.zeros(len(membership))
    for c in columns.T:
        slopes = []
        for member in (membership, 1 - membership):
            n = member.sum(axis=1, keepdims=True)
            at = (member @ c)[:, None] / n
            variance = (member @ c**2)[:, None] / n - at**2
            slopes.append(((member * c) @ x / n - at * (member @ x) / n) / np.maximum(variance, 1e-12))
        total += np.square(slopes[0] - slopes[1]).mean(axis=1)
    return total


def classifier_areas(x: Array, membership: Array, rng: np.random.Generator) -> Array:
    """Area under the curve of a classifier that tells real from synthetic, on members it was not trained on.

    Parameters
    ----------
    x : (n, n_feature)
    membership : (n_labelling, n)
    rng : Generator
        Deals members into five folds.

    Returns
    -------
    (n_labelling,)
        0.5 where they cannot be told apart.

    Notes
    -----
    Ridge regression on up to 20 principal components of all members, their squares, and the logarithm of the squared
    length of the rest, so that different variances are found besides different means (Lopez-Paz & Oquab, ICLR 2017, for
    the test). Its predictions are linear in the labels: all permutations are one product.
    """
    n = len(x)
    features = _features(x)
    kernel = features @ features.T / features.shape[1]
    membership_centered = 2 * membership - 1
    fold = rng.permutation(n) % _FOLDS
    predicted = np.zeros(membership.shape)
    for k in range(_FOLDS):
        out = fold == k
        inner = kernel[np.ix_(~out, ~out)] + _PENALTY * (~out).sum() * np.eye((~out).sum()) / _FOLDS
        weights = np.linalg.solve(inner, kernel[np.ix_(~out, out)])
        labels = membership_centered[:, ~out]
        predicted[:, out] = (labels - labels.mean(axis=1, keepdims=True)) @ weights
    return _areas(predicted, membership)


def nearest_distances(x: Array, others: Array) -> Array:
    """Distance of each row to the nearest of other rows.

    Parameters
    ----------
    x : (n, n_feature)
    others : (m, n_feature)
    """
    both = np.concatenate([x, others])
    return np.asarray(np.sqrt(squared_distances(both)[: len(x), len(x) :].min(axis=1)))


def _contrast(membership: Array) -> Array:
    n = membership.sum(axis=1, keepdims=True)
    return np.asarray(membership / n - (1 - membership) / (membership.shape[1] - n))


def _features(x: Array) -> Array:
    x = x - x.mean(axis=0)
    left, size, _ = np.linalg.svd(x, full_matrices=False)
    k = min(_DIRECTIONS, len(x) // 4, int((size > 1e-10 * size[0]).sum()))
    scores = left[:, :k] * np.sqrt(len(x))
    rest = np.square(x).sum(axis=1) - np.square(left[:, :k] * size[:k]).sum(axis=1)
    far = np.log(np.maximum(rest, 1e-12 * float(size[0]) ** 2))
    out = np.column_stack([scores, scores**2, far])
    return np.asarray((out - out.mean(axis=0)) / np.maximum(out.std(axis=0), 1e-12))


def _areas(predicted: Array, membership: Array) -> Array:
    from scipy.stats import rankdata

    ranks = rankdata(predicted, axis=1)
    n = membership.sum(axis=1)
    m = membership.shape[1] - n
    return np.asarray(((ranks * membership).sum(axis=1) - n * (n + 1) / 2) / (n * m))
