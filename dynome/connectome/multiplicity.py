"""How often an edge may occur: once per edge type, and where it has no direction, once in each direction."""

from __future__ import annotations

from typing import Literal

import numpy as np

from dynome.connectome.edge_table import EdgeTable, Integers, check_choice, stacked, taken, two_way_layers
from dynome.errors import Problems
from dynome.labels import StrArray

Duplicates = Literal["sum", "raise"]
Asymmetric = Literal["raise", "max", "mean", "sum"]


def edge_keys(table: EdgeTable, n_node: int) -> Integers:
    """One integer for each edge, ordered by layer, source and target."""
    return (table.layer * n_node + table.source) * n_node + table.target


def stable_order(key: Integers) -> Integers:
    """The stable order of nonnegative integers.

    Key and position are sorted as one integer where they fit, which is several times faster than `numpy.argsort`.
    """
    bits = key.size.bit_length()
    if key.size and int(key.max()) >> (63 - bits):
        return np.argsort(key, kind="stable")
    return np.sort(key << bits | np.arange(key.size)) & ((1 << bits) - 1)


def collapsed(table: EdgeTable, n_node: int, duplicates: Duplicates, problems: Problems) -> EdgeTable:
    """Edges in order, each once: repeats are summed, or told as a problem."""
    check_choice("duplicates", duplicates, Duplicates)
    key = edge_keys(table, n_node)
    if not (key[1:] >= key[:-1]).all():
        order = stable_order(key)
        key, table = key[order], taken(table, order)
    first = _run_starts(key)
    if first.size == key.size:
        return table
    if duplicates == "raise":
        problems.add(
            f"an edge may occur once per edge_type, found {key.size - first.size} repeats; sum them or drop them"
        )
        return taken(table, first)
    leader = np.repeat(first, np.diff(first, append=key.size))
    _check_agreement(table, leader, slice(None), "rows that repeat an edge", problems)
    return taken(table, first)._replace(weight=np.add.reduceat(table.weight, first))


def both_ways(
    table: EdgeTable, names: StrArray, directed: bool, asymmetric: Asymmetric, problems: Problems
) -> EdgeTable:
    """Every edge of the two-way layers in both directions, with one weight.

    Parameters
    ----------
    table : EdgeTable
        Each edge once per direction, as `collapsed` leaves them.
    names : (node,)
        Labels, for messages.
    directed : bool
        False makes every layer two-way; True only gap junctions.
    asymmetric : {"raise", "max", "mean", "sum"}
        What the weight is where the two directions differ.
    problems : Problems
        Gathers what cannot be decided.
    """
    check_choice("asymmetric", asymmetric, Asymmetric)
    two_way = two_way_layers(table.layers, directed)
    if not two_way.size:
        return table
    parts = [taken(table, ~np.isin(table.layer, two_way))]
    for code in two_way:
        pairs = _pairs(taken(table, table.layer == code), names, asymmetric, problems)
        mirrored = pairs._replace(source=pairs.target, target=pairs.source)
        parts += [pairs, taken(mirrored, mirrored.source != mirrored.target)]
    table = stacked(parts)
    return taken(table, stable_order(edge_keys(table, names.size)))


def _pairs(table: EdgeTable, names: StrArray, asymmetric: Asymmetric, problems: Problems) -> EdgeTable:
    """One row for each unordered pair of one layer."""
    pair = np.minimum(table.source, table.target) * names.size + np.maximum(table.source, table.target)
    order = stable_order(pair)
    table, pair = taken(table, order), pair[order]
    first = _run_starts(pair)
    last = np.append(first[1:], pair.size)[: first.size] - 1
    there, back = table.weight[first], table.weight[last]
    lone = first == last
    if lone.all():
        return taken(table, first)
    once = lone & (table.source[first] != table.target[first])
    differ = once | (there != back)
    if asymmetric == "raise" and differ.any():
        told = zip(names[table.source[first]], names[table.target[first]], there, np.where(once, 0, back), strict=True)
        cases = [f"{a}-{b} {w:g}/{v:g}" for (a, b, w, v), odd in zip(told, differ, strict=True) if odd]
        problems.add(
            f"{table.layers[table.layer[0]]} edges have no direction, but {len(cases)} of {first.size} pairs have one "
            f"weight there and another back ({', '.join(cases[:5])}); give each pair once, or both ways alike, or pass "
            'asymmetric="max", "mean" (no edge back counts as 0) or "sum" (each row is a contact of its own)'
        )
    _check_agreement(table, first, last, "the two directions of an edge", problems)
    weight = {
        "raise": there,
        "max": np.where(np.abs(back) > np.abs(there), back, there),
        "mean": np.where(once, there / 2, (there + back) / 2),
        "sum": np.where(lone, there, there + back),
    }[asymmetric]
    return taken(table, first)._replace(weight=weight)


def _check_agreement(table: EdgeTable, rows: Integers, others: Integers | slice, what: str, problems: Problems) -> None:
    for name, values in table.extra.items():
        a, b = values[rows], values[others]
        same = (a == b) | ((a != a) & (b != b))
        if not same.all():
            problems.add(f"{what} disagree on {name} in {int((~same).sum())} cases; make them agree or drop the column")


def _run_starts(ordered: Integers) -> Integers:
    starts = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    return np.concatenate([np.zeros(min(ordered.size, 1), dtype=np.int64), starts])
