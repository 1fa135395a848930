"""What generative models of connectivity have in common: from matrices to a population and back, with labels.

A model of this folder says how the scores of people along the directions of the `Population` are distributed; the rest,
what is drawn, removed and compared, is here and the same for all.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import labels, seeds
from dynome.errors import InputError, Problems
from dynome.estimator import Estimator, no_target
from dynome.inference.generation import conditions as told
from dynome.inference.generation.log_correlation import correlations_of, log_vectors, matrices_of, pair_positions
from dynome.inference.generation.people import People, people_of
from dynome.inference.generation.populations import Population, log_density, population, removal
from dynome.schema import ANIMAL, COMPONENT, FEATURE, ITERATION, NODE, SOURCE, TARGET

Array = NDArray[np.float64]

EFFECT, PEOPLE, MODE = "effect", "people", "mode"
_PAIR = (SOURCE, TARGET)
_FEWEST = 8


class Learnt(NamedTuple):
    """What a model learnt about scores: results, beside those of the population."""

    results: xr.DataTree
    converged: bool = True
    n_iter: int = 1
    device: str = "cpu"
    dtype: str = "float64"


class ConnectivityModel(Estimator):
    """Base of generative models of connectivity given conditions."""

    missing_data = "raise"

    conditions: tuple[str, ...]
    n_components: int | None
    random_state: int | None

    def fit(self, X: xr.DataArray, y: None = None) -> Self:
        """Learn from the connectivity of many people.

        Parameters
        ----------
        X : (animal | session, source, target)
            Correlation matrices, positive definite, at least 8; the conditions are coordinates of the first dim.
        y : None

        Raises
        ------
        InputError
            If the first dim is another, such as windows, matrices are no correlations or not positive definite, or
            conditions are missing or do not vary.
        """
        no_target(y)
        started, seed = time.perf_counter(), seeds.resolve(self.random_state)
        self._check()
        people = people_of(X, f"cannot fit {type(self).__name__}", fewest=_FEWEST)
        values = told.conditions_of(self.conditions, X, len(people.matrices), f"cannot fit {type(self).__name__}")
        described = told.described(values)
        columns = told.columns(described, values, len(people.matrices))
        vectors = log_vectors(people.matrices)
        fitted = population(vectors, columns, self.n_components, seeds.generator(seed, "folds"))
        learnt = self._learn(fitted, (vectors - fitted.expected(columns)) @ fitted.projection.T, columns, seed)
        attrs = {**learnt.results.attrs, "design": told.to_text(described), PEOPLE: people.dim}
        root = _described(fitted, people, told.column_names(described)).assign_attrs(attrs)
        parts = {f"/{n}": child.to_dataset(inherit=False) for n, child in learnt.results.children.items()}
        found = learnt.results.to_dataset()
        root = root.merge(found.rename_dims({PEOPLE: people.dim}) if PEOPLE in found.dims else found)
        self.results_ = xr.DataTree.from_dict({"/": root, **parts})
        moved = vectors + self._shift(fitted, vectors, columns, np.broadcast_to(fitted.center, columns.shape))
        self.results_["removal"] = _of_pairs(removal(moved, columns, fitted.center), root, EFFECT, "effect taken away")
        return self._finish(
            self.results_,
            started=started,
            converged=learnt.converged,
            n_iter=learnt.n_iter,
            random_state=seed,
            device=learnt.device,
            dtype=learnt.dtype,
        )

    def sample(self, n: int | None = None, *, conditions: Any = None, random_state: int | None = None) -> xr.DataArray:
        """Synthetic people.

        Parameters
        ----------
        n : int or None
            How many; None takes as many as there are conditions.
        conditions : mapping, Dataset, DataFrame, DataArray or None
            Values of every condition, or connectivity whose coordinates are used; scalars are repeated. None draws them
            from those of the people fitted, each with all of one person's.
        random_state : int or None
            The same integer gives the same people.

        Returns
        -------
        (animal, source, target), dimensionless
            Correlation matrices, positive definite; the conditions are coordinates.

        Raises
        ------
        InputError
            If a number is beyond those fitted, or a category or a name in a mapping unknown.
        """
        results = self._fitted()
        seed = seeds.resolve(random_state)
        rng = seeds.generator(seed, "sample")
        if conditions is None:
            if n is None or isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
                raise InputError(f"n must be an integer of at least 1, got {n!r}; or give conditions")
            chosen = rng.integers(results.sizes[results.attrs[PEOPLE]], size=n)
            conditions = {name: results[name].to_numpy()[chosen] for name in self.conditions}
        values = told.conditions_of(self.conditions, conditions, n, "cannot sample")
        size = n if n is not None else max((v.size for v in values.values()), default=0)
        design = told.from_text(results.attrs["design"])
        problems = Problems("cannot sample")
        for problem in told.outside(design, values):
            problems.add(problem)
        if size < 1:
            problems.add("nobody is asked for; give n")
        problems.raise_if_any(InputError)
        columns, fitted = told.columns(design, values, size), _population(results)
        scores = self._draw(fitted, columns, rng)
        vectors = fitted.expected(columns) + scores @ fitted.loadings + fitted.noise_draws(size, rng)
        nodes = results[SOURCE].to_numpy()
        coords: dict[str, Any] = {ANIMAL: [f"synthetic_{k + 1:04d}" for k in range(size)], SOURCE: nodes, TARGET: nodes}
        coords |= {name: (ANIMAL, v, dict(results[name].attrs)) for name, v in values.items()}
        attrs = {"units": "1", "long_name": "synthetic correlation", "kind": "correlation", "directed": 0}
        attrs |= {"synthetic": 1, "model": type(self).__name__, "random_state": seed}
        matrices = correlations_of(vectors, nodes.size)
        return xr.DataArray(matrices, coords, (ANIMAL, *_PAIR), name="correlation", attrs=attrs)

    def transform(self, X: xr.DataArray) -> xr.DataArray:
        """Where people lie among others with their conditions.

        Parameters
        ----------
        X : (animal | session, source, target)
            Connectivity of the nodes fitted, in any order.

        Returns
        -------
        (animal | session, feature), dimensionless
        """
        people, vectors, columns, fitted = self._read(X)
        found = self._embed(fitted, vectors, columns)
        coords = people.coords | {FEATURE: [f"latent_{k + 1}" for k in range(found.shape[1])]}
        attrs = {"units": "1", "long_name": "latent connectivity"}
        return xr.DataArray(found, coords, (people.dim, FEATURE), name="embedding", attrs=attrs)

    def score(self, X: xr.DataArray, y: None = None) -> float:
        """Mean log density of people given their conditions, in nats a person, of the log-correlation vectors.

        Parameters
        ----------
        X : (animal | session, source, target)
            People with their conditions, best such as were not fitted.
        y : None
        """
        no_target(y)
        _, vectors, columns, fitted = self._read(X)
        return float(self._log_density(fitted, vectors, columns).mean())

    def residual(self, X: xr.DataArray) -> xr.DataArray:
        """What is particular to each person: the departure from what is expected under their conditions.

        Parameters
        ----------
        X : (animal | session, source, target)
            People with their conditions.

        Returns
        -------
        (animal | session, source, target), dimensionless
            Logarithm of the correlation matrix, off the diagonal, less its expectation; zero on the diagonal.
            Among the people fitted it correlates with no condition.
        """
        people, vectors, columns, fitted = self._read(X)
        rest = self._moved(fitted, vectors, columns, np.broadcast_to(fitted.center, columns.shape)) - fitted.mean
        attrs = {"units": "1", "long_name": "departure from the expected log-correlation", "directed": 0}
        return _labelled(matrices_of(rest, people.nodes.size), people, "residual", attrs)

    def harmonize(self, X: xr.DataArray, *, to: Mapping[str, Any] | None = None) -> xr.DataArray:
        """Connectivity as it would be if all had the same conditions; what is particular to a person stays.

        Parameters
        ----------
        X : (animal | session, source, target)
            People with their conditions.
        to : mapping or None
            Conditions that all shall have; those not named stay as they are (``to={"site": "A"}`` keeps the effect of
            age). None takes all conditions to the average of the people fitted.

        Returns
        -------
        (animal | session, source, target), dimensionless
            Correlation matrices, positive definite. Their coordinates still tell the true conditions.

        Raises
        ------
        InputError
            If a number in `to` is beyond those fitted, or a name or category unknown.

        Notes
        -----
        Effects are estimated without shrinkage, so that nothing linear is left among the people fitted. Among others
        the error of the estimate stays, and a decoder that is trained on enough of them finds it: fit the model to all
        people that are to be compared.
        """
        people, vectors, columns, fitted = self._read(X)
        goal = np.broadcast_to(fitted.center, columns.shape)
        if to is not None:
            design = told.from_text(self.results_.attrs["design"])
            known = [c.name for c in design]
            if unknown := told.unknown(known, to):
                raise InputError("cannot harmonize:\n  - " + "\n  - ".join(unknown))
            n = len(people.matrices)
            asked = told.conditions_of(tuple(to), to, n, "cannot harmonize")
            if beyond := told.outside([c for c in design if c.name in to], asked):
                raise InputError("cannot harmonize:\n  - " + "\n  - ".join(beyond))
            own = told.conditions_of(self.conditions, X, n, "cannot harmonize")
            goal = told.columns(design, own | asked, n)
        matrices = correlations_of(self._moved(fitted, vectors, columns, goal), people.nodes.size)
        attrs = {**X.attrs, "units": "1", "long_name": "harmonized correlation"}
        return _labelled(matrices, people, "correlation", attrs)

    def _moved(self, fitted: Population, vectors: Array, columns: Array, goal: Array) -> Array:
        effect = _pairs(self.results_["removal"])
        return vectors + self._shift(fitted, vectors, columns, goal) + (goal - columns) @ effect

    def _read(self, X: xr.DataArray) -> tuple[People, Array, Array, Population]:
        results = self._fitted()
        subject = f"cannot use this with {type(self).__name__}"
        people = people_of(X, subject, nodes=results[SOURCE].to_numpy())
        values = told.conditions_of(self.conditions, X, len(people.matrices), subject)
        columns = told.columns(told.from_text(results.attrs["design"]), values, len(people.matrices))
        return people, log_vectors(people.matrices), columns, _population(results)

    def _learn(self, fitted: Population, scores: Array, columns: Array, seed: int) -> Learnt:
        """Results beside those of the population, with ``history (iteration)``."""
        raise TypeError(f"{type(self).__name__} must define _learn")

    def _draw(self, fitted: Population, columns: Array, rng: np.random.Generator) -> Array:
        """Scores of people with these conditions."""
        return rng.standard_normal((len(columns), len(fitted.loadings)))

    def _embed(self, fitted: Population, vectors: Array, columns: Array) -> Array:
        """Scores of these people."""
        return np.asarray((vectors - fitted.expected(columns)) @ fitted.projection.T)

    def _shift(self, fitted: Population, vectors: Array, columns: Array, goal: Array) -> Array | float:
        """How vectors change with conditions, beyond what a regression says."""
        return 0.0

    def _log_density(self, fitted: Population, vectors: Array, columns: Array) -> Array:
        k = len(fitted.loadings)
        return log_density(fitted, vectors, columns, np.zeros((len(vectors), 1, k)), np.eye(k))[:, 0]

    def _check(self) -> None:
        problems = Problems(f"cannot fit {type(self).__name__}")
        names = self.conditions
        alone: Any = names
        if isinstance(alone, str) or not all(isinstance(c, str) for c in names) or len(set(names)) < len(names):
            problems.add(f"conditions must be different names of coordinates, got {names!r}")
        if self.n_components is not None and not _at_least(self.n_components, 1):
            problems.add(f"n_components must be None or an integer of at least 1, got {self.n_components!r}")
        self._add_problems(problems)
        problems.raise_if_any(InputError)

    def _add_problems(self, problems: Problems) -> None:
        """Note parameters of the model that cannot be used."""


def history_of(losses: Array) -> xr.Dataset:
    """Losses as the results name them."""
    return xr.Dataset({"history": (ITERATION, losses, {"units": "1", "long_name": "negative log density, nats"})})


def _at_least(value: Any, least: int) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and int(value) >= least


def _described(fitted: Population, people: People, effects: list[str]) -> xr.Dataset:
    coords: dict[str, Any] = people.coords | {SOURCE: people.nodes, TARGET: people.nodes}
    base = xr.Dataset(coords=coords | {EFFECT: labels.as_labels(effects)})
    found = {
        "mean": _of_pairs(fitted.mean, base, None, "mean log-correlation"),
        "noise": _of_pairs(fitted.noise, base, None, "standard deviation of the noise"),
        "trend": _of_pairs(fitted.trend, base, EFFECT, "effect of a condition, shrunk"),
        "loadings": _of_pairs(fitted.loadings, base, COMPONENT, "change with a score of 1"),
        "projection": _of_pairs(fitted.projection, base, COMPONENT, "weight in the score"),
        "modes": ((NODE, MODE), fitted.modes, {"units": "1", "long_name": "eigenvectors of the mean"}),
        "mode_noise": ((MODE, f"other_{MODE}"), fitted.mode_noise, {"units": "1", "long_name": "noise between modes"}),
        "center": (EFFECT, fitted.center, {"units": "1", "long_name": "average of the condition"}),
    }
    return base.assign(found)


def _of_pairs(vectors: Array, base: xr.Dataset, dim: str | None, long_name: str) -> xr.DataArray:
    dims = _PAIR if dim is None else (dim, *_PAIR)
    nodes = base[SOURCE].to_numpy()
    coords: dict[str, Any] = {SOURCE: nodes, TARGET: nodes} | ({EFFECT: base[EFFECT]} if dim == EFFECT else {})
    return xr.DataArray(matrices_of(vectors, nodes.size), coords, dims, attrs={"units": "1", "long_name": long_name})


def _pairs(matrices: xr.DataArray) -> Array:
    values = matrices.to_numpy()
    rows, columns = pair_positions(values.shape[-1])
    return np.asarray(values[..., rows, columns])


def _population(results: Any) -> Population:
    named = {name: _pairs(results[name]) for name in ("mean", "trend", "loadings", "projection", "noise")}
    plain = {name: results[name].to_numpy() for name in ("center", "modes", "mode_noise")}
    return Population(**named, **plain)


def _labelled(values: Array, people: People, name: str, attrs: dict[str, Any]) -> xr.DataArray:
    coords = people.coords | {SOURCE: people.nodes, TARGET: people.nodes}
    return xr.DataArray(values, coords, (people.dim, *_PAIR), name=name, attrs=attrs)
