"""Every estimator keeps every contract of dynome.testing; and each contract, when broken, is noticed by its own check.

A new estimator is one line in `ESTIMATORS`.
"""

from __future__ import annotations

import importlib
import pkgutil

import numpy as np
import pytest
import xarray as xr

import dynome
from dynome import connectome, schema, seeds, study
from dynome.connectome import WeightedSBM
from dynome.dynamics import (
    AR,
    GLM,
    HMM,
    DynamicConnectome,
    MeanForecast,
    NonnegativeCP,
    NonnegativeParafac2,
    NonnegativeTucker,
    Persistence,
    RidgeVAR,
    SwitchingGLM,
)
from dynome.dynamics.forecasting.contract import Forecaster
from dynome.errors import InputError, MissingExtraError
from dynome.estimator import Estimator
from dynome.inference import (
    Biclustering,
    ConnectivityGaussian,
    ConnectivityVAE,
    ConnectomeGNN,
    ConnectomeRNN,
    GraphClassifier,
    GraphMaskedAutoencoder,
    GraphRegressor,
    RecurrentForecaster,
    TransformerForecaster,
)
from dynome.inference.dynamic_graphs.graph_estimator import GraphEstimator
from dynome.inference.dynamic_graphs.graph_predictor import GraphPredictor
from dynome.inference.generation.connectivity_model import ConnectivityModel
from dynome.inference.networks.network_forecaster import NetworkForecaster
from dynome.testing import CHECKS, Case, check_estimator


def tensor():
    rng = np.random.default_rng(0)
    return xr.DataArray(
        rng.random((8, 3, 4)) + 0.1,
        dims=("time", "animal", "pair"),
        coords={
            "time": ("time", np.arange(8) / 2, {"units": "s"}),
            "animal": ["w1", "w2", "w3"],
            "pair": list("abcd"),
            "source": ("pair", list("AABB")),
        },
        name="affinity",
        attrs={"units": "1"},
    )


def pair_tensor():
    """A tensor whose pairs say which nodes they join."""
    return tensor().assign_coords(source=("pair", list("aabb")), target=("pair", list("bcac"))).isel(pair=[0, 1, 3])


def recordings():
    """Activity that may be negative."""
    activity = tensor().rename(pair="node").transpose("animal", "time", "node")
    return (activity - activity.mean()).assign_attrs(activity.attrs)


def graph():
    """Two groups of nodes, joined more inside than between."""
    weight = np.where(np.arange(12)[:, None] // 6 == np.arange(12) // 6, 5.0, 0.5) + np.arange(12) / 20
    names = [f"n{k:02d}" for k in range(12)]
    return xr.DataArray(weight + weight.T, dims=("source", "target"), coords={"source": names, "target": names})


def counts():
    """Spikes of three nodes in two sessions, in bins of 10 ms."""
    rate = np.where(np.arange(60)[:, None] // 15 % 2, [0.2, 1.0, 2.0], [2.0, 1.0, 0.2])
    spikes = np.random.default_rng(0).poisson(rate, (2, 60, 3)).astype(float)
    clock = ("time", np.arange(60) / 100, {"units": "s"})
    coords = {"session": ["a", "b"], "time": clock, "node": list("xyz")}
    return xr.DataArray(spikes, coords, ("session", "time", "node"), name="spike_count", attrs={"units": "count"})


def part():
    """A part of a forecasting task: two animals that lack another node each, and their wiring."""
    x = np.random.default_rng(0).normal(size=(2, 40, 3)).cumsum(axis=1)
    names = np.array(["x", "y", "z"])
    parts = {
        f"worm{k}": schema.recording(x[k][:, kept], time=np.arange(40.0), node=names[kept], units="1")
        for k, kept in enumerate(([0, 1], [0, 1, 2]))
    }
    wiring = connectome.from_edges({"source": ["x", "y"], "target": ["y", "z"]}, node=["x", "y", "z"])
    attrs = {"context": 4, "horizons": [1, 2], "variable": "activity", "interval": 1.0}
    return study.build(parts, wiring, attrs=attrs)


def scans():
    """Four people, two of whom are cases; one region is missing in one of them."""
    rng = np.random.default_rng(0)
    people = {
        f"p{k}": schema.recording(
            rng.normal(size=(40, 5 - k // 3)), time=np.arange(40.0), node=list("vwxyz")[k // 3 :], units="1"
        )
        for k in range(4)
    }
    known = xr.Dataset({"score": ("animal", [0.0, 1, 1, 0], {"units": "1"})}, {"animal": list(people)})
    return study.build(people, phenotype=known)


GRAPHS = {"window": 15, "stride": 5, "hidden": 4, "n_layers": 1, "n_epochs": 2, "device": "cpu", "random_state": 0}
PRETRAINING = {
    "window": 10,
    "stride": 5,
    "hidden": 4,
    "n_layers": 1,
    "n_steps": 2,
    "token_hidden": 4,
    "device": "cpu",
    "random_state": 0,
}


def people():
    """Connectivity of twelve people of different ages."""
    rng = np.random.default_rng(0)
    bold = rng.standard_normal((12, 40, 4)) + np.linspace(0, 1, 12)[:, None, None] * rng.standard_normal((12, 40, 1))
    coords = {"animal": [f"p{k}" for k in range(12)], "source": list("abcd"), "target": list("abcd")}
    coords["age"] = ("animal", np.arange(12.0), {"units": "years"})
    fc = np.stack([np.corrcoef(x.T) for x in bold])
    return xr.DataArray(fc, coords, ("animal", "source", "target"), name="correlation", attrs={"units": "1"})


BASES = {Estimator, Forecaster, NetworkForecaster, GraphEstimator, GraphPredictor, ConnectivityModel}
ESTIMATORS = (
    Case(
        ConnectivityVAE(conditions=("age",), n_latent=2, hidden=4, n_epochs=2, device="cpu", random_state=0), people()
    ),
    Case(Persistence(), part()),
    Case(MeanForecast(), part()),
    Case(AR(), part()),
    Case(RidgeVAR(support=True), part()),
    Case(ConnectomeGNN(hidden=4, n_epochs=2, device="cpu", random_state=0), part()),
    Case(ConnectomeRNN(n_epochs=2, device="cpu", random_state=0), part()),
    Case(RecurrentForecaster(hidden=4, n_epochs=2, device="cpu", random_state=0), part()),
    Case(TransformerForecaster(hidden=4, n_epochs=2, device="cpu", random_state=0), part()),
    Case(GraphClassifier(**GRAPHS), scans()),
    Case(GraphRegressor(**GRAPHS), scans()),
    Case(GraphMaskedAutoencoder(**PRETRAINING), scans()),
    Case(
        Biclustering(n_factors=1, n_draws=4, n_tune=2, n_chains=1, n_states=2, latent_every=2, random_state=0),
        counts(),
    ),
    Case(WeightedSBM(n_restarts=2, n_samples=5, random_state=0), graph()),
    Case(NonnegativeCP(rank=2, n_restarts=2, max_iter=50, random_state=0), tensor()),
    Case(NonnegativeTucker(rank=2, n_restarts=2, max_iter=20, random_state=0), tensor()),
    Case(NonnegativeParafac2(rank=2, n_restarts=2, max_iter=30, random_state=0), recordings()),
    Case(GLM(prior="ridge", random_state=0), counts()),
    Case(SwitchingGLM(n_states=2, prior="ridge", n_restarts=2, random_state=0), counts()),
    Case(HMM(n_states=2, n_restarts=2, random_state=0), counts()),
    Case(DynamicConnectome(rank=2, n_restarts=2, n_null=0, random_state=0), pair_tensor()),
    Case(ConnectivityGaussian(conditions=("age",), random_state=0), people()),
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("case", ESTIMATORS, ids=lambda case: type(case.estimator).__name__)
def test_every_estimator_keeps_every_contract(case, check):
    check(case)


def test_every_estimator_of_the_package_is_listed():
    for module in pkgutil.walk_packages(dynome.__path__, "dynome."):
        if "_build" not in module.name:
            try:
                importlib.import_module(module.name)
            except MissingExtraError:
                continue

    def below(cls):
        return {cls}.union(*(below(c) for c in cls.__subclasses__()))

    found = {c for c in below(Estimator) - BASES if c.__module__.split(".")[0] == "dynome"}
    assert {c.__name__ for c in found} == {type(case.estimator).__name__ for case in ESTIMATORS}


# --- A test of the tests ---------------------------------------------------------------------------------------------


class Mean(Estimator):
    """An honest estimator: the mean over samples, with a little noise from the seed."""

    missing_data = "mask"

    def __init__(self, noise=0.1, *, random_state=None):
        self.noise = noise
        self.random_state = random_state

    def fit(self, X, y=None):
        if np.isinf(X).any():
            raise InputError("found infinite values; drop them")
        return self._finish(
            self.describe(X), started=0.0, converged=True, n_iter=1, random_state=seeds.resolve(self.random_state)
        )

    def describe(self, X):
        mean = X.mean("time", keep_attrs=True).compute()
        noise = seeds.generator(self.random_state).normal(scale=self.noise, size=mean.shape)
        return xr.Dataset({"mean": mean + noise, "history": ("iteration", [1.0, 0.5], {"units": "1"})})

    def transform(self, X):
        return X - self._fitted()["mean"]


class StoresMore(Mean):
    def __init__(self, noise=0.1, *, random_state=None):
        super().__init__(noise, random_state=random_state)
        self.cache = {}


class ComputesEarly(Mean):
    def __init__(self, noise=0.1, *, random_state=None):
        super().__init__(noise, random_state=random_state)
        self.scale_ = 2 * noise


class TransformsUnfitted(Mean):
    def transform(self, X):
        return X


class SavesUnfitted(Mean):
    def _fitted(self):
        return getattr(self, "results_", xr.Dataset())

    def transform(self, X):
        return X - super()._fitted()["mean"]


class SpoilsItsInput(Mean):
    def fit(self, X, y=None):
        super().fit(X)
        X.attrs["seen"] = 1
        return self


class ChangesItsParameters(Mean):
    def __init__(self, noise=0.1, *, note="new", random_state=None):
        super().__init__(noise, random_state=random_state)
        self.note = note

    def fit(self, X, y=None):
        self.note = "used"
        return super().fit(X)


class SeedsNumpy(Mean):
    def fit(self, X, y=None):
        np.random.rand()  # noqa: NPY002
        return super().fit(X)


class SeedsTorch(Mean):
    def fit(self, X, y=None):
        import torch

        torch.rand(1)
        return super().fit(X)


class HasNoHistory(Mean):
    def describe(self, X):
        return super().describe(X).drop_vars("history")


class HasAnEndlessHistory(Mean):
    def describe(self, X):
        return super().describe(X).assign(history=("iteration", [1.0, np.nan], {"units": "1"}))


class LosesLabels(Mean):
    def describe(self, X):
        return super().describe(X).assign_coords(pair=list("wxyz"))


class LosesUnits(Mean):
    def describe(self, X):
        return super().describe(X).drop_attrs()


class ForgetsItsSeed(Mean):
    def fit(self, X, y=None):
        super().fit(X)
        del self.results_.attrs["random_state"]
        return self


class StartsWarm(Mean):
    def fit(self, X, y=None):
        before = getattr(self, "results_", None)
        super().fit(X)
        if before is not None:
            self.results_["mean"] = 0.5 * (self.results_["mean"] + before["mean"] + 1)
        return self


class RoundsLazyInput(Mean):
    def describe(self, X):
        return super().describe(X.astype(np.float32) if X.chunks else X)


class LosesAParameter(Mean):
    @classmethod
    def from_tree(cls, tree):
        return super().from_tree(tree).set_params(noise=0.25)


class LosesAResult(Mean):
    @classmethod
    def from_tree(cls, tree):
        loaded = super().from_tree(tree)
        loaded.results_ = loaded.results_.drop_attrs(deep=False)
        return loaded


class SpreadsMissingData(Mean):
    def describe(self, X):
        found = super().describe(X)
        return found.where(X.notnull().all())[list(found)] if X.isnull().any() else found


class AcceptsMissingData(Mean):
    missing_data = "raise"


class AcceptsInfinity(Mean):
    def fit(self, X, y=None):
        return super().fit(X.where(~np.isinf(X)).assign_attrs(X.attrs) if np.isinf(X).any() else X)


BROKEN = {
    StoresMore: ("check_init_only_stores", "__init__ sets more than its parameters"),
    ComputesEarly: ("check_init_only_stores", r"__init__ sets fitted attributes: \['scale_'\]"),
    TransformsUnfitted: ("check_unfitted_refuses", "transform works before fit"),
    SavesUnfitted: ("check_unfitted_refuses", "to_tree works before fit"),
    SpoilsItsInput: ("check_fit_manners", "fit modifies its input"),
    ChangesItsParameters: ("check_fit_manners", "fit changes the parameters"),
    SeedsNumpy: ("check_fit_manners", "fit touches a global random state"),
    SeedsTorch: ("check_fit_manners", "fit touches a global random state"),
    HasNoHistory: ("check_results", r"results_ lacks history \(iteration\)"),
    HasAnEndlessHistory: ("check_results", "history must be finite"),
    LosesLabels: ("check_results", "the labels of pair do not travel into results_"),
    LosesUnits: ("check_results", r"numeric results without units: \['mean', 'history'\]"),
    ForgetsItsSeed: ("check_results", r"results_ lacks the attributes \['random_state'\]"),
    StartsWarm: ("check_repeatable", "a second fit of the same object differs"),
    RoundsLazyInput: ("check_dask_input", "dask input changes the numbers"),
    LosesAParameter: ("check_round_trip", "parameters change in a round trip"),
    LosesAResult: ("check_round_trip", "results change in a round trip"),
    SpreadsMissingData: ("check_missing_data", r"one NaN in the input makes all of .* NaN, but missing_data says mask"),
    AcceptsMissingData: ("check_missing_data", "NaN is accepted, but missing_data says raise"),
    AcceptsInfinity: ("check_infinite_refused", "an infinite value is accepted"),
}


def test_an_honest_estimator_passes():
    check_estimator(Mean(random_state=0), tensor())


def test_every_check_is_shown_to_notice_something():
    assert {name for name, _ in BROKEN.values()} == {check.__name__ for check in CHECKS}


@pytest.mark.parametrize(("cls", "expected"), BROKEN.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_a_broken_contract_is_noticed_by_the_check_that_is_meant_for_it_and_by_no_other(cls, expected):
    name, message = expected
    if cls is SeedsTorch:
        pytest.importorskip("torch")
    case, noticed = Case(cls(random_state=0), tensor()), {}
    for check in CHECKS:
        try:
            check(case)
        except AssertionError as error:
            noticed[check.__name__] = str(error)
    assert set(noticed) == {name}
    with pytest.raises(AssertionError, match=message):
        check_estimator(case.estimator, tensor())
