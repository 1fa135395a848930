"""Linear forecasts of every node from the past of all, or of those that are wired to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from sklearn.base import clone

from dynome import labels
from dynome.dynamics.forecasting import self_regressions
from dynome.dynamics.forecasting.autoregression import kept_standard, on_lags
from dynome.dynamics.forecasting.contract import Fitted, Forecaster
from dynome.dynamics.forecasting.designs import Design, session_designs, with_one
from dynome.dynamics.forecasting.lags import Standard, checked_lags, lagged, of_lags, standard, standard_variables
from dynome.dynamics.forecasting.penalties import PENALTIES, chosen, penalty_curve
from dynome.dynamics.forecasting.persistence import no_iterations
from dynome.dynamics.forecasting.ridge import columns, errors, solutions, sums_of
from dynome.dynamics.forecasting.self_regressions import SelfRegressions
from dynome.dynamics.forecasting.series import Series
from dynome.dynamics.forecasting.spreads import residual_spread, spread_variable
from dynome.dynamics.forecasting.tallies import Forecast
from dynome.errors import InputError
from dynome.schema import HORIZON, LAG, NODE, SOURCE, TARGET

Array = NDArray[np.float64]

_USUAL = 3
_MOST_GB = 32


class Model(NamedTuple):
    """What forecasts are made from.

    Attributes
    ----------
    axis : (n_fitted,)
        Positions on the axis of nodes of those with training values.
    coefficient : (n_lags * n_fitted + 1, n_horizon, n_fitted)
        Of all values at the last bin, then at the one before; the intercept last.
    shared : (n_lags + 1, n_horizon)
        Of a node on its own past, for nodes without training values.
    by : Standard
    """

    axis: NDArray[np.int64]
    coefficient: Array
    shared: Array
    by: Standard


class RidgeVAR(Forecaster):
    r"""Forecast every node linearly from the last values of all nodes, at each horizon directly.

    A vector autoregression whose coefficients shrink towards those of `AR`: with a large penalty it is the
    autoregression of every node alone, so that what other nodes add is never bought with what a node knows of itself.
    With `support` only nodes with a measured connection to the target may add something.

    Parameters
    ----------
    n_lags : int or None
        Bins of the past, at most the context. None takes 3, or the context where it is shorter.
    penalty : "auto" or float
        Per window, on predictors of variance 1. ``"auto"`` takes at each horizon the best of thirteen from 0.001 to
        1000, on the validation part if `fit` is given one, else on four blocks of training that are left out in turn,
        together with the windows that share bins with them.
    support : None, True or Dataset
        None: every node may predict every other. A connectome: only its edges, from source to target, whatever their
        type, and every node itself. True: the connectome of the part.

    Attributes
    ----------
    results_ : Dataset
        ``coefficient (horizon, lag, source, target)`` and ``intercept (horizon, target)`` in units of standard
        deviations over training, over nodes with training values, ``lag`` 0 the last bin seen; ``penalty (horizon)``
        and ``validation_error (candidate, horizon)``; ``shared_coefficient (lag, horizon)``, an autoregression for
        nodes without training values; ``mean sd (node)``, ``spread (horizon, node)``; ``history``, empty.

    Notes
    -----
    The predictors are, of each node, the last value and the last changes from bin to bin, each in standard deviations;
    what is predicted is the change,

    .. math:: \min_b \sum_t (y_{t+h} - y_t - z_t'b)^2 + \lambda n \lVert b - b_{AR} \rVert^2,

    for every target and horizon, over the windows of all recordings that have the target. A node that a recording
    lacks is 0, its mean, in the predictors: one set of coefficients serves all animals, and the Gram matrices stay
    positive definite, which those pooled pair by pair need not.

    Examples
    --------
    >>> from dynome import schema, study
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(300, 2))
    >>> x[1:, 1] += 2 * x[:-1, 0]
    >>> rec = schema.recording(x, time=np.arange(300.0), node=["a", "b"], units="1")
    >>> part = study.build({"worm": rec}, attrs=dict(context=1, horizons=[1], variable="activity", interval=1.0))
    >>> model = RidgeVAR(penalty=1e-3).fit(part)
    >>> slope = model.results_.coefficient.sel(source="a", target="b").item() * x[:, 1].std() / x[:, 0].std()
    >>> round(float(slope), 1)
    2.0
    """

    def __init__(
        self,
        n_lags: int | None = None,
        *,
        penalty: float | Literal["auto"] = "auto",
        support: xr.Dataset | Literal[True] | None = None,
    ) -> None:
        self.n_lags = n_lags
        self.penalty = penalty
        self.support = support

    @property
    def uses_wiring(self) -> bool:
        """Whether there is a support."""
        return self.support is not None

    def with_wiring(self, connectome: xr.Dataset) -> Self:
        """The same model, unfitted, with another connectome as its support.

        Parameters
        ----------
        connectome : Dataset
            It takes the place of the support.

        Raises
        ------
        InputError
            If the model has no support.
        """
        if not self.uses_wiring:
            raise InputError("this RidgeVAR does not use the connectome (support=None); there is none to replace")
        copy: Self = clone(self).set_params(support=connectome)
        return copy

    def _fit(self, series: Series, validation: Series | None, wiring: xr.Dataset | None, seed: int) -> Fitted:
        n_lags, reach = checked_lags(self.n_lags, _USUAL, series), series.context + max(series.horizons)
        self._check_penalty()
        by, axis = standard(series), np.flatnonzero(series.recorded.any(axis=0))
        _check_size(n_lags * axis.size, axis.size * len(series.horizons))
        support = supported(self.support, wiring, series.nodes[axis])
        train = session_designs(series, n_lags, by, axis)
        held = [] if validation is None else session_designs(validation, n_lags, by, axis)
        own = self_regressions.fitted(train, held, axis.size, reach)

        def held_errors(train: Sequence[Design], held: Sequence[Design]) -> Array:
            sums = [sums_of(part) for part in train]
            return errors(solutions(sums, support, own.coefficient, PENALTIES), held, len(PENALTIES))

        curve = np.full((len(PENALTIES), len(series.horizons)), np.nan)
        if self.penalty == "auto":
            curve = penalty_curve(held_errors, train, held, reach)
        penalty = chosen(curve) if self.penalty == "auto" else np.full(len(series.horizons), float(self.penalty))
        used = np.unique(penalty)
        coefficient = np.zeros((n_lags * axis.size + 1, len(series.horizons), axis.size))
        for group in solutions([sums_of(part) for part in train], support, own.coefficient, used.tolist()):
            at, _ = columns(group.sources, group.sources, n_lags)
            into = np.append((np.arange(n_lags)[:, None] * axis.size + group.sources).ravel(), n_lags * axis.size)
            for h, k in enumerate(np.searchsorted(used, penalty).tolist()):
                coefficient[into[:, None], h, group.targets] = group.coefficient[k][at, h]
        model = _on_lags(coefficient, own, by, axis)

        def said(series: Series, origin: NDArray[np.int64]) -> Forecast:
            return Forecast(_mean(series, origin, model))

        spread = residual_spread(said, series, validation)
        return Fitted(_described(model, penalty, curve, spread, series))

    def _forecast(self, series: Series, origin: NDArray[np.int64]) -> Forecast:
        results = self._fitted()
        mean = _mean(series, origin, _model(results))
        return Forecast(mean, np.broadcast_to(results["spread"].to_numpy().astype(np.float32), mean.shape))

    def _check_penalty(self) -> None:
        ok = self.penalty == "auto" or (
            isinstance(self.penalty, int | float | np.number) and np.isfinite(self.penalty) and self.penalty > 0
        )
        if not ok:
            raise InputError(f'penalty must be "auto" or a number above 0, got {self.penalty!r}')


def _check_size(n_predictors: int, n_targets: int) -> None:
    """Refuse what would not fit into the memory of an ordinary machine."""
    need = 8 * n_predictors * (n_predictors + n_targets) / 1e9
    if need > _MOST_GB:
        raise InputError(
            f"RidgeVAR on {n_predictors} predictors and {n_targets} targets needs about {need:.0f} GB, more than "
            f"{_MOST_GB}; take fewer nodes, lags or horizons, or AR"
        )


def supported(support: Any, wiring: xr.Dataset | None, nodes: NDArray[Any]) -> NDArray[np.bool_]:
    """Which node may predict which, (source, target).

    Parameters
    ----------
    support : None, True or Dataset
        As in `RidgeVAR`.
    wiring : Dataset or None
        The connectome of the part.
    nodes : (n_node,)
        Labels.
    """
    if support is None:
        return np.ones((nodes.size, nodes.size), dtype=bool)
    if support is True:
        if wiring is None:
            raise InputError(
                "RidgeVAR(support=True) needs a connectome and the part has none: make the task with "
                "forecasting_task(study, connectome), or give support=connectome"
            )
        support = wiring
    if not isinstance(support, xr.Dataset) or SOURCE not in support or "weight" not in support:
        raise InputError(f"support must be None, True or a connectome (a Dataset), got {type(support).__name__}")
    there = support["weight"].to_numpy() != 0
    source, target = (labels.positions(support[end].to_numpy()[there], nodes) for end in (SOURCE, TARGET))
    out = np.zeros((nodes.size, nodes.size), dtype=bool)
    both = (source >= 0) & (target >= 0)
    out[source[both], target[both]] = True
    return out


def _on_lags(coefficient: Array, own: SelfRegressions, by: Standard, axis: NDArray[np.int64]) -> Model:
    """Forecasts of values from values, where the fit has changes from changes."""
    n_lags, n = own.shared.shape[0] - 1, axis.size
    out = coefficient.copy()
    lagwise = of_lags(coefficient[:-1].reshape(n_lags, n, *coefficient.shape[1:]), by.step[axis])
    lagwise[0, np.arange(n), :, np.arange(n)] += 1
    out[:-1] = lagwise.reshape(out[:-1].shape)
    unknown = np.setdiff1d(np.arange(by.mean.size), axis)
    usual = on_lags(own, by, axis)[unknown[:1]]
    return Model(axis, out, usual[0] if unknown.size else own.shared, by)


def _mean(series: Series, origin: NDArray[np.int64], model: Model) -> NDArray[np.float32]:
    n_lags, axis, by = model.shared.shape[0] - 1, model.axis, model.by
    unknown = np.setdiff1d(np.arange(series.nodes.size), axis)
    out = np.empty((origin.size, len(series.horizons), series.nodes.size), dtype=np.float32)
    x = with_one(lagged(series, origin, n_lags, by, axis).reshape(origin.size, -1))
    said = (x @ model.coefficient.reshape(x.shape[1], -1)).reshape(origin.size, -1, axis.size)
    out[:, :, axis] = said * by.sd[axis] + by.mean[axis]
    own = with_one(lagged(series, origin, n_lags, by, unknown))
    out[:, :, unknown] = np.einsum("wln,lh->whn", own, model.shared) * by.sd[unknown] + by.mean[unknown]
    return out


def _described(model: Model, penalty: Array, curve: Array, spread: Array, series: Series) -> xr.Dataset:
    n_lags, n = model.shared.shape[0] - 1, model.axis.size
    about = {"units": "1", "long_name": "coefficients, standardized"}
    lagwise = model.coefficient[:-1].reshape(n_lags, n, len(series.horizons), n).transpose(2, 0, 1, 3)
    return xr.Dataset(
        {
            "coefficient": ((HORIZON, LAG, SOURCE, TARGET), lagwise, about),
            "intercept": ((HORIZON, TARGET), model.coefficient[-1], about),
            "shared_coefficient": ((LAG, HORIZON), model.shared[:-1], about),
            "shared_intercept": ((HORIZON,), model.shared[-1], about),
            "penalty": ((HORIZON,), penalty, {"units": "1", "long_name": "penalty per window"}),
            "validation_error": (("candidate", HORIZON), curve, {"units": "1", "long_name": "mean squared error"}),
            **standard_variables(model.by),
            **spread_variable(spread, series),
            "history": no_iterations(),
        },
        coords={
            LAG: (LAG, np.arange(n_lags), {"units": "1"}),
            SOURCE: series.nodes[model.axis],
            TARGET: series.nodes[model.axis],
            "candidate": ("candidate", np.array(PENALTIES), {"units": "1", "long_name": "penalty per window"}),
        },
    )


def _model(results: xr.Dataset) -> Model:
    lagwise = results["coefficient"].to_numpy()
    n_horizon, n_lags, n, _ = lagwise.shape
    flat = lagwise.transpose(1, 2, 0, 3).reshape(n_lags * n, n_horizon, n)
    coefficient = np.concatenate([flat, results["intercept"].to_numpy()[None]])
    lines, constant = results["shared_coefficient"].to_numpy(), results["shared_intercept"].to_numpy()
    by = kept_standard(results)
    axis = labels.positions(results[SOURCE].to_numpy(), results[NODE].to_numpy())
    return Model(axis, coefficient, np.concatenate([lines, constant[None]]), by)
