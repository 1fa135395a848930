"""Laws of observations and links: how an activation becomes a rate, and a rate an observation.

An activation ``eta`` is bias + coupled history + covariates. The link makes a mean of it; the law says how observations
scatter around the mean. Both are guarded so that no mean is ever 0 or infinite (see `mean`). A new law needs a line in
`LINKS`, a branch in `sample`, `constant` and `add_observation_problems`, and a loop in `pointwise`.
"""

from __future__ import annotations

from typing import Any, Final, Literal, get_args

import numpy as np
import scipy.special
from numpy.typing import NDArray

from dynome.errors import InputError, Problems, listed

Law = Literal["poisson", "bernoulli", "negative_binomial", "gaussian", "categorical"]
Link = Literal["exp", "softplus", "sigmoid", "identity", "softmax"]
Floats = NDArray[np.floating]

LINKS: Final[dict[Law, tuple[Link, ...]]] = {
    "poisson": ("softplus", "exp", "sigmoid", "identity"),
    "bernoulli": ("sigmoid",),
    "negative_binomial": ("softplus", "exp"),
    "gaussian": ("identity",),
    "categorical": ("softmax",),
}
"""Links of every law; the first is the default."""

LOWEST: Final = -36.0
"""Below this activation a mean stays where it is (2.3e-16), while its logarithm keeps falling."""
HIGHEST: Final = 20.0
"""Above this activation the exponential link is capped (4.9e8 a bin) and flat."""
RATE_FLOOR: Final = 1e-6
"""Least rate of counts under the identity link, which is flat below."""

_COUNTS = ("poisson", "negative_binomial")
_SAFE_MEAN = 1e-6


def link_for(law: Law, link: Link | None = None) -> Link:
    """The link of a law, checked; its default where none is given.

    Parameters
    ----------
    law : str
        A key of `LINKS`.
    link : str, optional
        One of the links of the law.

    Raises
    ------
    InputError
        If there is no such law, or the law does not go with the link.

    Examples
    --------
    >>> link_for("poisson")
    'softplus'
    """
    if law not in LINKS:
        raise InputError(f"the law of the observations must be one of {listed(get_args(Law))}, got {law!r}")
    if link is not None and link not in LINKS[law]:
        raise InputError(f"{law} observations go with the links {listed(LINKS[law])}, got {link!r}")
    return LINKS[law][0] if link is None else link


def mean(eta: Floats, link: Link) -> Floats:
    r"""Mean of the observation at an activation.

    Parameters
    ----------
    eta : (...)
        Activations; for softmax, one a class along the last axis.
    link : {"exp", "softplus", "sigmoid", "identity", "softmax"}
        How activation becomes mean.

    Returns
    -------
    (...)
        In the dtype of `eta`: counts a bin for exp and softplus; probabilities for sigmoid and softmax; `eta` itself
        for identity. NaN stays NaN.

    Notes
    -----
    No mean is 0 or infinite. :math:`e^\eta` and :math:`\log(1 + e^\eta)` stop falling at :math:`\eta = -36`, where they
    are 2e-16, too small to matter in a sum, whereas their logarithms are continued exactly: a spike there keeps its
    pull. :math:`e^\eta` stops growing at :math:`\eta = 20` (5e8 counts a bin) and is flat beyond, as is its
    likelihood. The Poisson law with the identity link floors its rate at 1e-6 where it is evaluated: the likelihood is
    that of the floored rate, and its derivative is 0 below the floor.

    Examples
    --------
    >>> mean(np.array([-np.inf, 0.0, np.inf]), "exp")
    array([2.31952283e-16, 1.00000000e+00, 4.85165195e+08])
    """
    if link == "identity":
        return np.asarray(eta)
    if link == "softmax":
        return np.asarray(scipy.special.softmax(eta, axis=-1), eta.dtype)
    raised = np.maximum(eta, LOWEST)
    if link == "exp":
        return np.asarray(np.exp(np.minimum(raised, HIGHEST)), eta.dtype)
    if link == "softplus":
        return np.asarray(np.maximum(raised, 0) + np.log1p(np.exp(-np.abs(raised))), eta.dtype)
    return np.asarray(scipy.special.expit(raised), eta.dtype)


def link_of(mean: Floats, link: Link) -> Floats:
    """Activation that gives a mean: the inverse of `mean`.

    Parameters
    ----------
    mean : (...)
        Means, for instance of the counts of a node. A mean of 0, and a probability of 0 or 1, are moved inside by
        1e-6, so that silent nodes get a low activation and not an infinite one.
    link : {"exp", "softplus", "sigmoid", "identity", "softmax"}
        As for `mean`; softmax gives activations that sum to 0 over the last axis.

    Returns
    -------
    (...)
        Finite where `mean` is finite.

    Examples
    --------
    >>> link_of(np.array([0.5, 1.0]), "exp").round(3).tolist()
    [-0.693, 0.0]
    """
    if link == "identity":
        return np.asarray(mean)
    safe = np.maximum(mean, _SAFE_MEAN)
    if link == "softplus":
        return np.asarray(safe + np.log(-np.expm1(-safe)))
    if link == "sigmoid":
        return np.asarray(scipy.special.logit(np.minimum(safe, 1 - _SAFE_MEAN)))
    log = np.log(safe)
    return np.asarray(log - log.mean(axis=-1, keepdims=True) if link == "softmax" else log)


def sample(eta: Floats, law: Law, link: Link, dispersion: Any, rng: np.random.Generator) -> NDArray[np.float64]:
    """Observations drawn at the given activations.

    Parameters
    ----------
    eta : (...)
        Activations; for the categorical law one a class along the last axis, which is drawn from.
    law, link : str
        How they are observed.
    dispersion : broadcastable to eta
        Variance (Gaussian) or alpha (negative binomial, variance ``mean + alpha mean^2``); else unused.
    rng : Generator
        Where the randomness comes from.

    Returns
    -------
    (...) float64
        Counts, 0 or 1, real values, or codes of classes (without the last axis).
    """
    if law == "categorical":
        cumulative = np.cumsum(mean(eta, link), axis=-1)
        drawn = rng.random((*eta.shape[:-1], 1)) * cumulative[..., -1:]
        return np.asarray((drawn >= cumulative).sum(axis=-1), np.float64)
    expected = mean(np.asarray(eta, np.float64), link)
    if law == "gaussian":
        return np.asarray(expected + np.sqrt(dispersion) * rng.standard_normal(expected.shape))
    if law == "bernoulli":
        return np.asarray(rng.random(expected.shape) < expected, np.float64)
    rate = np.maximum(expected, RATE_FLOOR) if link == "identity" else expected
    if law == "negative_binomial":
        alpha = np.maximum(dispersion, 1e-12)
        rate = rate * rng.gamma(np.broadcast_to(1 / alpha, rate.shape)) * alpha
    return np.asarray(rng.poisson(rate), np.float64)


def constant(y: Floats, law: Law) -> NDArray[np.float64]:
    """Terms of each log probability that hold no parameter; reported log likelihoods include them.

    Parameters
    ----------
    y : (...)
        Observations; NaN is missing.
    law : str
        Law of the observations.

    Returns
    -------
    (...) float64, nats
        ``-log y!`` for counts, ``-log(2 pi) / 2`` for Gaussian values, else 0; 0 where `y` is missing.

    Examples
    --------
    >>> constant(np.array([0.0, 3.0, np.nan]), "poisson").round(4).tolist()
    [0.0, -1.7918, 0.0]
    """
    if law in _COUNTS:
        term = -scipy.special.gammaln(np.asarray(y, np.float64) + 1)
    else:
        term = np.full(np.shape(y), -0.5 * np.log(2 * np.pi) if law == "gaussian" else 0.0)
    return np.asarray(np.where(np.isnan(y), 0.0, term) + 0.0)


def add_observation_problems(problems: Problems, y: Floats, law: Law) -> None:
    """Note what keeps observations from following a law.

    Parameters
    ----------
    problems : Problems
        Where to note it.
    y : (...)
        Observations; NaN is missing and allowed.
    law : str
        Counts must be whole and not negative, Bernoulli observations 0 or 1, classes the codes 0, 1, ...; none may be
        infinite.
    """
    seen = np.asarray(y)[~np.isnan(y)]
    if not seen.size:
        problems.add("every observation is missing (NaN)")
        return
    if count := int(np.isinf(seen).sum()):
        problems.add(f"{count} observations are infinite; make them NaN if they are missing")
    seen = seen[np.isfinite(seen)]
    if law == "gaussian" or not seen.size:
        return
    if law == "bernoulli":
        if (wrong := seen[(seen != 0) & (seen != 1)]).size:
            problems.add(f"bernoulli observations must be 0 or 1; {wrong.size} are not, e.g. {wrong[0]:g}")
        return
    what = "classes must be whole numbers 0, 1, ..." if law == "categorical" else "counts must be whole numbers"
    hint = "" if law == "categorical" else "; use observation='gaussian' for dF/F or smoothed rates"
    if (wrong := seen[seen != np.floor(seen)]).size:
        problems.add(f"{law} {what}; {wrong.size} are not, e.g. {wrong[0]:g}{hint}")
    if (wrong := seen[seen < 0]).size:
        problems.add(f"{law} observations must not be negative; {wrong.size} are, e.g. {wrong[0]:g}{hint}")
