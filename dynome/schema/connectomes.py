"""Connectomes: what edges have, and what is checked of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from dynome import labels, units
from dynome.errors import Problems, UnitsError, listed
from dynome.schema.names import EDGE, EDGE_TYPES, MIXED, NODE, SOURCE, TARGET
from dynome.schema.parts import check_attrs, check_labels, in_memory, plain_attribute

_REQUIRED = (SOURCE, TARGET, "weight", "edge_type")
_OPTIONAL = ("sign", "neurotransmitter", "delay")


def edge_types(connectome: xr.Dataset) -> tuple[list[str], NDArray[np.int64]]:
    """The edge types that occur, in the order of `EDGE_TYPES`, and for each edge which of them it is.

    Parameters
    ----------
    connectome : Dataset
        With ``edge_type (edge)``.

    Returns
    -------
    types : list of str
        Types that the schema does not know come last.
    codes : (edge,)
        ``types[codes[k]]`` is the type of edge k.

    Raises
    ------
    ValueError
        If an edge type is missing.
    """
    values = connectome["edge_type"].to_numpy()
    if not values.size:
        return [], np.zeros(0, dtype=np.int64)
    # Edges usually come type by type: one look at each run instead of one at each edge.
    starts = np.flatnonzero(np.append(True, values[1:] != values[:-1]))
    codes, names = labels.factorize(values[starts])
    known = [t for t in EDGE_TYPES if t in names]
    types = known + [t for t in names.tolist() if t not in known]
    rank = np.array([types.index(t) for t in names.tolist()], dtype=np.int64)
    return types, np.repeat(rank[codes], np.diff(starts, append=values.size))


def check_edge_values(connectome: xr.Dataset, problems: Problems) -> tuple[list[str], NDArray[np.int64]] | None:
    """Check what can be told of edges without their ends: weights, signs, delays and types.

    For whoever made the ends from positions and so knows that they are right; `validate` checks these too.

    Parameters
    ----------
    connectome : Dataset
        With the variables of the schema.
    problems : Problems
        Gathers what is wrong.

    Returns
    -------
    tuple or None
        What `edge_types` returns, or None where weights or types cannot be read.
    """
    weight = connectome["weight"].to_numpy()
    if weight.dtype.kind not in "iuf":
        problems.add(f"weight must be numeric, found dtype {weight.dtype}")
        return None
    if (bad := int((~np.isfinite(weight)).sum())) > 0:
        problems.add(f"weight must be finite, found {bad} NaN or infinite values; drop those edges")
    for name, check in (("sign", _check_sign), ("delay", _check_delay)):
        if name in connectome:
            check(connectome[name], problems)
    try:
        types, type_code = edge_types(connectome)
    except ValueError as error:
        problems.add(f"edge_type cannot be read: {error}")
        return None
    if unknown := [t for t in types if t not in EDGE_TYPES]:
        problems.add(f"edge_type must be one of {', '.join(EDGE_TYPES)}; found {listed(unknown)}")
    if untold := [t for t in types if weight_unit(connectome, t) == MIXED]:
        problems.add(f'weight has mixed units; tell each in attrs["units_{{edge_type}}"], missing for {listed(untold)}')
    negative = weight < 0
    for code, name in enumerate(types if negative.any() else ()):
        unit = weight_unit(connectome, name)
        if unit in units.COUNTS and (count := int(negative[type_code == code].sum())):
            problems.add(f"weight in {unit} must be >= 0, found {count} negative; put signs in `sign`")
    return types, type_code


def weight_unit(connectome: xr.Dataset, edge_type: str) -> str:
    """The unit of the weights of one edge type.

    Parameters
    ----------
    connectome : Dataset
        With ``weight (edge)``.
    edge_type : str
        One of those that occur.

    Notes
    -----
    Where edge types have different units, ``attrs["units"]`` of ``weight`` is ``"mixed"`` and
    ``attrs["units_{edge_type}"]`` tells each.
    """
    attrs = connectome["weight"].attrs
    return units.canonical(str(attrs.get(f"units_{edge_type}", attrs.get("units", units.DIMENSIONLESS))))


def check_connectome(obj: xr.Dataset, problems: Problems, lazy: bool) -> None:
    """Note everything that is wrong with a connectome."""
    if missing := [d for d in (NODE, EDGE) if d not in obj.dims]:
        problems.add(f"expected dims node and edge, missing {listed(missing)}, found {tuple(map(str, obj.dims))}")
        return
    labelled = check_labels(obj, NODE, problems)
    check_attrs(obj, "the connectome", problems)
    if plain_attribute(obj.attrs.get("directed")) not in (0, 1):
        problems.add(f'attrs["directed"] must be 1 or 0, found {obj.attrs.get("directed")!r}')
    if absent := [n for n in _REQUIRED if n not in obj.variables]:
        problems.add(f"expected variables {', '.join(_REQUIRED)} on edge, missing {listed(absent)}")
        return
    present = [n for n in (*_REQUIRED, *_OPTIONAL) if n in obj.variables]
    if wrong := [n for n in present if obj[n].dims != (EDGE,)]:
        problems.add(f"{listed(wrong)} must have the single dim edge")
        return
    if units.of(obj["weight"]) is None:
        problems.add('weight must have attrs["units"], e.g. "synapses" or "1"')
    if places := [n for n in (SOURCE, TARGET) if obj.sizes[EDGE] and obj[n].dtype.kind not in "UTO"]:
        problems.add(
            f"source and target must hold labels, found dtype {obj[places[0]].dtype} in {listed(places)}; positions go "
            "wrong when nodes are reordered: use node[positions]"
        )
    if lazy or all(in_memory(obj[n]) for n in present):
        _check_edges(obj, labelled and not places, problems)


def _check_edges(obj: xr.Dataset, resolvable: bool, problems: Problems) -> None:
    readable = check_edge_values(obj, problems)
    if not resolvable:
        return
    node = obj[NODE].to_numpy()
    ends = {}
    for end in (SOURCE, TARGET):
        values = obj[end].to_numpy()
        ends[end] = labels.positions(values, node)
        if (unknown := ends[end] < 0).any():
            strangers = values[unknown]
            absent = pd.isna(strangers) if strangers.dtype.kind in "OT" else np.zeros(strangers.size, dtype=bool)
            if absent.any():
                problems.add(f"{end} is missing for {int(absent.sum())} edges; name the nodes or drop the edges")
            if names := np.unique(strangers[~absent].astype(object).astype(np.str_)).tolist():
                problems.add(f"{end} must name nodes, found unknown {listed(names)}; add the nodes or drop the edges")
    if readable is not None and obj.sizes[EDGE] and not any((where < 0).any() for where in ends.values()):
        _check_multiplicity(obj, ends[SOURCE], ends[TARGET], readable, problems)


def _check_multiplicity(
    obj: xr.Dataset,
    source: NDArray[np.int64],
    target: NDArray[np.int64],
    readable: tuple[list[str], NDArray[np.int64]],
    problems: Problems,
) -> None:
    types, code = readable
    n = obj.sizes[NODE]
    key = (code * n + source) * n + target
    ordered = np.sort(key)
    if (repeats := int((ordered[1:] == ordered[:-1]).sum())) > 0:
        problems.add(
            f"an edge may occur once per edge_type, found {repeats} repeats; sum them (connectome.from_edges does)"
        )
        return
    undirected = plain_attribute(obj.attrs.get("directed")) == 0
    two_way = np.isin(code, [k for k, name in enumerate(types) if undirected or name == "gap_junction"])
    if not two_way.any():
        return
    source, target, code = source[two_way], target[two_way], code[two_way]
    forward, backward = key[two_way], (code * n + target) * n + source
    a, b = np.argsort(forward), np.argsort(backward)
    if (forward[a] != backward[b]).any():
        lone = np.flatnonzero(~np.isin(forward, backward))
        fault = f"{lone.size} one-way edges ({_named(obj, source[lone], target[lone])})"
    else:
        there, back = (obj["weight"].to_numpy()[two_way][order] for order in (a, b))
        differ = np.flatnonzero((there != back) & ~((there != there) & (back != back)))
        if not differ.size:
            return
        fault = f"{differ.size} unequal weights ({_named(obj, source[a][differ], target[a][differ])})"
    problems.add(
        f"gap junctions and undirected edges must be stored in both directions with one weight, found {fault}; "
        "symmetrise (connectome.from_edges does)"
    )


def _named(obj: xr.Dataset, source: NDArray[np.int64], target: NDArray[np.int64]) -> str:
    """The first few edges by their labels."""
    node = obj[NODE].to_numpy()
    told = ", ".join(f"{node[i]}-{node[j]}" for i, j in zip(source[:3], target[:3], strict=True))
    return f"{told}, ..." if source.size > 3 else told


def _check_sign(sign: xr.DataArray, problems: Problems) -> None:
    values = sign.to_numpy()
    if values.dtype.kind not in "iuf":
        problems.add(f"sign must be -1, 0 or 1, found dtype {values.dtype}")
    elif (odd := ~np.isin(values, (-1, 0, 1))).any():
        problems.add(f"sign must be -1, 0 or 1, found {listed(np.unique(values[odd]).tolist())}")


def _check_delay(delay: xr.DataArray, problems: Problems) -> None:
    try:
        units.seconds_per(str(delay.attrs.get("units")))
    except UnitsError as error:
        problems.add(f'delay must have attrs["units"] of time: {error}')
    if delay.dtype.kind not in "iuf":
        problems.add(f"delay must be numeric, found dtype {delay.dtype}")
    elif bad := int(((delay < 0) | np.isinf(delay)).sum()):
        problems.add(f"delay must be finite and >= 0, found {bad} values that are not; NaN is the missing value")
