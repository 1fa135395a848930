"""Columns of edge lists and node tables: which is which, and labels that keep every digit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pandas as pd

from dynome.datasets.formats import columnar, tables
from dynome.datasets.formats.files import suffix
from dynome.datasets.formats.nodes import as_text
from dynome.errors import FormatError, InputError, Problems, listed
from dynome.schema import SOURCE, TARGET

Column = str | int | None

SPELLINGS: dict[str, tuple[str, ...]] = {
    SOURCE: (
        "source", "src", "pre", "presynaptic", "pre_root_id", "pre_pt_root_id", "pre_id", "body_id_pre", "bodyid_pre",
        "source_id", "source_node", "source_neuron", "pre_neuron", "pre_name", "from", "from_node", "from_neuron",
    ),
    TARGET: (
        "target", "tgt", "post", "postsynaptic", "post_root_id", "post_pt_root_id", "post_id", "body_id_post",
        "bodyid_post", "target_id", "target_node", "target_neuron", "post_neuron", "post_name", "to", "to_node",
        "to_neuron",
    ),
    "weight": (
        "weight", "weights", "w", "syn_count", "synapses", "n_synapses", "num_synapses", "synapse_count", "n_syn",
        "nsyn", "count", "strength",
    ),
    "edge_type": ("edge_type", "type", "connection_type", "synapse_type", "kind"),
}  # fmt: skip


def names(path: Path, sep: str | None) -> tuple[list[str | int], dict[str, Any]]:
    """The names of the columns (positions in a text file without header), and what dynome wrote beside them."""
    if suffix(path) == ".parquet":
        names, said = columnar.names(path)
        return list(names), said
    first = tables.sniff(path, sep).first
    has_header = not any(tables.is_number(cell) for cell in first)
    return (list(first) if has_header else list(range(len(first)))), {}


def has_ends(header: Sequence[str | int]) -> bool:
    """Whether a table has columns that are called like the source and the target of edges."""
    return all(_guessed(end, header) is not None for end in (SOURCE, TARGET))


def spelled(name: str) -> str:
    """A name in lower case, with underscores for blanks, points and hyphens.

    Examples
    --------
    >>> spelled(" Pre-Root ID")
    'pre_root_id'
    """
    return re.sub(r"[\s.\-]+", "_", name.strip().lower())


def _guessed(key: str, header: Sequence[str | int]) -> str | int | None:
    """The column that is called like `key`; in a file without header the one at its usual place."""
    if header and isinstance(header[0], int):
        position = {SOURCE: 0, TARGET: 1, "weight": 2}.get(key, len(header))
        return header[position] if position < len(header) else None
    called = {spelled(str(name)): name for name in reversed(header)}
    return next((called[spelling] for spelling in SPELLINGS[key] if spelling in called), None)


def places(header: Sequence[str | int], wanted: Mapping[str, Column]) -> dict[str, str | int]:
    """Which column is which.

    Parameters
    ----------
    header : list
        What `names` returned.
    wanted : mapping
        Schema name to the name of the column; None guesses it.

    Raises
    ------
    InputError
        If a column that is asked for, or the source or the target, is not there; all problems at once.
    """
    problems = Problems("cannot find the columns of an edge list")
    found: dict[str, str | int] = {}
    for key, column in wanted.items():
        place = _guessed(key, header) if column is None else column
        if place in header and place is not None:
            found[key] = place
        elif column is not None:
            near = get_close_matches(str(column), [str(name) for name in header], n=1)
            problems.add(f"no column {column!r}{f', did you mean {near[0]!r}' if near else ''}; {_there(header)}")
        elif key in (SOURCE, TARGET):
            problems.add(f"no column for the {key} ({listed(SPELLINGS[key], 6)}); pass {key}=; {_there(header)}")
    problems.raise_if_any(InputError)
    if len(set(found.values())) < len(found):
        raise InputError(f"one column cannot be two things: {found}; pass source=, target= and weight=")
    return found


def _there(header: Sequence[str | int]) -> str:
    if all(isinstance(name, int) for name in header):
        return f"the file has no header, its columns are 0 to {len(header) - 1}"
    return f"the first line names {listed(header, 12)}"


def read(
    path: Path,
    sep: str | None,
    header: Sequence[str | int],
    place: Mapping[str, str | int],
    *,
    textual: Sequence[str],
) -> dict[str, pd.Series[Any]]:
    """The columns of a text or Parquet table under new names; those that are labels as categories."""
    if suffix(path) == ".parquet":
        raw = columnar.read(path, [str(c) for c in place.values()], text=[str(place[key]) for key in textual])
        columns = {key: raw[str(column)] for key, column in place.items()}
    else:
        if repeated := [str(c) for c in place.values() if list(header).count(c) > 1]:
            raise FormatError(f"{path} names columns more than once: {listed(repeated)}; rename them")
        at = {key: list(header).index(column) for key, column in place.items()}
        layout = tables.sniff(path, sep)
        frame = tables.read(path, layout, text=[at[key] for key in textual], header=isinstance(header[0], str))
        columns = {key: frame[position] for key, position in at.items()}
        for key in textual:
            codes, known = pd.factorize(columns[key])
            columns[key] = columnar.category(str(place[key]), codes, as_text(map(str, known)))
    return columns
