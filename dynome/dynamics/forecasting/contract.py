"""What every forecaster has in common: a part of a task in, labelled forecasts out.

A model subclasses `Forecaster` and writes two methods on arrays: ``_fit`` and ``_forecast``.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple, Self, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from sklearn.base import clone

from dynome import schema, seeds
from dynome import study as studies
from dynome.dynamics.forecasting.rollouts import Start, rolled_out, starting_points
from dynome.dynamics.forecasting.series import PART_ATTRS, Series, stacked, wiring_of
from dynome.dynamics.forecasting.tallies import Forecast, skill, tallied
from dynome.dynamics.forecasting.windows import blocks, origins
from dynome.errors import InputError
from dynome.estimator import Estimator, Results
from dynome.schema import HORIZON, NODE, TIME

WINDOW, _RECORDED = "window", "recorded"


class Fitted(NamedTuple):
    """What ``_fit`` hands back.

    Attributes
    ----------
    results : Dataset or DataTree
        Everything fitted; its root has ``history (iteration)``, and arrays over nodes have the dim ``node`` in the
        order of the series.
    converged : bool
        Whether the search ended by itself.
    n_iter : int
        Steps of it; 1 for closed forms.
    device, dtype : str
        Where and in what it was computed.
    """

    results: Results
    converged: bool = True
    n_iter: int = 1
    device: str = "cpu"
    dtype: str = "float64"


class Forecaster(Estimator):
    """Base of every model that forecasts activity."""

    missing_data = "mask"

    @property
    def uses_wiring(self) -> bool:
        """Whether the fit depends on the connectome."""
        return False

    def fit(self, part: xr.DataTree, validation: xr.DataTree | None = None) -> Self:
        """Learn from the windows of one part of a task.

        Parameters
        ----------
        part : DataTree
            ``task.train`` of `dynome.inference.forecasting_task`.
        validation : DataTree or None
            ``task.validation``, for models that stop early or choose a penalty by it; others ignore it.

        Returns
        -------
        Self

        Raises
        ------
        InputError
            If `part` is no part of a task, or holds no whole window.
        """
        started = time.perf_counter()
        series = stacked(part)
        _refuse_empty(series)
        if isinstance(validation, xr.DataTree) and not studies.sessions(validation):
            raise InputError("the validation part holds no recording; leave it out: fit(task.train)")
        held = None if validation is None else stacked(validation, series.nodes)
        seed = seeds.resolve(getattr(self, "random_state", 0))
        fitted = self._fit(series, held, wiring_of(part), seed)
        results = fitted.results
        if isinstance(results, xr.Dataset):  # a tree brings the labels of its root
            results = results.assign_coords({NODE: (NODE, series.nodes)})
        told = {"long_name": "recorded at fit"}
        results[_RECORDED] = xr.DataArray(series.recorded.any(axis=0), dims=NODE, attrs=told)
        results.attrs.update({name: part.attrs[name] for name in PART_ATTRS}, units=series.units)
        return self._finish(
            results,
            started=started,
            converged=fitted.converged,
            n_iter=fitted.n_iter,
            random_state=seed,
            device=fitted.device,
            dtype=fitted.dtype,
        )

    def predict(self, part: xr.DataTree, *, interval: float | None = None) -> xr.Dataset:
        """Forecasts of every window of a part.

        Parameters
        ----------
        part : DataTree
            E.g. ``task.test``.
        interval : float or None
            Probability of the interval between ``lower`` and ``upper``, for models that have one.

        Returns
        -------
        Dataset
            ``forecast (window, horizon, node)`` in the units of the recordings, and ``lower upper`` of the same shape.
            Coordinates of ``window``: ``session``, and ``time``, that of the last bin the forecast has seen. Nodes
            that neither the training part nor `part` recorded are left out; those that a session did not record are
            forecast all the same by models that can, on the scale of other sessions.

        Raises
        ------
        NotFittedError
            Before `fit`.
        InputError
            If the model has no interval, or `part` does not suit it.
        """
        series = self._series_of(part)
        if interval is not None and not 0 < interval < 1:
            raise InputError(f"interval must be between 0 and 1, got {interval:g}")
        origin = origins(series)
        names = ["forecast"] if interval is None else ["forecast", "lower", "upper"]
        out = {
            name: np.empty((origin.size, len(series.horizons), series.nodes.size), dtype=np.float32) for name in names
        }
        first = 0
        for block in blocks(series, origin):
            said = self._forecast(series, block)
            rows, session = slice(first, first + block.size), series.session[block]
            bounds = () if interval is None else self._bounds(said, interval)
            for name, array in zip(names, (said.mean, *bounds), strict=True):
                out[name][rows] = array * series.scale[session][:, None] + series.center[session][:, None]
            first += block.size
        found = self._labelled(out, series, origin)
        return found if interval is None else found.assign_attrs(probability=interval)

    def rollout(self, part: xr.DataTree, n_steps: int, *, start: Start = "first") -> xr.Dataset:
        """Let the model run on its own forecasts, one bin after another, once in every stretch of the recordings.

        Parameters
        ----------
        part : DataTree
            E.g. ``task.test``.
        n_steps : int
            Bins to make, at least 1.
        start : {"first", "last"}
            After the first whole context of the stretch (there is a truth to compare with), or after its last bin.

        Returns
        -------
        Dataset
            ``forecast (window, horizon, node)`` with horizons 1 to `n_steps`, else as `predict` gives it.

        Raises
        ------
        NotFittedError
            Before `fit`.
        InputError
            If 1 is none of the horizons, or no stretch is long enough.
        """
        series = self._series_of(part)
        if n_steps < 1 or start not in get_args(Start):
            raise InputError(f"n_steps is at least 1 and start 'first' or 'last', got {n_steps} and {start!r}")
        origin = starting_points(series, n_steps, start)
        made = rolled_out(self._forecast, series, origin, n_steps)
        session = series.session[origin]
        forecast = (made * series.scale[session][:, None] + series.center[session][:, None]).astype(np.float32)
        return self._labelled({"forecast": forecast}, series._replace(horizons=tuple(range(1, n_steps + 1))), origin)

    def score(self, part: xr.DataTree) -> float:
        """Skill against persistence, averaged over horizons and sessions: 1 is perfect, 0 is as good as persistence.

        Parameters
        ----------
        part : DataTree
            E.g. ``task.test``.

        Raises
        ------
        NotFittedError
            Before `fit`.
        InputError
            If `part` has no whole window.
        """
        series = self._series_of(part)
        _refuse_empty(series)
        return float(np.nanmean(skill(tallied(self._forecast, series))))

    def with_wiring(self, connectome: xr.Dataset) -> Self:
        """The same model, unfitted, on another connectome.

        Parameters
        ----------
        connectome : Dataset
            It takes the place of that of the part.

        Raises
        ------
        InputError
            If the model does not use the connectome.
        """
        if not self.uses_wiring:
            raise InputError(f"{type(self).__name__} does not use the connectome; there is none to replace")
        copy: Self = clone(self)
        copy.set_params(connectome=connectome)
        return copy

    def _fit(self, series: Series, validation: Series | None, wiring: xr.Dataset | None, seed: int) -> Fitted:
        raise TypeError(f"{type(self).__name__} must define _fit")

    def _forecast(self, series: Series, origin: NDArray[np.int64]) -> Forecast:
        raise TypeError(f"{type(self).__name__} must define _forecast")

    def _bounds(self, said: Forecast, interval: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Ends of the interval, of a normal law unless a model says otherwise."""
        from scipy.special import ndtri

        if said.scale is None:
            raise InputError(f"this {type(self).__name__} forecasts a value and no spread; it has no interval")
        reach = np.float32(ndtri(0.5 + interval / 2)) * said.scale
        return said.mean - reach, said.mean + reach

    def _series_of(self, part: xr.DataTree) -> Series:
        """Arrays of a part on the nodes of the fit; refused if it asks for other windows than were learnt."""
        results = self._fitted()
        series = stacked(part, results[NODE].to_numpy())
        for name in ("context", "horizons", "variable"):
            learnt, found = results.attrs[name], part.attrs[name]
            if not np.array_equal(np.atleast_1d(learnt), np.atleast_1d(found)):
                raise InputError(f"fitted with {name} = {learnt}, asked to forecast with {name} = {found}; fit again")
        if not series.recorded.any():
            raise InputError("no node of this part was known at fit; the labels must agree")
        return series

    def _labelled(
        self, arrays: dict[str, NDArray[np.float32]], series: Series, origin: NDArray[np.int64]
    ) -> xr.Dataset:
        """Arrays ``(window, horizon, node)`` with their labels, of nodes that anybody recorded."""
        known = self.results_[_RECORDED].to_numpy() | series.recorded.any(axis=0)
        attrs: dict[str, Any] = {"units": series.units}
        return xr.Dataset(
            {name: ((WINDOW, HORIZON, NODE), array[..., known], attrs) for name, array in arrays.items()},
            coords={
                HORIZON: (HORIZON, np.array(series.horizons), {"units": "1", "long_name": "bins ahead"}),
                NODE: (NODE, series.nodes[known]),
                schema.SESSION: (WINDOW, np.array(series.sessions)[series.session[origin]]),
                TIME: (WINDOW, series.time[origin], {"units": "s"}),
            },
            attrs={"variable": series.variable, "context": series.context, "sampling_interval": series.interval},
        )


def _refuse_empty(series: Series) -> None:
    if not origins(series).size:
        longest = int(np.diff(series.starts).max(initial=0))
        raise InputError(
            f"no window fits: context {series.context} and horizon {max(series.horizons)} need "
            f"{series.context + max(series.horizons)} bins in a row, the longest stretch has {longest}; shorten them"
        )
