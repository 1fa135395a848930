"""A study: recordings of one or many animals, the connectome they share and what is known about them, in one tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from dynome import labels, schema
from dynome.errors import InputError, Problems, SchemaError, listed


def build(
    recordings: Mapping[str, xr.Dataset] | xr.DataTree,
    connectome: xr.Dataset | None = None,
    *,
    phenotype: xr.Dataset | pd.DataFrame | None = None,
    truth: xr.Dataset | None = None,
    attrs: Mapping[str, Any] | None = None,
) -> xr.DataTree:
    """Put recordings and their connectome into one valid study.

    Parameters
    ----------
    recordings : mapping or DataTree
        ``"animal"`` or ``"animal/session"`` to a recording; or a study, to give it a connectome or a phenotype.
    connectome : Dataset or None
        The wiring that the animals share; its labels join it to the recordings.
    phenotype : Dataset, DataFrame or None
        What is known about animals, such as age or diagnosis: variables over ``animal``, or over ``session``
        (``"animal/session"``); a DataFrame has either as its index. NaN or "" where missing.
        None keeps that of a study.
    truth : Dataset or None
        What a simulator planted.
    attrs : mapping or None
        Attributes of the study.

    Raises
    ------
    SchemaError
        With every problem of every part, or if `recordings` are not named.

    Examples
    --------
    >>> import numpy as np
    >>> rec = schema.recording(np.ones((3, 1)), time=[0.0, 1, 2], node=["a"], units="1")
    >>> list(sessions(build({"worm1": rec, "worm2": rec})))
    ['worm1', 'worm2']
    """
    problems = Problems("study is not valid")
    _refuse_bare(recordings, connectome, problems)
    if isinstance(recordings, xr.DataTree):
        attrs = {**{str(name): value for name, value in recordings.attrs.items()}, **(attrs or {})}
        if phenotype is None and schema.PHENOTYPE in recordings.children:
            phenotype = recordings[schema.PHENOTYPE].to_dataset()
        recordings = sessions(recordings)
    _refuse_unnamed(phenotype, list(recordings), problems)
    table = phenotype_table(phenotype, list(recordings)) if isinstance(phenotype, pd.DataFrame) else phenotype
    beside = {schema.CONNECTOME: connectome, schema.PHENOTYPE: table, schema.TRUTH: truth}
    parts: dict[str, Any] = dict(recordings) | {name: part for name, part in beside.items() if part is not None}
    for name in recordings:
        if not isinstance(name, str) or not all(piece not in ("", ".", "..") for piece in name.split("/")):
            problems.add(f'recordings are named "animal" or "animal/session", found {name!r}; rename it')
        elif name.split("/")[0] in schema.BESIDE:
            problems.add(f"{name!r} begins with a reserved name; rename the animal")
    for name, part in parts.items():
        if not isinstance(part, xr.Dataset):
            problems.add(f"{name} must be a Dataset, found {type(part).__name__}")
    problems.raise_if_any(SchemaError)
    try:
        tree = xr.DataTree.from_dict({f"/{name}": part for name, part in parts.items()})
    except ValueError as error:
        told = str(error).partition(":")[0]
        problems.add(f"an animal with sessions has no other recording of its own, found: {told}; make it a session")
        problems.fail(SchemaError)
    tree.attrs.update(attrs or {})
    return schema.validate(tree, "study")


def _refuse_bare(recordings: object, connectome: object, problems: Problems) -> None:
    """Recordings come with their names, and before the connectome."""
    if isinstance(recordings, Mapping | xr.DataTree) and not isinstance(recordings, xr.Dataset):
        return
    found = f"a {type(recordings).__name__}"
    if isinstance(recordings, xr.Dataset) and schema.EDGE in recordings.dims:
        found += ", a connectome, which is the second argument"
    elif connectome is not None and not isinstance(connectome, xr.Dataset):
        found += f" before a {type(connectome).__name__}; the connectome is the second argument"
    problems.add(f'recordings must be named, found {found}; pass {{"animal": recording}}')
    problems.fail(SchemaError)


def _refuse_unnamed(phenotype: object, paths: list[str], problems: Problems) -> None:
    """A phenotype is a table, and its rows have the names of animals or sessions instead of numbers."""
    if phenotype is not None and not isinstance(phenotype, xr.Dataset | pd.DataFrame):
        found = f"found a {type(phenotype).__name__}"
        problems.add(f"phenotype must be a Dataset or a DataFrame, {found}; read a table with "
                     'pd.read_csv(path, sep="\\t").set_index("participant_id")')  # fmt: skip
        problems.fail(SchemaError)
    if not isinstance(phenotype, pd.DataFrame) or phenotype.empty or phenotype.index.dtype.kind not in "iuf":
        return
    names = {*paths, *(path.split("/")[0] for path in paths)}
    if names & {str(label) for label in phenotype.index}:
        return
    column = next((str(c) for c in phenotype if names & set(phenotype[c].astype(str))), "participant_id")
    problems.add(f"the index of phenotype must name animals or sessions, such as {listed(sorted(names), 3)}; found "
                 f"{listed(phenotype.index.tolist(), 3)}; pass phenotype.set_index({column!r})")  # fmt: skip
    problems.fail(SchemaError)


def sessions(study: xr.DataTree) -> dict[str, xr.Dataset]:
    """The recordings of a study by path (``"animal"`` or ``"animal/session"``), in the order of the tree.

    Parameters
    ----------
    study : DataTree
        As `build` makes it.
    """
    return {
        key: node.to_dataset(inherit=True)
        for key, node in study.subtree_with_keys
        if node.has_data and key != "." and key.split("/")[0] not in schema.BESIDE
    }


def connectome(study: xr.DataTree) -> xr.Dataset:
    """The connectome of a study.

    Parameters
    ----------
    study : DataTree
        As `build` makes it.

    Raises
    ------
    SchemaError
        If it has none.
    """
    if schema.CONNECTOME not in study.children:
        raise SchemaError("this study has no /connectome; add one with study.build(recordings, connectome=...)")
    return study[schema.CONNECTOME].to_dataset()


def phenotype(study: xr.DataTree) -> xr.Dataset:
    """What is known about the animals and sessions of a study.

    Parameters
    ----------
    study : DataTree
        As `build` makes it.

    Returns
    -------
    Dataset
        Variables over ``animal`` or ``session``.

    Raises
    ------
    SchemaError
        If it has none.
    """
    if schema.PHENOTYPE not in study.children:
        raise SchemaError("this study has no /phenotype; add one with study.build(study, phenotype=...)")
    return study.children[schema.PHENOTYPE].to_dataset(inherit=False)


def session_values(phenotype: xr.Dataset | xr.DataTree, name: str, sessions: Sequence[str]) -> NDArray[Any]:
    """One variable of a phenotype, session by session.

    Parameters
    ----------
    phenotype : Dataset or DataTree
        A phenotype, or a study that has one.
    name : str
        Variable; what is known of an animal holds for each of its sessions.
    sessions : sequence of str
        Paths ``"animal"`` or ``"animal/session"``.

    Returns
    -------
    (session,)
        Numbers, NaN where missing, or strings, "" where missing; so are sessions that the phenotype does not name.

    Raises
    ------
    InputError
        If there is no such variable, it holds neither numbers nor strings, or `phenotype` is something else.

    Examples
    --------
    >>> table = xr.Dataset({"age": ("animal", [30.0, 41.0], {"units": "years"})}, coords={"animal": ["ann", "bob"]})
    >>> session_values(table, "age", ["bob/ses-1", "ann/ses-1", "cid/ses-1"])
    array([41., 30., nan])
    """
    if isinstance(phenotype, xr.DataTree):
        phenotype = phenotype.children.get(schema.PHENOTYPE, phenotype).to_dataset(inherit=False)
    if not isinstance(phenotype, xr.Dataset):
        raise InputError(
            f"phenotype must be a Dataset, or a study that has one, got {phenotype!r:.80}; "
            "dynome.store.open opens a stored study"
        )
    if name not in phenotype.data_vars:
        raise InputError(f"the phenotype has no {name!r}, it has {listed([str(n) for n in phenotype.data_vars])}")
    variable = phenotype[name]
    over = str(variable.dims[0])
    wanted = [path.split("/")[0] for path in sessions] if over == schema.ANIMAL else list(sessions)
    place = labels.positions(np.array(wanted, dtype=np.str_), variable[over].to_numpy())
    values = variable.to_numpy()
    if values.dtype.kind == "O":
        values = _column(pd.Series(values))[0]
    if values.dtype.kind not in "iufbUT":
        raise InputError(f"{name!r} must hold numbers or strings, found dtype {values.dtype}; convert it")
    missing: Any = "" if values.dtype.kind in "UT" else np.nan
    values = values if values.dtype.kind in "UT" else values.astype(np.float64)
    padded = np.append(values, np.array([missing], dtype=values.dtype))
    return np.asarray(padded[np.where(place < 0, values.size, place)])


def phenotype_table(frame: pd.DataFrame, sessions: Sequence[str]) -> xr.Dataset:
    """A phenotype from a table with one row an animal, or one a session.

    Parameters
    ----------
    frame : DataFrame
        Its index names animals or sessions, its columns are variables.
    sessions : sequence of str
        Paths ``"animal"`` or ``"animal/session"`` of what it is about; they tell which of the two the index names.

    Returns
    -------
    Dataset
        Variables over ``animal`` or ``session``; missing numbers are NaN, missing texts "". It is not checked.

    Raises
    ------
    InputError
        If the index has no labels.

    Examples
    --------
    >>> frame = pd.DataFrame({"age": [30, 41]}, index=["ann", "bob"])
    >>> phenotype_table(frame, ["ann/ses-1", "bob/ses-1"]).age.dims
    ('animal',)
    """
    index = labels.as_labels(frame.index.to_numpy())
    found, paths = set(index.tolist()), set(sessions)
    named = len(found & paths), len(found & {path.split("/")[0] for path in paths})
    over = schema.SESSION if named[0] > named[1] or (found and found <= paths) else schema.ANIMAL
    return xr.Dataset(
        {str(name): (over, *_column(frame[name])) for name in frame.columns}, coords={over: (over, index)}
    )


def _column(column: pd.Series[Any]) -> tuple[NDArray[Any], dict[str, str]]:
    """Values and attributes; what is neither number nor text keeps a type that the schema refuses."""
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype=np.float64, na_value=np.nan), {"units": "1"}
    if column.dropna().map(lambda value: isinstance(value, str)).all():
        return column.astype(object).fillna("").to_numpy(dtype=np.str_), {}
    return column.to_numpy(), {}
