"""The dynamic functional connectome: which groups of nodes change together, when, in whom and during what."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from typing import ClassVar, Literal, Self, get_args

import numpy as np
import xarray as xr

from dynome import progress, seeds
from dynome.dynamics.affinities.events import event_onsets
from dynome.dynamics.affinities.kernels import Kernel
from dynome.dynamics.atlas.chance import chance_of, null_weights
from dynome.dynamics.atlas.communities import determined_pairs, motif_communities, node_strength
from dynome.dynamics.atlas.entries import entry_weights
from dynome.dynamics.atlas.epochs import Epochs, binned, epoch_flags, epochs_around, is_flag
from dynome.dynamics.atlas.excess import averaged_affinity, chance_level
from dynome.dynamics.atlas.expression import (
    animal_loadings,
    animal_similarity,
    courses,
    expressed_in,
    with_plain_loadings,
)
from dynome.dynamics.atlas.intervals import active_times, interval_table
from dynome.dynamics.atlas.locked import Onsets, events_of, locked_affinity
from dynome.dynamics.atlas.overlap import epoch_overlap
from dynome.dynamics.atlas.recordings import Given, Input, given
from dynome.dynamics.atlas.shifts import shifted_affinity
from dynome.dynamics.tensor.nonnegative_cp import NonnegativeCP
from dynome.dynamics.tensor.rank_curves import rank_curve
from dynome.errors import InputError, Problems, listed
from dynome.estimator import Estimator, MissingData, no_target
from dynome.schema import ANIMAL, COMPONENT, PAIR, TIME

_LARGEST, _CURVE_RESTARTS = 8, 5  # of the ranks that "auto" tries, and starts at each
_NULL_RESTARTS = 3
_NULL_LEAST = 20  # draws: with fewer, one component among several could not reach a false discovery rate of 0.05
_TOL = 1e-6
_SPARSITY = {PAIR: 2.0}  # pairs that belong to no motif scatter above 0

Draw = Callable[[np.random.Generator], xr.DataArray]


class DynamicConnectome(Estimator):
    r"""An atlas of motifs: groups of nodes that change together for a while, found in all animals at once.

    Parameters
    ----------
    rank : int or "auto"
        Number of components. ``"auto"`` tries 1 to 8 and takes what held-out data and stability support, see
        `rank_curve`; ``results_.attrs["rank_rule"]`` says how.
    kernel : str
        How two rates of change make one affinity, see `affinity`.
    smooth : float
        Seconds over which rates of change are taken, see `affinity`.
    window : float
        Seconds over which affinities are averaged, see `excess_affinity`. Motifs that last less are blurred; shorter
        windows are noisier.
    min_animals : int or None
        Keep pairs of nodes that so many animals have; None takes three quarters of them.
    event : str or None
        A flag of the recordings. Affinities are then averaged around its onsets, which give animals that move freely a
        clock in common. None takes the clock of the session, which animals must share (a common stimulus).
    before, after : float
        Seconds around an event.
    epochs : list of str, mapping of str to float, or None
        Stimuli and behaviours to compare with: flags, or numbers with a threshold each. None takes every flag of the
        recordings.
    min_duration : float
        Seconds: shorter intervals are dropped, shorter pauses bridged.
    n_restarts : int
        Random starts of the factorisation and of the communities.
    community_method : str
        See `find_communities`; ``"auto"`` chooses between topology and weights by description length.
    n_null : int
        Recordings whose traces were shifted, to which the same model is fitted; at least 20, or 0 for no test.
    n_permutations : int
        Circular shifts of the test of overlap with epochs.
    random_state : int or None
        Seed; None draws one, which ``results_.attrs["random_state"]`` records.

    Attributes
    ----------
    results_ : Dataset
        *The factorisation*, as in `NonnegativeCP`: ``time_factor``, ``animal_factor``, ``pair_factor``, ``weight``,
        ``history``, ``relative_error``, ``restart_error``, ``restart_similarity``.
        *When*: ``active (time, component)``; ``interval_component``, ``interval_start``, ``interval_stop`` (interval).
        *In whom*: ``expressed (component, animal)``, ``animal_similarity (component, animal, other_animal)``.
        *Which nodes*: ``node_strength (component, node)``, ``community (component, node)`` with -1 for nodes that take
        no part, ``n_communities (component)``.
        *During what*, where the recordings have epochs: ``overlap``, ``overlap_p``, ``overlap_q (component, epoch)``;
        ``epoch_active (animal, time, epoch)``, the share of each sample that the epoch is on.
        *More than chance?*, with a null: ``null_weight (null, component)``, ``p_value``, ``q_value``,
        ``above_chance (component)``.

    Notes
    -----
    1. The net affinity of every pair in every animal, changes in one direction less changes in opposite ones, averaged
       over `window` and less its chance level (`excess_affinity`); or around events, less the mean of the session.
    2. `NonnegativeCP` of this tensor, which scatters around 0: least squares with nonnegative factors, sparse over
       pairs. A missing entry counts as chance with a tenth of the weight of an observed one; with `event`, animals
       count equally, however lively they are. Loadings of animals and weights are then fitted anew without the penalty.
    3. A component is active above the Otsu threshold of its time course, and expressed in animals that load at least a
       fifth of its largest loading.
    4. Its pair loadings, folded into a matrix, are a graph. Nodes in the upper Otsu class of strengths take part and
       are divided into communities. Pairs that hardly an expressing animal has count as 0.
    5. Epochs: `epoch_overlap`. With `event`, epochs are compared with the expression over the whole session, and the
       event itself is not tested: the components were selected to follow it.
    6. Null: every trace is turned in a circle by a lag of its own (with `event`, the affinities of each animal by one
       lag against its events), and the model fitted anew. The statistic is the weight of a component.

    The idea is that of Dyballa et al. (2024, arXiv:2402.14102); subtraction of chance, thresholds, tests and event
    mode are ours.

    Examples
    --------
    >>> from dynome.datasets import make_dynamic_communities
    >>> worms = make_dynamic_communities(n_nodes=24, n_communities=2, n_times=300, noise=0.2, random_state=3)
    >>> atlas = DynamicConnectome(rank=2, random_state=0).fit(worms)
    >>> atlas.results_.above_chance.values.tolist()
    [True, True]
    """

    missing_data: ClassVar[MissingData] = "mask"

    def __init__(
        self,
        rank: int | Literal["auto"] = "auto",
        *,
        kernel: Kernel = "geomean",
        smooth: float = 1.0,
        window: float = 4.0,
        min_animals: int | None = None,
        event: str | None = None,
        before: float = 8.0,
        after: float = 12.0,
        epochs: Epochs = None,
        min_duration: float = 2.0,
        n_restarts: int = 10,
        community_method: str = "auto",
        n_null: int = 20,
        n_permutations: int = 1000,
        random_state: int | None = None,
    ) -> None:
        self.rank = rank
        self.kernel = kernel
        self.smooth = smooth
        self.window = window
        self.min_animals = min_animals
        self.event = event
        self.before = before
        self.after = after
        self.epochs = epochs
        self.min_duration = min_duration
        self.n_restarts = n_restarts
        self.community_method = community_method
        self.n_null = n_null
        self.n_permutations = n_permutations
        self.random_state = random_state

    def fit(self, X: Input, y: None = None) -> Self:
        """Find the motifs of a study.

        Parameters
        ----------
        X : study, recordings, affinity or tensor
            A study (DataTree), or one recording ``(time, node)``; what `align_animals` makes of it, ``activity (animal,
            time, node)`` with or without covariates; what `affinity` makes of that; or a tensor ``(time, animal,
            pair)``, which is taken as it is and has neither null (``n_null=0``) nor epochs. NaN is missing.
        y : None
            Ignored.

        Raises
        ------
        InputError
            If nodes are shared by too few animals, an event or epoch is unknown, or a parameter is out of range or
            does not fit the input.
        """
        started = time.perf_counter()
        no_target(y)
        self._check_parameters()
        seed = seeds.resolve(self.random_state)
        source = given(X, kernel=self.kernel, smooth=self.smooth, min_animals=self.min_animals)
        if source.aligned is not None:
            epoch_flags(source.aligned, self.epochs)  # a misspelt name is said before the work, not after it
        with progress.task("affinities"):
            tensor, draw = self._tensor(source, seed)
        rank, rule = self._rank(tensor, seed)
        found = _factorized(tensor, rank, self.n_restarts, seed)
        results = _described(found, tensor, self, seed)
        results = results.merge(self._epochs(source, tensor, results, seed), combine_attrs="override")
        if self.n_null and draw is not None:
            null = null_weights(draw, partial(_refit, rank=rank), n_null=self.n_null, random_state=seed)
            results = results.assign(null_weight=null).merge(
                chance_of(results["weight"], null), combine_attrs="override"
            )
        results.attrs.update(self._told(), rank=rank, rank_rule=rule)
        attrs = found.attrs
        return self._finish(
            results, started=started, converged=bool(attrs["converged"]), n_iter=attrs["n_iter"], random_state=seed
        )

    def transform(self, X: Input) -> xr.DataArray:
        """How strongly new animals express the motifs, time courses and pairs held.

        Parameters
        ----------
        X : as in `fit`
            Animals on the same clock (or with the same event). Pairs that were not fitted are left out, pairs that are
            missing are masked.

        Returns
        -------
        (animal, component), unit of ``weight``
            Nonnegative least squares; NaN for an animal that has none of the pairs.
        """
        results = self._fitted()
        return animal_loadings(self._again(X), results["time_factor"], results["pair_factor"])

    def score(self, X: Input, y: None = None) -> float:
        """One minus the relative squared error over new animals, their loadings fitted; 1 is best, 0 is no model."""
        results, tensor = self._fitted(), self._again(X)
        loading = animal_loadings(tensor, results["time_factor"], results["pair_factor"])
        model = xr.dot(results["time_factor"], loading.fillna(0.0), results["pair_factor"], dim=COMPONENT)
        return 1.0 - float(((tensor - model) ** 2).sum() / (tensor**2).sum())

    def _rank(self, tensor: xr.DataArray, seed: int) -> tuple[int, str]:
        """The number of components, and how it was chosen."""
        if self.rank != "auto":
            return self.rank, "given"
        restarts = min(self.n_restarts, _CURVE_RESTARTS)
        model = NonnegativeCP(n_restarts=restarts, negative="fit", sparsity=_SPARSITY, tol=_TOL)
        most = min(_LARGEST, *(math.prod(tensor.shape) // size for size in tensor.shape))
        curve = rank_curve(model, tensor, range(1, most + 1), random_state=seed)
        return int(curve.attrs["rank"]), str(curve.attrs["rule"])

    def _tensor(self, source: Given, seed: int) -> tuple[xr.DataArray, Draw | None]:
        """What is factorised, and how to draw the like of it under the null."""
        if source.tensor is not None:
            self._check_bare(source)
            return source.tensor, None
        aff = source.affinity
        if aff is None:
            raise InputError("there are neither affinities nor a tensor to make an atlas of")
        if self.event is None:
            level = chance_level(aff, random_state=seed)
            tensor = _recorded(averaged_affinity(aff, self.window) - level)
            return tensor, lambda rng: _recorded(averaged_affinity(shifted_affinity(aff, rng), self.window) - level)
        events = events_of(aff, self._onsets(source), before=self.before, after=self.after)
        return locked_affinity(events), partial(locked_affinity, events)

    def _again(self, X: Input) -> xr.DataArray:
        """The tensor of new animals, with the times and pairs that were fitted."""
        results = self._fitted()
        source = given(X, kernel=self.kernel, smooth=self.smooth, min_animals=1)
        tensor, _ = self._tensor(source, int(results.attrs["random_state"]))
        clock = results[TIME].to_numpy()
        step = float(np.median(np.diff(clock))) if clock.size > 1 else np.inf
        placed = tensor.reindex({PAIR: results[PAIR].to_numpy()})
        return placed.reindex({TIME: clock}, method="nearest", tolerance=step / 2)

    def _onsets(self, source: Given) -> Onsets:
        if source.aligned is None or self.event not in source.aligned:
            found = [] if source.aligned is None else [str(n) for n in source.aligned.data_vars]
            raise InputError(f"the event {self.event!r} is no variable of the recordings; there are {listed(found)}")
        flag = source.aligned[self.event]
        if not is_flag(flag):
            raise InputError(f"the event {self.event!r} holds numbers, not a flag of 0 and 1; threshold it first")
        return {str(a): event_onsets(flag.sel({ANIMAL: a})) for a in flag[ANIMAL].to_numpy()}

    def _epochs(self, source: Given, tensor: xr.DataArray, results: xr.Dataset, seed: int) -> xr.Dataset:
        """Epochs on the clock of the atlas, and how far components go with them."""
        if source.aligned is None or source.affinity is None:
            return xr.Dataset()
        flags = epoch_flags(source.aligned, self.epochs)
        if not flags.sizes["epoch"]:
            return xr.Dataset()
        # A level that is constant in time shifts a course, and overlap is that of courses less their means.
        session = tensor if self.event is None else averaged_affinity(source.affinity, self.window)
        shares = binned(flags, session[TIME].to_numpy())
        overlap = epoch_overlap(
            courses(session, results["pair_factor"]),
            shares,
            results["animal_factor"],
            n_permutations=self.n_permutations,
            random_state=seed,
            untested=[e for e in flags["epoch"].to_numpy().tolist() if self.event in (e, *e.split(" > ")[:1])],
        )
        if self.event is not None:
            shares = epochs_around(flags, self._onsets(source), before=self.before, after=self.after)
        attrs = {"units": "1", "long_name": "share of the sample that the epoch is on"}
        return overlap.assign(epoch_active=shares.drop_vars(TIME).assign_attrs(attrs))

    def _told(self) -> dict[str, str | float | int]:
        """What was done, for the attributes of the results."""
        return {
            "kernel": self.kernel,
            "smooth": float(self.smooth),
            "window": float(self.window),
            "event": self.event or "",
            "interval_rule": f"above the Otsu threshold of the time course, for at least {self.min_duration:g} s",
            "animal_rule": "at least a fifth of the largest loading",
            "node_rule": "in the upper Otsu class of node strengths",
            "community_method": self.community_method,
        }

    def _check_bare(self, source: Given) -> None:
        problems = Problems("a tensor is no recording")
        if self.n_null:
            problems.add("it has no traces that could be shifted; pass n_null=0, or the recordings")
        if self.event is not None:
            problems.add("it has no events; pass event=None, or the recordings")
        if self.epochs:
            problems.add("it has no epochs; pass epochs=None, or the recordings")
        problems.raise_if_any(InputError)

    def _check_parameters(self) -> None:
        problems = Problems("cannot make an atlas")
        for name, least in (
            *([] if self.rank == "auto" else [("rank", 1)]),
            ("n_restarts", 1),
            ("n_null", 0),
            ("n_permutations", 1),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
                problems.add(f"{name} must be an integer of at least {least}, got {value!r}")
            elif name == "n_null" and 0 < value < _NULL_LEAST:
                problems.add(f"n_null must be 0 or at least {_NULL_LEAST}: fewer draws cannot tell, got {value}")
        for name in ("window", "before", "after", "min_duration"):
            if not 0 <= getattr(self, name) < np.inf:
                problems.add(f"{name} must be 0 s or more, got {getattr(self, name)!r}")
        if self.kernel not in get_args(Kernel):
            problems.add(f"kernel must be one of {', '.join(get_args(Kernel))}, got {self.kernel!r}")
        problems.raise_if_any(InputError)


def _factorized(tensor: xr.DataArray, rank: int, n_restarts: int, seed: int) -> xr.Dataset:
    model = NonnegativeCP(rank, n_restarts=n_restarts, negative="fit", sparsity=_SPARSITY, tol=_TOL, random_state=seed)
    found: xr.Dataset = model.fit(tensor.fillna(0.0), weights=entry_weights(tensor)).results_
    return with_plain_loadings(found, tensor)


def _refit(tensor: xr.DataArray, seed: int, rank: int) -> xr.DataArray:
    return _factorized(tensor, rank, _NULL_RESTARTS, seed)["weight"]


def _recorded(tensor: xr.DataArray) -> xr.DataArray:
    """Without times at which nothing was recorded."""
    return tensor.dropna(TIME, how="all")


def _described(found: xr.Dataset, tensor: xr.DataArray, model: DynamicConnectome, seed: int) -> xr.Dataset:
    """When, in whom and which nodes, added to a factorisation."""
    active = active_times(found["time_factor"], min_duration=model.min_duration)
    expressed = expressed_in(found["animal_factor"])
    observed = tensor.notnull().any(TIME)
    pairs = determined_pairs(found["pair_factor"], found["animal_factor"], observed)
    strength = node_strength(pairs)
    community = motif_communities(
        pairs, strength, method=model.community_method, n_restarts=model.n_restarts, random_state=seed
    )
    return found.merge(interval_table(active)).assign(
        active=active,
        expressed=expressed,
        animal_similarity=animal_similarity(tensor, found["time_factor"], expressed),
        node_strength=strength,
        community=community,
        n_communities=(community.max("node") + 1).assign_attrs(units="1", long_name="communities"),
    )
