"""What is compared between sessions: the components, states or clusters of each as rows over labels in common.

A feature belongs to one node or to an ordered or unordered pair of nodes; its `block` says what else it is (variable,
lag, ...). So labels can be exchanged with their features: chance is what nodes that swapped their names would give.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import labels
from dynome.errors import InputError, Problems, listed
from dynome.estimator import Estimator
from dynome.schema import CLUSTER, COMPONENT, NODE, PAIR, SOURCE, STATE, TARGET

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Kind = Literal["components", "states", "clusters"]
Result = xr.Dataset | xr.DataArray | xr.DataTree | Estimator

DIM: Mapping[str, str] = {"components": COMPONENT, "states": STATE, "clusters": CLUSTER}
MEMBER = "member"
_COMPARED = {
    COMPONENT: (("pair_factor",), ("node_factor",), ("node_strength",), ("membership",)),
    STATE: (("coupling", "bias", "mean", "rate", "probability"),),
    CLUSTER: ((MEMBER,),),
}
_PLACES = (NODE, SOURCE, TARGET, PAIR)
_NOWHERE = ("time", "restart", "iteration", "interval", "session", "animal", "trial", "chain", "draw", "next_state")


class Features(NamedTuple):
    """What the columns are.

    Attributes
    ----------
    first, second : (n_feature,)
        Positions of the nodes in `nodes`; `second` is -1 for a feature of one node.
    block : (n_feature,)
        Number of the rest: variable, lag, ...
    unordered : (n_block,)
        Whether ``(a, b)`` is the same as ``(b, a)``.
    nodes : (n_node,)
    """

    first: Ints
    second: Ints
    block: Ints
    unordered: NDArray[np.bool_]
    nodes: labels.StrArray


class Members(NamedTuple):
    """The units of every session over the same features.

    Attributes
    ----------
    rows : list of (n_unit, n_feature)
        NaN where a session has no such label.
    features : Features
    """

    rows: list[Floats]
    features: Features


class _Flat(NamedTuple):
    values: Floats
    first: labels.StrArray
    second: labels.StrArray
    rest: labels.StrArray
    pair: bool


def units_of(result: Result, kind: Kind) -> xr.Dataset:
    """The Dataset of a result whose dim is that of its components, states or clusters.

    Parameters
    ----------
    result : Dataset, DataArray, DataTree or fitted Estimator
    kind : {"components", "states", "clusters"}
        Clusters are also made from a variable ``cluster_maxpear`` or ``cluster (node)`` of labels.

    Raises
    ------
    InputError
        If it has none.
    """
    given: object = result._fitted() if isinstance(result, Estimator) else result
    if isinstance(given, xr.DataArray):
        given = given.to_dataset(name=str(given.name or "value"))
    trees = [given] if isinstance(given, xr.Dataset) else []
    if isinstance(given, xr.DataTree):
        trees = [node.to_dataset(inherit=False) for node in given.subtree if node.has_data]
    for data in trees:
        if kind == "clusters" and (name := _partition(data)):
            return _indicators(data, name)
    for data in trees:
        if DIM[kind] in data.dims and compared_variables(data, DIM[kind], None):
            return data
    found = [f"{type(given).__name__} with dims {listed(map(str, data.dims))}" for data in trees[:2]]
    told = "; ".join(found) or f"a {type(given).__name__}"
    raise InputError(f"has no {kind} over labelled nodes (a dim {DIM[kind]!r}), found {told}")


def _partition(data: xr.Dataset) -> str:
    for name in ("cluster_maxpear", CLUSTER):
        if name in data and data[name].dims == (NODE,) and data[name].dtype.kind in "iu":
            return name
    return ""


def _indicators(data: xr.Dataset, name: str) -> xr.Dataset:
    """A partition of nodes as one row of 0 and 1 for each cluster, largest first; -1 is no cluster."""
    numbers = data[name].to_numpy()
    known, size = np.unique(numbers[numbers >= 0], return_counts=True)
    known = known[np.argsort(-size, kind="stable")]
    about = {"units": "1", "long_name": "whether a node is in the cluster"}
    member = ((CLUSTER, NODE), (known[:, None] == numbers).astype(np.float64), about)
    coords = {str(k): c for k, c in data.coords.items() if c.dims == (NODE,)}
    sizes = (CLUSTER, np.sort(size)[::-1].astype(np.float64), {"units": "count", "long_name": "nodes of the cluster"})
    return xr.Dataset({MEMBER: member, "size": sizes}, coords=coords | {CLUSTER: known}, attrs=data.attrs)


def compared_variables(data: xr.Dataset, dim: str, variables: Sequence[str] | None) -> list[str]:
    """Variables that units are compared by; none where one is missing.

    Parameters
    ----------
    data : Dataset
    dim : str
        Of the units.
    variables : sequence of str or None
        Named by the user.
    """
    for names in [tuple(variables)] if variables else _COMPARED[dim]:
        found = [n for n in names if n in data and dim in data[n].dims and {*map(str, data[n].dims)} & {*_PLACES}]
        if found and (not variables or len(found) == len(names)):
            return found
    return []


def members_of(
    units: Mapping[str, xr.Dataset], dim: str, *, variables: Sequence[str] | None = None, by: str | None = None
) -> Members:
    """Units of all sessions as rows over one set of features.

    Parameters
    ----------
    units : mapping of session to Dataset
        As `units_of` gives them.
    dim : str
        Of the units.
    variables : sequence of str or None
        What they are compared by; None takes what fits the kind.
    by : str or None
        A coordinate of nodes, such as a region, whose groups take the place of nodes; features are averaged.

    Raises
    ------
    InputError
        If a session has no such variable or coordinate, a value is infinite, or no label is shared.
    """
    problems = Problems("cannot compare sessions")
    flats: dict[str, dict[str, _Flat]] = {}
    for session, data in units.items():
        names = compared_variables(data, dim, variables)
        if not names:
            problems.add(f"{session}: expected {listed(variables or ['?'])} over {dim} and nodes, found {listed(data)}")
        if by is not None and (by not in data.coords or data[by].dims != (NODE,)):
            problems.add(f"{session}: nodes have no coordinate {by!r}, found {listed(map(str, data.coords))}")
    problems.raise_if_any(InputError)
    common = [n for n in compared_variables(next(iter(units.values())), dim, variables)
              if all(n in compared_variables(data, dim, variables) for data in units.values())]  # fmt: skip
    if not common:
        problems.add("sessions have no variable in common that units could be compared by; name one with variables=")
        problems.fail(InputError)
    for session, data in units.items():
        flats[session] = {n: _flat(data[n], dim, _groups(data, by)) for n in common}
        if any(np.isinf(flat.values).any() for flat in flats[session].values()):
            problems.add(f"{session} has infinite values in {listed(common)}; mark what is missing as NaN")
    problems.raise_if_any(InputError)
    return _joined(flats, centred=dim == STATE)


def _groups(data: xr.Dataset, by: str | None) -> dict[str, str] | None:
    if by is None:
        return None
    names = labels.as_labels(data[by].to_numpy())
    return dict(zip(labels.as_labels(data[NODE].to_numpy()).tolist(), names.tolist(), strict=True))


def _flat(variable: xr.DataArray, dim: str, groups: dict[str, str] | None) -> _Flat:
    """Values (unit, feature) of one variable, and the labels of its features."""
    array = variable.transpose(dim, ...)
    rest = [str(d) for d in array.dims[1:]]
    if wrong := sorted({*rest} & {*_NOWHERE}):
        raise InputError(f"{variable.name} lies over {listed(wrong)}, which sessions do not share; average or select")
    place = dict(zip(rest, np.indices(array.shape[1:]).reshape(len(rest), -1), strict=True))
    ends = [_labels_at(array, d, place[d]) for d in rest if d in (NODE, TARGET, SOURCE)]
    if PAIR in rest:
        ends = [_labels_at(array, end, place[PAIR]) for end in (SOURCE, TARGET)]
    if groups is not None:
        ends = [np.array([groups.get(name, "") for name in end.tolist()], dtype=np.str_) for end in ends]
    if PAIR in rest and groups is None:
        ends = list(unordered(*ends))
    others = [np.char.add(f"\0{d}=", _labels_at(array, d, place[d])) for d in rest if d not in _PLACES]
    told = np.full(array[0].size, str(variable.name), dtype=np.str_)
    for other in others:
        told = np.char.add(told, other)
    second = ends[1] if len(ends) > 1 else np.full(told.size, "", dtype=np.str_)
    values = array.to_numpy().reshape(array.shape[0], -1).astype(np.float64)
    flat = _Flat(values, ends[0], second, told, PAIR in rest)
    return flat if groups is None else _averaged(flat)


def unordered(first: labels.StrArray, second: labels.StrArray) -> tuple[labels.StrArray, labels.StrArray]:
    """Both ends of pairs without an order, the one that comes first in the alphabet first.

    Parameters
    ----------
    first, second : (n,)
    """
    turn = first > second
    return np.where(turn, second, first), np.where(turn, first, second)


def _labels_at(array: xr.DataArray, name: str, place: Ints) -> labels.StrArray:
    if name not in array.coords:
        raise InputError(f"{array.name} has no labels of {name}; sessions are joined by labels")
    values = array[name].to_numpy()
    texts = values.astype(np.str_) if values.dtype.kind == "f" else labels.as_labels(values)
    return texts[place]


def _averaged(flat: _Flat) -> _Flat:
    """Features with equal labels averaged; NaN does not count, nor do nodes without a group."""
    ends = (flat.first, flat.second)
    if flat.pair:
        ends = unordered(*ends)
    keep = (flat.first != "") & ((flat.second != "") | (not flat.second.astype(bool).any()))
    table = np.rec.fromarrays([end[keep] for end in (*ends, flat.rest)])
    distinct, inverse = np.unique(table, return_inverse=True)
    values = flat.values[:, keep]
    known = ~np.isnan(values)
    counts = np.stack([np.bincount(inverse, weights=row, minlength=distinct.size) for row in known.astype(np.float64)])
    sums = np.stack([np.bincount(inverse, weights=row, minlength=distinct.size) for row in np.nan_to_num(values)])
    means = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return _Flat(means, distinct["f0"], distinct["f1"], distinct["f2"], flat.pair)


def _joined(flats: Mapping[str, Mapping[str, _Flat]], *, centred: bool) -> Members:
    """All sessions over the union of their features; variables in units of their spread."""
    every = [flat for of_session in flats.values() for flat in of_session.values()]
    nodes = np.unique(np.concatenate([end for flat in every for end in (flat.first, flat.second)]))
    nodes = nodes[nodes != ""]
    _check_shared(flats)
    blocks = np.unique(np.concatenate([np.unique(flat.rest) for flat in every]))
    unordered = np.zeros(blocks.size, dtype=bool)
    keys = []
    for flat in every:
        block = labels.positions(flat.rest, blocks)
        unordered[block] = flat.pair
        keys.append(_key(labels.positions(flat.first, nodes), labels.positions(flat.second, nodes), block, nodes.size))
    union = np.unique(np.concatenate(keys))
    spread = {
        name: _scale([of[name].values for of in flats.values()], centred=centred) for name in next(iter(flats.values()))
    }
    rows, at = [], iter(keys)
    for of_session in flats.values():
        n = next(iter(of_session.values())).values.shape[0]
        row = np.full((n, union.size), np.nan)
        for name, flat in of_session.items():
            row[:, np.searchsorted(union, next(at))] = _centred(flat.values, centred=centred) / spread[name]
        rows.append(row)
    n = nodes.size
    first, second, block = union // (n + 1) % n, union % (n + 1) - 1, union // (n * (n + 1))
    return Members(rows, Features(first, second, block, unordered, nodes))


def _key(first: Ints, second: Ints, block: Ints, n: int) -> Ints:
    return (block * n + first) * (n + 1) + second + 1


def _centred(values: Floats, *, centred: bool) -> Floats:
    """States less their mean: they differ from one another in little of what they are."""
    return values - values.mean(axis=0) if centred and values.shape[0] > 1 else values


def _scale(values: Sequence[Floats], *, centred: bool) -> float:
    squares = np.concatenate([_centred(v, centred=centred).ravel() ** 2 for v in values])
    known = squares[~np.isnan(squares)]
    return float(np.sqrt(known.mean())) or 1.0 if known.size else 1.0


def _check_shared(flats: Mapping[str, Mapping[str, _Flat]]) -> None:
    own = {s: {*np.concatenate([f.first for f in of.values()]).tolist()} for s, of in flats.items()}
    names = list(own)
    lonely = [s for s in names if not any(own[s] & own[t] for t in names if t != s)]
    if len(names) > 1 and lonely:
        found = listed(sorted(own[lonely[0]]), 3)
        raise InputError(
            f"{listed(lonely)} shares no node label with any other session (it has {found}); give nodes the same names "
            "in every session, or compare regions or cell types with by="
        )


def swapped(row: Floats, features: Features, rng: np.random.Generator) -> Ints:
    """Where the features of some rows go when their nodes swap names, -1 for nowhere.

    Parameters
    ----------
    row : (n_unit, n_feature)
        NaN where missing; only nodes that occur swap names.
    features : Features
    rng : Generator

    Returns
    -------
    (n_feature,)
    """
    known = ~np.isnan(row).all(axis=0)
    ends = np.concatenate([features.first[known], features.second[known]])
    own = np.unique(ends[ends >= 0])
    new = np.arange(features.nodes.size)
    new[own] = rng.permutation(own)
    return moved(new, features)


def moved(new: Ints, features: Features) -> Ints:
    """Place of each feature after node ``k`` took the name of node ``new[k]``; -1 where there is no such feature.

    Parameters
    ----------
    new : (n_node,)
    features : Features
    """
    n = features.nodes.size
    first, second = new[features.first], np.where(features.second >= 0, new[features.second], -1)
    turn = features.unordered[features.block] & (second >= 0) & (first > second)
    first, second = np.where(turn, second, first), np.where(turn, first, second)
    own = _key(features.first, features.second, features.block, n)
    key = _key(first, second, features.block, n)
    place = np.minimum(np.searchsorted(own, key), own.size - 1)
    return np.where(own[place] == key, place, -1)


def relabelled(row: Floats, place: Ints) -> Floats:
    """Rows after their features went to `place`.

    Parameters
    ----------
    row : (n_unit, n_feature)
    place : (n_feature,)
    """
    out = np.full(row.shape, np.nan)
    out[:, place[place >= 0]] = row[:, place >= 0]
    return out


def session_names(results: Mapping[str, Any]) -> list[str]:
    """Names of the sessions of a mapping.

    Parameters
    ----------
    results : mapping

    Raises
    ------
    InputError
        If it is no mapping, or has fewer than two sessions.
    """
    if not isinstance(results, Mapping) or isinstance(results, xr.Dataset):
        raise InputError(f"expected a mapping of session to result, found {type(results).__name__}")
    if len(results) < 2:
        raise InputError(f"sessions are matched with one another, so at least 2 are needed, found {len(results)}")
    return [str(name) for name in results]
