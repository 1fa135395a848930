"""Priors by name."""

from __future__ import annotations

from typing import Literal, get_args

from dynome.dynamics.switching.priors.contract import Prior
from dynome.dynamics.switching.priors.gaussian import GaussianPrior
from dynome.dynamics.switching.priors.gumbel import GumbelPrior
from dynome.dynamics.switching.priors.one_hot import OneHotPrior
from dynome.dynamics.switching.priors.plain import NoPrior, RidgePrior
from dynome.errors import InputError, listed

PriorName = Literal["none", "ridge", "gaussian", "one_hot", "gumbel"]

_priors: dict[str, type[Prior]] = {
    "none": NoPrior,
    "ridge": RidgePrior,
    "gaussian": GaussianPrior,
    "one_hot": OneHotPrior,
    "gumbel": GumbelPrior,
}


def prior_of(prior: PriorName | Prior, connectome: object = None) -> Prior:
    """The prior itself, or the one of that name with its defaults.

    Parameters
    ----------
    prior : str or Prior
        One of `PriorName`, or an object with parameters of your own.
    connectome : object or None
        What was given as connectome: only priors on classes of edges can use one.

    Raises
    ------
    InputError
        If the name is unknown, the parameters of the prior are out of range, or it cannot use a connectome.

    Examples
    --------
    >>> prior_of("ridge")
    RidgePrior()
    """
    if isinstance(prior, str) and prior in _priors:
        prior = _priors[prior]()
    if not isinstance(prior, Prior):
        raise InputError(f"prior must be one of {listed(get_args(PriorName))} or a Prior, got {prior!r}")
    if connectome is not None and not prior.takes_connectome:
        able = [name for name, kind in _priors.items() if kind.takes_connectome]
        raise InputError(
            f"a {type(prior).__name__} has no use for a connectome; take prior={listed(able)} or leave it out"
        )
    prior.check()
    return prior
