"""From raw outputs of a network to a forecast and its loss: a value, a normal law or a count."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias, get_args

import torch
from torch import Tensor

from dynome.errors import InputError, listed

HeadName: TypeAlias = Literal["point", "gaussian", "poisson"]

_LEAST_SPREAD = 1e-3
_TILT = 0.5
_LEAST_RATE, _LOG_RATE = 1e-2, 12.0


class Said(NamedTuple):
    """A forecast with its gradient.

    Attributes
    ----------
    mean : Tensor
        Expected values.
    scale : Tensor or None
        Standard deviations.
    """

    mean: Tensor
    scale: Tensor | None


def check_head(name: str) -> None:
    """Refuse a head that is not known.

    Raises
    ------
    InputError
        With the ones that are.
    """
    if name not in get_args(HeadName):
        raise InputError(f"head must be one of {listed(get_args(HeadName))}, got {name!r}")


def n_outputs(head: HeadName) -> int:
    """Raw numbers that a head takes for one value."""
    return 2 if head == "gaussian" else 1


def said(head: HeadName, raw: Tensor, base: Tensor) -> Said:
    """The forecast that raw outputs stand for.

    Parameters
    ----------
    head : {"point", "gaussian", "poisson"}
    raw : (..., n_outputs)
    base : (...)
        What the forecast is a change from: the last value, of counts the mean count of the context.
    """
    if head == "poisson":
        rate = (torch.log(base.clamp(min=_LEAST_RATE)) + raw[..., 0]).clamp(max=_LOG_RATE).exp()
        return Said(rate, rate.sqrt())
    mean = base + raw[..., 0]
    return Said(mean, torch.nn.functional.softplus(raw[..., 1]) + _LEAST_SPREAD if head == "gaussian" else None)


def mean_loss(head: HeadName, forecast: Said, target: Tensor, known: Tensor, *, tilted: bool = True) -> Tensor:
    r"""Mean loss over the targets that are known; zero where there is none.

    Parameters
    ----------
    head : {"point", "gaussian", "poisson"}
    forecast : Said
    target : Tensor
        Any finite value where it is not known.
    known : Tensor of bool
    tilted : bool
        Weight the likelihood of a normal law, as is done in training.

    Notes
    -----
    Squared error; the negative log likelihood of a normal law, weighted by :math:`\sigma` (detached), which keeps nodes
    that are hard to forecast from being given up [1]_; the Poisson deviance less what depends on the target alone.

    References
    ----------
    .. [1] Seitzer et al., ICLR 2022, arXiv:2203.09168.
    """
    if head == "poisson":
        loss = forecast.mean - target * forecast.mean.log()
    elif forecast.scale is None:
        loss = (forecast.mean - target) ** 2
    else:
        likelihood = 0.5 * ((forecast.mean - target) / forecast.scale) ** 2 + forecast.scale.log()
        loss = likelihood * forecast.scale.detach() ** (2 * _TILT) if tilted else likelihood
    return torch.where(known, loss, 0).sum() / known.sum().clamp(min=1)
