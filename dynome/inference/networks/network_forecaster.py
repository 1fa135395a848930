"""What forecasters that are networks have in common: training, results, forecasts after loading.

A model says which network it is and how that sees a series. Both are made from ``results_`` alone, so that a model
that was loaded forecasts as the one that was saved.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import device as devices
from dynome import extras, seeds
from dynome.dynamics.forecasting.contract import Fitted, Forecaster
from dynome.dynamics.forecasting.series import Series
from dynome.dynamics.forecasting.tallies import Forecast
from dynome.errors import InputError, Problems
from dynome.inference.networks.wirings import WIRING, kept_edges
from dynome.schema import FEATURE, HORIZON, ITERATION, NODE

if TYPE_CHECKING:
    import torch
    from torch import nn

    from dynome.inference.networks.fitting import Views
    from dynome.inference.networks.heads import HeadName
    from dynome.inference.networks.tables import Table

WEIGHTS = "weights"
_CENTER, _SCALE, _KNOWN = "covariate_center", "covariate_scale", "known"


class NetworkForecaster(Forecaster):
    """Base of forecasters that are networks."""

    _lower: ClassVar[str] = "batch_size or hidden"

    head: HeadName
    n_epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    patience: int
    device: str
    checkpoint: str | os.PathLike[str] | None
    random_state: int | None

    def with_wiring(self, connectome: xr.Dataset) -> Self:
        """The same model, unfitted, on another connectome, and without a checkpoint, which is of this one.

        Parameters
        ----------
        connectome : Dataset
            It takes the place of that of the part.

        Raises
        ------
        InputError
            If the model does not use the connectome.
        """
        copy = super().with_wiring(connectome)
        copy.checkpoint = None
        return copy

    def _network(self, about: xr.DataTree, generator: torch.Generator) -> nn.Module:
        """The network, from what is known before training."""
        raise TypeError(f"{type(self).__name__} must define _network")

    def _views(self, about: xr.DataTree, series: Series, device: str) -> Views:
        """How the network sees a series."""
        raise TypeError(f"{type(self).__name__} must define _views")

    def _learnt(self, network: Any, series: Series) -> dict[str, xr.Dataset]:
        """What can be read from the trained network: variables by path in the results."""
        return {}

    def _wiring(self, of_part: xr.Dataset | None) -> xr.Dataset | None:
        """The connectome to keep, None for models without one."""
        return None

    def _add_problems(self, problems: Problems) -> None:
        """Note parameters of the model that cannot be used."""

    def _fit(self, series: Series, validation: Series | None, wiring: xr.Dataset | None, seed: int) -> Fitted:
        self._check(series)
        extras.require("torch", extra="torch")
        from dynome.inference.networks.fitting import Settings, fingerprint, fitted
        from dynome.training.loops import Plan
        from dynome.training.noise import seeded
        from dynome.training.weights import weights_dataset

        device = devices.resolve(self.device)
        about = self._about(series, wiring)
        rng = seeds.generator(seed, "network")
        with seeded(rng) as generator:
            network = self._network(about, generator).to(device)
        views = self._views(about, series, device)
        held = None if validation is None else (self._views(about, validation, device), validation)
        plan = Plan(self.n_epochs, self.learning_rate, self.weight_decay, self.patience)
        told = {k: v for k, v in self.get_params(deep=False).items() if k not in ("checkpoint", "device", "connectome")}
        settings = Settings(
            head=self.head,
            device=device,
            checkpoint=self.checkpoint,
            fingerprint=fingerprint(told | {"seed": seed}, *_arrays_of(series, validation, about)),
            subject=f"training {type(self).__name__}",
            lower=self._lower,
        )
        done = fitted(network, views, series, held, plan, settings, rng)
        history = {"history": (ITERATION, done.training.history, {"units": "1", "long_name": "training loss"})}
        if done.training.validation.size:
            history["validation"] = (
                ITERATION,
                done.training.validation,
                {"units": "1", "long_name": "validation loss"},
            )
        spread = (HORIZON, done.calibration, {"units": "1", "long_name": "factor of standard deviations"})
        root = about.to_dataset().assign(history | {"calibration": spread}).assign_attrs(best=done.training.best_epoch)
        parts = {f"/{name}": child.to_dataset(inherit=False) for name, child in about.children.items()}
        learnt = self._learnt(network, series)
        root = root.merge(learnt.pop("", xr.Dataset()))
        parts |= {f"/{name}": found for name, found in learnt.items()}
        tree = xr.DataTree.from_dict({"/": root, **parts, f"/{WEIGHTS}": weights_dataset(network.cpu())})
        converged, n_iter = done.training.converged, done.training.history.size
        return Fitted(tree, converged, n_iter, device, "float32")

    def _forecast(self, series: Series, origin: NDArray[np.int64]) -> Forecast:
        from dynome.inference.networks.fitting import forecast

        results = self._fitted()
        device = devices.resolve(self.device)
        network = self._restored(device)
        views = self._views(results, series, device)
        return forecast(network, views, series, origin, results["calibration"].to_numpy())

    def _restored(self, device: str = "cpu") -> nn.Module:
        """The trained network, in evaluation mode."""
        from dynome.training.noise import seeded
        from dynome.training.weights import load_weights

        results = self._fitted()
        with seeded(np.random.default_rng(0)) as generator:
            network = self._network(results, generator)
        load_weights(network, results[WEIGHTS].to_dataset(inherit=False))
        return network.to(device).eval()

    def _bounds(self, said: Forecast, interval: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if self.head != "poisson":
            return super()._bounds(said, interval)
        from scipy.stats import poisson

        lower, upper = (np.asarray(poisson.ppf(q, said.mean)) for q in (0.5 - interval / 2, 0.5 + interval / 2))
        return lower.astype(np.float32), upper.astype(np.float32)

    def _about(self, series: Series, of_part: xr.Dataset | None) -> xr.DataTree:
        """What decides the network and its views, besides the parameters."""
        from dynome.inference.networks.tables import covariate_scaling

        center, scale = covariate_scaling(series)
        recorded = np.asarray(series.recorded.any(axis=0))
        coords: dict[str, Any] = {
            NODE: (NODE, series.nodes),
            HORIZON: (HORIZON, np.array(series.horizons), {"units": "1", "long_name": "bins ahead"}),
            FEATURE: (FEATURE, np.array(series.covariate_names, dtype=np.str_)),
        }
        wiring = self._wiring(of_part)
        if wiring is not None and "cell_type" in wiring.coords:
            coords["cell_type"] = (NODE, _told_of_nodes(wiring, "cell_type", series.nodes))
        root = xr.Dataset(
            {
                _KNOWN: (NODE, recorded),
                _CENTER: (FEATURE, center, {"units": "1"}),
                _SCALE: (FEATURE, scale, {"units": "1"}),
            },
            coords=coords,
            attrs={"context": series.context},
        )
        parts = {} if wiring is None else {f"/{WIRING}": kept_edges(wiring, series.nodes, recorded)}
        return xr.DataTree.from_dict({"/": root, **parts})

    def _check(self, series: Series) -> None:
        from dynome.inference.networks.heads import check_head

        check_head(self.head)
        problems = Problems(f"cannot fit {type(self).__name__}")
        for name in ("n_epochs", "batch_size", "patience"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
                problems.add(f"{name} must be an integer of at least 1, got {value!r}")
        if not self.learning_rate > 0 or not np.isfinite(self.learning_rate):
            problems.add(f"learning_rate must be positive, got {self.learning_rate!r}")
        if not self.weight_decay >= 0:
            problems.add(f"weight_decay must not be negative, got {self.weight_decay!r}")
        if self.head == "poisson" and (bad := _why_no_counts(series)):
            problems.add(
                f"head='poisson' forecasts counts, {bad}; make the task with scaling='none', or use 'gaussian'"
            )
        if self.checkpoint is not None and self.random_state is None:
            problems.add("a checkpoint needs random_state, an integer: a fit with another seed cannot go on from it")
        self._add_problems(problems)
        problems.raise_if_any(InputError)


def table_of(about: xr.DataTree, series: Series, device: str, head: str) -> Table:
    """The series on a device, covariates as in training.

    Raises
    ------
    InputError
        If the part has other covariates.
    """
    from dynome.inference.networks.tables import table

    learnt = tuple(about[FEATURE].to_numpy().tolist())
    if learnt != tuple(series.covariate_names):
        raise InputError(f"fitted with the covariates {learnt}, the part has {tuple(series.covariate_names)}")
    center, scale = about[_CENTER].to_numpy(), about[_SCALE].to_numpy()
    return table(series, center, scale, device, counts=head == "poisson")


def known_of(about: xr.DataTree) -> NDArray[np.bool_]:
    """Nodes that were recorded in training."""
    return np.asarray(about[_KNOWN].to_numpy().astype(bool))


def add_share(problems: Problems, name: str, value: float) -> None:
    """Note a value that is not from 0 to below 1."""
    if not 0 <= value < 1:
        problems.add(f"{name} must be at least 0 and below 1, got {value!r}")


def add_size(problems: Problems, name: str, value: Any, least: int = 1) -> None:
    """Note a value that is no integer of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        problems.add(f"{name} must be an integer of at least {least}, got {value!r}")


def _told_of_nodes(wiring: xr.Dataset, name: str, nodes: NDArray[Any]) -> NDArray[np.str_]:
    from dynome import labels

    told = wiring[name].to_numpy().astype(np.str_)
    place = labels.positions(nodes, wiring[NODE].to_numpy())
    return np.where(place >= 0, told[np.maximum(place, 0)], "") if told.size else np.full(nodes.size, "")


def _arrays_of(series: Series, validation: Series | None, about: xr.DataTree) -> list[NDArray[Any]]:
    parts = [series] if validation is None else [series, validation]
    arrays = [a for s in parts for a in (s.values, s.covariates, s.starts, s.scored, np.array(s.horizons))]
    if WIRING in about.children:
        edges = about.children[WIRING].to_dataset(inherit=False)
        arrays += [edges[name].to_numpy().astype(np.str_) for name in sorted(map(str, edges.data_vars))]
    return [*arrays, series.nodes.astype(np.str_)]


def _why_no_counts(series: Series) -> str:
    if (series.center != 0).any() or (series.scale != 1).any():
        return "these values are standardized"
    values = series.values[np.isfinite(series.values)]
    return "found values that are negative or no integers" if ((values < 0) | (values % 1 != 0)).any() else ""
