"""PARAFAC2: recordings of unequal length, the same nodes, one set of components; through tensorly."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import ClassVar, NamedTuple, Self

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import progress, seeds
from dynome.dynamics.tensor.unequal_recordings import SUBJECT, complete_slices, stacked
from dynome.errors import InputError, Problems
from dynome.estimator import Estimator, MissingData, no_target

Array = NDArray[np.float64]


class Parafac2Fit(NamedTuple):
    """A PARAFAC2 model from one start.

    Attributes
    ----------
    animal : (n_animal, rank)
        How strongly each recording shows each component, at least 0.
    courses : list of (n_time_k, rank)
        Courses in time of each recording; their products ``courses[k].T @ courses[k]`` are the same for all.
    node : (n_node, rank)
        Loadings of nodes, at least 0.
    history : (n_iter,)
        Relative squared residual.
    error : float
        The last, from the residual itself.
    converged : bool
    """

    animal: Array
    courses: list[Array]
    node: Array
    history: Array
    error: float
    converged: bool


class NonnegativeParafac2(Estimator):
    r"""Components of recordings that share nodes but neither a clock nor a length.

    Every recording has its own courses in time; nodes and the strength of each component in each recording are shared
    and nonnegative.

    Parameters
    ----------
    rank : int
        Number of components: at most the number of nodes, and of samples of the shortest recording.
    n_restarts : int
        Random starts; the best is kept.
    max_iter : int
        Iterations at most.
    tol : float
        A start stops when its relative residual (the norm, not its square) changes by less in an iteration.
    random_state : int or None
        Seed; None draws one, which ``results_.attrs["random_state"]`` records.

    Attributes
    ----------
    results_ : Dataset
        ``animal_factor (animal, component)`` and ``node_factor (node, component)``, nonnegative columns of norm 1;
        ``time_factor (animal, time, component)``, signed, of norm 1 in every animal and NaN after its end;
        ``weight (component)`` in the unit of the data, largest first; ``history (iteration)``, ``relative_error``
        (squared residual over squared data), ``residual_ratio`` (its root), ``restart_error (restart)``, NaN for
        a start that broke down because a component died. The dims have the names of the input.

    Notes
    -----
    :math:`x_k \approx b_k \,\mathrm{diag}(w \circ a_k)\, c^\top` with :math:`b_k^\top b_k` the same for all recordings
    k, which makes the components unique (Harshman 1972; Kiers, ten Berge & Bro 1999,
    DOI 10.1002/(SICI)1099-128X(199905/08)13:3/4<275::AID-CEM543>3.0.CO;2-B). Fitted by tensorly's ``parafac2``, which
    can keep :math:`a` and :math:`c` nonnegative but not the courses in time; data may be negative therefore (dF/F,
    standardized activity). Components that are active at the same times in some recordings and not in others break the
    model. NaN is refused, but for the time after the end of a recording.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> nodes, courses = rng.random((6, 2)), {"w1": rng.normal(size=(30, 2)), "w2": rng.normal(size=(45, 2))}
    >>> worms = {k: xr.DataArray(b @ nodes.T, dims=("time", "node")) for k, b in courses.items()}
    >>> found = NonnegativeParafac2(rank=2, random_state=0).fit(worms).results_
    >>> dict(found.time_factor.sizes)
    {'animal': 2, 'time': 45, 'component': 2}
    """

    missing_data: ClassVar[MissingData] = "raise"

    def __init__(
        self,
        rank: int = 3,
        *,
        n_restarts: int = 5,
        max_iter: int = 500,
        tol: float = 1e-7,
        random_state: int | None = None,
    ) -> None:
        self.rank = rank
        self.n_restarts = n_restarts
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    def fit(self, X: xr.DataArray | Mapping[str, xr.DataArray], y: None = None) -> Self:
        """Factorise recordings.

        Parameters
        ----------
        X : (animal, time, node), or mapping of animal to (time, node)
            One unit. As an array: recordings that end early are padded with NaN, as `align_animals` does. As a mapping:
            each with its own clock, and the same nodes in any order.
        y : None
            Ignored.

        Raises
        ------
        InputError
            If a value is missing before the end of a recording or infinite, nodes differ, or a parameter is out of
            range.
        """
        started = time.perf_counter()
        no_target(y)
        recordings = stacked(X)
        slices = complete_slices(recordings)
        self._check(slices)
        seed = seeds.resolve(self.random_state)
        with progress.task(f"{self.n_restarts} starts of PARAFAC2 with rank {self.rank}"):
            fits = [
                fit_parafac2(slices, self.rank, seeds.generator(seed, "restart", k), self.max_iter, self.tol)
                for k in range(self.n_restarts)
            ]
        final = np.array([np.nan if f is None else f.error for f in fits])
        best = min((f for f in fits if f is not None), key=lambda f: f.error, default=None)
        if best is None:
            raise InputError(f"{SUBJECT}:\n  - a component died in every start; ask for a lower rank or more starts")
        results = _labelled(recordings, best).assign(
            history=("iteration", best.history, {"units": "1"}),
            relative_error=((), best.error, {"units": "1", "long_name": "squared residual / squared data"}),
            residual_ratio=((), np.sqrt(best.error), {"units": "1", "long_name": "residual norm / data norm"}),
            restart_error=("restart", final, {"units": "1"}),
        )
        return self._finish(
            results, started=started, converged=best.converged, n_iter=best.history.size, random_state=seed
        )

    def inverse_transform(self) -> xr.DataArray:
        """The recordings that the components describe; NaN after the end of each."""
        results = self._fitted()
        animal, time_, node = results.attrs["dims"]
        courses = results["weight"] * results[f"{animal}_factor"] * results[f"{time_}_factor"]
        model: xr.DataArray = courses.dot(results[f"{node}_factor"], dim="component").transpose(animal, time_, node)
        return model.rename(results.attrs["tensor"]).assign_attrs(units=results["weight"].attrs["units"])

    def _check(self, slices: list[Array]) -> None:
        problems = Problems(SUBJECT)
        for name in ("rank", "n_restarts", "max_iter"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
                problems.add(f"{name} must be an integer of at least 1, got {value!r}")
        if not self.tol > 0:
            problems.add(f"tol must be > 0, got {self.tol!r}")
        most = min(slices[0].shape[1], *(len(s) for s in slices))
        if not problems.found and self.rank > most:
            problems.add(
                f"rank {self.rank} is above {most}, the number of nodes or of samples of the shortest recording"
            )
        problems.raise_if_any(InputError)


def fit_parafac2(
    slices: list[Array], rank: int, rng: np.random.Generator, max_iter: int, tol: float
) -> Parafac2Fit | None:
    """Fit from one random start with tensorly; None where a component died on the way and left a singular system.

    Parameters
    ----------
    slices : list of (n_time_k, n_node)
        Complete recordings.
    rank, max_iter, tol
        As in `NonnegativeParafac2`.
    rng : Generator
        Of the start.
    """
    import tensorly
    from tensorly.decomposition import parafac2

    scale = float(np.sqrt(sum((s**2).sum() for s in slices)))
    try:
        with tensorly.backend_context("numpy", local_threadsafe=True):
            (weights, (animal, shape, node), projections), errors = parafac2(
                [s / scale for s in slices],
                rank,
                n_iter_max=max_iter,
                tol=tol,
                nn_modes=[0, 2],
                random_state=int(rng.integers(2**31)),
                return_errors=True,
            )
    except np.linalg.LinAlgError:
        return None
    courses = [p @ (shape * weights) * scale for p in projections]
    model = [(b * a) @ node.T for a, b in zip(animal, courses, strict=True)]
    error = sum(((s - m) ** 2).sum() for s, m in zip(slices, model, strict=True)) / scale**2
    history = np.array(errors, dtype=np.float64) ** 2
    stopped = history.size > 1 and abs(errors[-1] - errors[-2]) < tol
    return Parafac2Fit(animal, courses, node, history, float(error), bool(stopped))


def _labelled(X: xr.DataArray, fit: Parafac2Fit) -> xr.Dataset:
    """Unit columns and weights, largest first."""
    sizes = [
        np.linalg.norm(fit.animal, axis=0),
        np.linalg.norm(fit.courses[0], axis=0),
        np.linalg.norm(fit.node, axis=0),
    ]
    weight = np.prod(sizes, axis=0)
    order = np.argsort(-weight, kind="stable")
    safe = [np.where(s > 0, s, 1.0) for s in sizes]
    courses = np.full((*X.shape[:2], order.size), np.nan)
    for k, course in enumerate(fit.courses):
        courses[k, : len(course)] = (course / safe[1])[:, order]
    animal, time_, node = X.dims
    factors = {
        f"{animal}_factor": ((animal, "component"), (fit.animal / safe[0])[:, order], {"units": "1"}),
        f"{time_}_factor": ((animal, time_, "component"), courses, {"units": "1"}),
        f"{node}_factor": ((node, "component"), (fit.node / safe[2])[:, order], {"units": "1"}),
        "weight": ("component", weight[order], {"units": X.attrs.get("units", "1")}),
    }
    attrs = {"dims": [str(d) for d in X.dims], "tensor": str(X.name or "activity")}
    return xr.Dataset(factors, {**X.coords, "component": np.arange(order.size)}, attrs)
