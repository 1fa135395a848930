"""Components, states or clusters of many sessions under one numbering."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import seeds
from dynome.errors import InputError, Problems, listed
from dynome.inference.group.chance import Judged, against, judged
from dynome.inference.group.consensus import Consensus, agreed, ready
from dynome.inference.group.joining import joined_variables
from dynome.inference.group.members import (
    DIM,
    Kind,
    Members,
    Result,
    compared_variables,
    members_of,
    session_names,
    units_of,
)
from dynome.inference.probing.outcomes import animals_of
from dynome.permutation import permutation_p_value, q_value
from dynome.schema import ANIMAL, SESSION

Ints = NDArray[np.int64]
Block = Literal["animal", "session"]

_REFERENCE = "\0reference"


def match_sessions(
    results: Mapping[str, Any],
    *,
    kind: Kind = "components",
    reference: str | Result | None = None,
    number: int | None = None,
    variables: Sequence[str] | None = None,
    by: str | None = None,
    block: Block = "animal",
    n_null: int = 100,
    random_state: int | None = None,
) -> xr.Dataset:
    r"""Number the components, states or clusters of all sessions alike, and say how well each session matches.

    Parameters
    ----------
    results : mapping of session to result
        Sessions are named ``"animal"`` or ``"animal/session"``. A result is a Dataset, a DataTree or a fitted
        estimator; what `batch.map_sessions` returns is such a mapping.
    kind : {"components", "states", "clusters"}
        Components of a `DynamicConnectome` or `NonnegativeCP` fitted to each session; states of a `SwitchingGLM` or
        `HiddenMarkov`; clusters of nodes of a `Biclustering`, or any variable ``cluster (node)`` of labels.
    reference : str, result or None
        A session, or another result such as a truth or a published atlas, to which all are matched. None matches them
        to one another.
    number : int or None
        How many to number; None takes what most sessions have (that of the reference). Sessions with fewer have NaN,
        what sessions have besides is left out.
    variables : sequence of str or None
        What they are compared by. None takes the pair, node or member loadings of components and clusters, and
        couplings, biases, means and rates of states.
    by : str or None
        Coordinate of nodes, such as ``"region"``, whose groups are compared instead of nodes. Needed where nodes are
        others in each session.
    block : {"animal", "session"}
        What is left out to judge a session: its animal, or itself alone.
    n_null : int
        Draws of the test against chance; 0 for none.
    random_state : int or None
        Seed of that test; None draws one, which is recorded.

    Returns
    -------
    Dataset
        With dims ``session`` and ``component`` (``state``, ``cluster``), numbered anew from 0, the best shared first
        (as the reference has them):

        * variables of the results over these, and over labels of nodes, pairs, epochs or covariates, joined by label:
          NaN where a session has none; ``active_share``, the share of time that a component is active;
        * ``consensus_{variable}``: mean over animals of the variables that were compared;
        * ``original (session, component)``: position in the session's own result, -1 where it has none;
        * ``match_similarity (session, component)``: cosine to the mean of the other animals over labels that both
          have, -1 to 1, with ``match_p_value``;
        * ``session_similarity (session)``: its mean, with ``session_p_value`` and ``session_q_value``;
        * ``shared_similarity (component)``: mean over animals, with ``shared_p_value``;
        * ``n_original (session)``, ``n_animals (component)``.

        ``session`` carries ``animal``; coordinates of nodes travel.

    Raises
    ------
    InputError
        If there are fewer than two sessions or animals, sessions share no labels, results have no such units, or an
        argument is out of range. Every session that is at fault is named.

    Notes
    -----
    Each session is assigned to the mean of the other animals, one to one, with the largest sum of cosines
    (Hungarian algorithm), until nothing changes; begun from several sessions, the best is kept. An animal counts once
    and never judges itself: reported similarities are to a consensus of the others, matched without it. Loadings and
    couplings have root mean square 1 in each session and unit; states are compared by how they differ from the mean of
    their session.

    Chance: nodes swap names within a session, which is matched anew; ``match_p_value`` and ``session_p_value`` compare
    with that. For ``shared_p_value`` the nodes of every animal swap names and all sessions are matched anew; the
    similarity of each component is compared with the best component of each draw, so that it holds for all of them
    together (family-wise). Assignment and p-values follow [1]_ and [2]_.

    References
    ----------
    .. [1] Kuhn, Naval Research Logistics Quarterly 1955, doi:10.1002/nav.3800020109.
    .. [2] Phipson & Smyth, Stat Appl Genet Mol Biol 2010, doi:10.2202/1544-6115.1585.

    Examples
    --------
    >>> strength = xr.DataArray(np.eye(2), dims=("component", "node"), coords={"node": ["AVA", "RIB"]})
    >>> one = xr.Dataset({"node_strength": strength})
    >>> found = match_sessions({"worm1": one, "worm2": one.isel(component=[1, 0])}, n_null=0)
    >>> bool((found.node_strength.sel(session="worm1") == found.node_strength.sel(session="worm2")).all())
    True
    """
    _check(kind, number, block, n_null)
    names = session_names(results)
    animals = animals_of(names)
    blocks = np.unique(animals if block == ANIMAL else np.array(names), return_inverse=True)[1]
    if reference is None and blocks.max() < 1:
        raise InputError(
            f"all {len(names)} sessions are of one animal, {str(animals[0])!r}, which cannot judge itself; to compare "
            "its sessions with one another, give block='session'"
        )
    dim, seed = DIM[kind], seeds.resolve(random_state)
    units = _gathered(results, names, kind, reference)
    members = members_of(units, dim, variables=variables, by=by)
    counts = np.array([row.shape[0] for row in members.rows])
    if reference is None:
        number = _most_common(counts) if number is None else number
        found, verdict = _with_one_another(members, blocks, number, n_null, seed)
    else:
        at = names.index(reference) if isinstance(reference, str) else len(names)
        found, verdict = _with_reference(members, blocks, at, number, n_null, seed)
    units.pop(_REFERENCE, None)
    data = joined_variables(units, dim, found.order)
    data = data.assign_coords({SESSION: names, ANIMAL: (SESSION, animals), dim: np.arange(found.order.shape[1])})
    data = data.assign(_described(verdict, found.order, blocks, counts[: len(names)], dim))
    for name in compared_variables(next(iter(units.values())), dim, variables):
        if name in data:
            data[f"consensus_{name}"] = _mean_over_animals(data[name])
    told = "the reference" if reference is not None else "the other animals" if block == ANIMAL else "other sessions"
    made_by = {str(unit.attrs["estimator"]) for unit in units.values() if "estimator" in unit.attrs}
    about = {"estimator": made_by.pop()} if len(made_by) == 1 else {}  # what is cited
    return data.assign_attrs(about, kind=kind, similarity_to=told, n_null=n_null, random_state=seed)


def _check(kind: str, number: int | None, block: str, n_null: int) -> None:
    problems = Problems("cannot match sessions")
    if kind not in DIM:
        problems.add(f"kind must be one of {listed(DIM)}, got {kind!r}")
    if block not in get_args(Block):
        problems.add(f"block must be one of {listed(get_args(Block))}, got {block!r}")
    if number is not None and (isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 1):
        problems.add(f"number must be None or a whole number, at least 1, got {number!r}")
    if isinstance(n_null, bool) or not isinstance(n_null, int | np.integer) or n_null < 0:
        problems.add(f"n_null must be a whole number, at least 0, got {n_null!r}")
    problems.raise_if_any(InputError)


def _gathered(
    results: Mapping[str, Any], names: list[str], kind: Kind, reference: str | Result | None
) -> dict[str, xr.Dataset]:
    """The Dataset of each session with its units, and that of a reference from outside as the last."""
    problems = Problems(f"cannot match {kind}")
    if isinstance(reference, str) and reference not in names:
        problems.add(f"the reference {reference!r} is no session, there are {listed(names)}")
        problems.fail(InputError)
    given = {str(name): value for name, value in results.items()}
    if reference is not None and not isinstance(reference, str):
        given[_REFERENCE] = reference
    units = {}
    for name, value in given.items():
        try:
            units[name] = units_of(value, kind)
        except InputError as error:
            problems.add(f"{'the reference' if name == _REFERENCE else name} {error}")
    problems.raise_if_any(InputError)
    return units


def _most_common(counts: Ints) -> int:
    """What most sessions have; of several numbers, the largest."""
    number, times = np.unique(counts, return_counts=True)
    return int(number[times == times.max()].max())


def _with_one_another(members: Members, blocks: Ints, number: int, n_null: int, seed: int) -> tuple[Consensus, Judged]:
    found = agreed([ready(row) for row in members.rows], blocks, number)
    verdict = judged(members, blocks, found, n_null=n_null, seed=seed)
    first = np.argsort(-verdict.overall, kind="stable")
    found = found._replace(order=found.order[:, first])
    return found, verdict._replace(
        similarity=verdict.similarity[:, first], null=verdict.null[..., first], overall=verdict.overall[first]
    )


def _with_reference(
    members: Members, blocks: Ints, at: int, number: int | None, n_null: int, seed: int
) -> tuple[Consensus, Judged]:
    """All sessions matched to row `at`; where that is a session, it is not judged."""
    goal = members.rows[at][:number]
    others = np.array([s for s in range(blocks.size) if s != at])
    kept = members._replace(rows=[members.rows[s] for s in others])
    block = np.unique(blocks[others], return_inverse=True)[1]
    found, verdict = against(kept, block, goal, n_null=n_null, seed=seed)
    order = np.tile(np.arange(goal.shape[0]), (blocks.size, 1))
    similarity = np.full(order.shape, np.nan)
    null = np.full((n_null, *order.shape), np.nan)
    order[others], similarity[others], null[:, others] = found.order, verdict.similarity, verdict.null
    return found._replace(order=order), verdict._replace(similarity=similarity, null=null)


def _described(verdict: Judged, order: Ints, blocks: Ints, counts: Ints, dim: str) -> dict[str, Any]:
    """Similarities and their tests as variables."""
    similarity = np.where(order >= 0, verdict.similarity, np.nan)
    whole = verdict.similarity.mean(axis=1)
    animals = [np.unique(blocks[order[:, k] >= 0]).size for k in range(order.shape[1])]
    found: dict[str, Any] = {
        "original": ((SESSION, dim), order, {"units": "1", "long_name": "position in the session's own result"}),
        "match_similarity": ((SESSION, dim), similarity, {"units": "1", "long_name": "similarity to the consensus"}),
        "session_similarity": (SESSION, whole, {"units": "1", "long_name": "mean similarity to the consensus"}),
        "shared_similarity": (dim, verdict.overall, {"units": "1", "long_name": "similarity, mean over animals"}),
        "n_original": (SESSION, counts, {"units": "count", "long_name": f"{dim}s of the session"}),
        "n_animals": (dim, animals, {"units": "count", "long_name": "animals that have it"}),
    }
    if not verdict.null.shape[0]:
        return found
    p = permutation_p_value(similarity, np.moveaxis(verdict.null, 0, -1))
    of_session = permutation_p_value(whole, verdict.null.mean(axis=2).T)
    shared = permutation_p_value(
        verdict.overall, np.broadcast_to(verdict.overall_null, (order.shape[1], len(verdict.overall_null)))
    )
    chance = {"units": "1", "long_name": "chance of so large a similarity if node names meant nothing"}
    return found | {
        "match_p_value": ((SESSION, dim), p, chance),
        "session_p_value": (SESSION, of_session, chance),
        "session_q_value": (SESSION, q_value(of_session), {"units": "1", "long_name": "false discovery rate"}),
        "shared_p_value": (dim, shared, chance),
    }


def _mean_over_animals(values: xr.DataArray) -> xr.DataArray:
    about = {**values.attrs, "long_name": f"{values.attrs.get('long_name', values.name)}, mean over animals"}
    return values.groupby(ANIMAL).mean(SESSION).mean(ANIMAL).assign_attrs(about)
