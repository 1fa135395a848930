"""The written schema: what a recording, a connectome, a functional connectivity and a study are.

All four are plain xarray objects. `validate` gathers every problem of an object and raises one `SchemaError`.
A new kind adds a constant, one ``_check_*`` function and a line in ``_checks``.

=========================== ========================================================================================
recording                   Dataset; ``time`` (s, float64, strictly increasing), ``node`` (unique labels);
                            ``activity (time, node)`` and/or ``spike_count (time, node)``; covariates ``(time, ...)``
connectome                  Dataset with an edge list; ``node``; ``source target weight edge_type`` and, where known,
                            ``sign neurotransmitter delay`` on ``edge``; ``attrs["directed"]``
functional_connectivity     DataArray ``(..., source, target)`` with labels on both
study                       DataTree ``/{animal}`` or ``/{animal}/{session}``; ``/connectome`` and ``/truth`` beside
=========================== ========================================================================================

``source`` is presynaptic, ``target`` postsynaptic. A gap junction, and every edge of an undirected connectome, is
stored in both directions. An absent edge is not a zero-weight edge. NaN is a missing value. Weights whose edge types
have different units have ``attrs["units"] = "mixed"`` and ``attrs["units_{edge_type}"]`` for each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar, get_args

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from dynome import labels, units
from dynome.errors import Problems, SchemaError, listed

TIME, NODE, TRIAL, SESSION, ANIMAL = "time", "node", "trial", "session", "animal"
EDGE, EVENT, SOURCE, TARGET, PAIR = "edge", "event", "source", "target", "pair"
WINDOW, STATE, COMPONENT, COMMUNITY, CLUSTER = "window", "state", "component", "community", "cluster"
FEATURE, LAG, HORIZON = "feature", "lag", "horizon"
RESTART, ITERATION, CHAIN, DRAW, FOLD = "restart", "iteration", "chain", "draw", "fold"

DIMS = (
    TIME, NODE, TRIAL, SESSION, ANIMAL, EDGE, EVENT, SOURCE, TARGET, PAIR, WINDOW, STATE, COMPONENT, COMMUNITY,
    CLUSTER, FEATURE, LAG, HORIZON, RESTART, ITERATION, CHAIN, DRAW, FOLD,
)  # fmt: skip

ACTIVITY, SPIKE_COUNT = "activity", "spike_count"
MIXED = "mixed"
CONNECTOME, TRUTH = "connectome", "truth"
EDGE_TYPES = (
    "chemical", "gap_junction", "functional", "peptidergic", "monoaminergic", "structural", "synaptic", "contact",
)  # fmt: skip

Kind = Literal["recording", "connectome", "functional_connectivity", "study"]
XarrayObject = xr.Dataset | xr.DataArray | xr.DataTree
Object = TypeVar("Object", xr.Dataset, xr.DataArray, xr.DataTree)


def kind_of(obj: XarrayObject) -> Kind:
    """Which kind an object means to be, told by its dims.

    Raises
    ------
    SchemaError
        If it looks like none of the kinds.
    """
    if isinstance(obj, xr.DataTree):
        return "study"
    if {SOURCE, TARGET} <= set(obj.dims):
        return "functional_connectivity"
    if isinstance(obj, xr.Dataset) and EDGE in obj.dims:
        return "connectome"
    if isinstance(obj, xr.Dataset) and {TIME, NODE} <= set(obj.dims):
        return "recording"
    raise SchemaError(
        f"cannot tell what this object is: expected a recording (dims time, node), a connectome (dims node, edge), "
        f"a functional connectivity (dims source, target) or a study (DataTree), found "
        f"{type(obj).__name__} with dims {tuple(map(str, obj.dims))}"
    )


def validate(obj: Object, kind: Kind | None = None, *, lazy: bool = False) -> Object:
    """Check an object against the schema and return it unchanged.

    Parameters
    ----------
    obj : Dataset, DataArray or DataTree
        What to check.
    kind : {"recording", "connectome", "functional_connectivity", "study"} or None
        What it should be; None tells by its dims.
    lazy : bool
        Also check the values of variables that are not in memory, chunk by chunk. Names, dims, labels and units
        are always checked.

    Returns
    -------
    object
        `obj` itself.

    Raises
    ------
    SchemaError
        With every problem found.

    Examples
    --------
    >>> rec = recording(np.zeros((3, 2)), time=[0.0, 0.5, 1.0], node=["AVAL", "AVAR"], units="dF/F")
    >>> validate(rec) is rec
    True
    >>> validate(rec.assign_coords(node=["AVAL", "AVAL"]))
    Traceback (most recent call last):
        ...
    dynome.errors.SchemaError: recording is not valid:
      - node labels must be unique, found repeated 'AVAL'; rename or drop the repeats
    """
    kind = kind or kind_of(obj)
    if kind not in _checks:
        raise SchemaError(f"kind must be one of {', '.join(get_args(Kind))}, got {kind!r}")
    expected, check = _checks[kind]
    problems = Problems(f"{kind.replace('_', ' ')} is not valid")
    if isinstance(obj, expected):
        check(obj, problems, lazy)
    else:
        problems.add(f"expected an xarray {expected.__name__}, found {type(obj).__name__}")
    problems.raise_if_any(SchemaError)
    return obj


def recording(
    activity: ArrayLike | None = None,
    *,
    time: ArrayLike,
    node: ArrayLike,
    units: str | None = None,
    spike_count: ArrayLike | None = None,
    covariates: Mapping[str, Any] | None = None,
    node_kind: str = "neuron",
    attrs: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """A valid recording from plain arrays.

    Parameters
    ----------
    activity : (time, node) or None
        Continuous activity; NaN where missing.
    time : (time,)
        Seconds, strictly increasing.
    node : (node,)
        Unique labels.
    units : str or None
        Unit of `activity`, e.g. ``"dF/F"``; required with it.
    spike_count : (time, node) or None
        Spikes per bin.
    covariates : mapping or None
        Behaviour and stimulus: name to DataArray, or to ``(dims, values, {"units": ...})``.
    node_kind : str
        ``"neuron"``, ``"parcel"``, ``"electrode"``, ...
    attrs : mapping or None
        Further attributes (subject, species, paper).

    Returns
    -------
    Dataset
        Dims ``time`` and ``node``.

    Raises
    ------
    SchemaError
        If the result breaks the schema.

    Examples
    --------
    >>> rec = recording(np.ones((4, 2)), time=np.arange(4) / 2, node=["a", "b"], units="dF/F")
    >>> rec.activity.dims, rec.time.attrs["units"]
    (('time', 'node'), 's')
    """
    data: dict[str, Any] = {}
    if activity is not None:
        data[ACTIVITY] = ((TIME, NODE), _array(activity), {"units": units} if units else {})
    if spike_count is not None:
        data[SPIKE_COUNT] = ((TIME, NODE), _array(spike_count), {"units": "count"})
    coords = {TIME: (TIME, np.asarray(time, dtype=np.float64), {"units": "s"}), NODE: labels.as_labels(node)}
    try:
        dataset = xr.Dataset(
            {**data, **(covariates or {})}, coords=coords, attrs={"node_kind": node_kind, **(attrs or {})}
        )
    except ValueError as error:
        raise SchemaError(f"arrays do not fit together: {error}") from error
    return validate(dataset, "recording")


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


def _array(values: ArrayLike) -> Any:
    return values if hasattr(values, "dask") else np.asarray(values)


def _check_labels(obj: xr.Dataset | xr.DataArray, dim: str, problems: Problems) -> bool:
    """Note what is wrong with the labels of `dim`; True if they can be looked up."""
    if dim not in obj.coords:
        problems.add(f"{dim} must have labels, found none; assign them with .assign_coords({dim}=[...])")
        return False
    values = obj[dim].to_numpy()
    if values.dtype.kind not in "UT" and not (values.dtype.kind == "O" and all(isinstance(v, str) for v in values)):
        problems.add(f"{dim} labels must be strings, found dtype {values.dtype}; convert with dynome.labels.as_labels")
        return False
    if (empty := int((values == "").sum())) > 0:
        problems.add(f"{empty} {dim} labels are empty strings; give each {dim} a label")
    if repeated := [v for v in labels.duplicates(values) if v]:
        problems.add(f"{dim} labels must be unique, found repeated {listed(repeated)}; rename or drop the repeats")
        return False
    return not empty


def _check_clock(obj: xr.Dataset, problems: Problems) -> None:
    if TIME not in obj.coords:
        problems.add("time must be a coordinate in seconds, found none; assign one with .assign_coords(time=...)")
        return
    clock = obj[TIME]
    stamps = clock.to_numpy()
    if stamps.dtype != np.float64:
        problems.add(f"time must be float64 seconds, found {stamps.dtype}; rebuild it, e.g. np.arange(n) / rate")
        return
    if units.of(clock) != units.SECONDS:
        problems.add(f'time must have attrs["units"] == "s", found {clock.attrs.get("units")!r}')
    if not np.isfinite(stamps).all():
        problems.add(f"time must be finite, found {int((~np.isfinite(stamps)).sum())} NaN or infinite stamps")
    elif (backward := int((np.diff(stamps) <= 0).sum())) > 0:
        first = int(np.argmax(np.diff(stamps) <= 0))
        problems.add(
            f"time must be strictly increasing, found {backward} stamps that repeat or go back (first after "
            f"{stamps[first]:g} s); sort and drop repeats, or rebuild it as np.arange(n) / rate"
        )
    if stamps.size < 2:
        problems.add(f"a recording needs at least 2 time samples, found {stamps.size}")


def _in_memory(variable: xr.DataArray) -> bool:
    return isinstance(variable.variable._data, np.ndarray)


def _check_units(obj: xr.Dataset, problems: Problems) -> None:
    numeric = [n for n, v in obj.data_vars.items() if v.dtype.kind in "iufc"]
    spatial = [n for n in ("x", "y", "z") if n in obj.coords]
    if without := [str(n) for n in (*numeric, *spatial) if units.of(obj[n]) is None]:
        problems.add(
            f'numeric variables must have attrs["units"], missing on {listed(without)}; use "1" if dimensionless'
        )


def _check_attrs(attrs: Mapping[Any, Any], where: str, problems: Problems) -> None:
    for name, value in attrs.items():
        items = value if isinstance(value, list | tuple | np.ndarray) else [value]
        if not all(isinstance(v, str | int | float | np.integer | np.floating) for v in items):
            problems.add(
                f"attrs[{name!r}] of {where} must be str, int, float or a list of these, found {type(value).__name__}"
            )


def _check_recording(obj: xr.Dataset, problems: Problems, lazy: bool) -> None:
    if missing := [d for d in (TIME, NODE) if d not in obj.dims]:
        problems.add(f"expected dims time and node, missing {listed(missing)}, found {tuple(map(str, obj.dims))}")
        return
    _check_clock(obj, problems)
    _check_labels(obj, NODE, problems)
    _check_units(obj, problems)
    _check_attrs(obj.attrs, "the recording", problems)
    present = [n for n in (ACTIVITY, SPIKE_COUNT) if n in obj.data_vars]
    if not present:
        problems.add(f"expected a variable activity or spike_count, found {listed(obj.data_vars) or 'none'}")
    for name in present:
        variable = obj[name]
        if variable.dims != (TIME, NODE):
            problems.add(f"{name} must have dims (time, node), found {variable.dims}; transpose it")
        elif variable.dtype.kind not in "iuf":
            problems.add(f"{name} must be numeric, found dtype {variable.dtype}")
        elif obj.sizes[NODE] and obj.sizes[TIME] and (lazy or _in_memory(variable)):
            _check_samples(variable, problems)
    if obj.sizes[NODE] == 0:
        problems.add("a recording needs at least one node, found none")


def _check_samples(variable: xr.DataArray, problems: Problems) -> None:
    name = str(variable.name)
    if variable.dtype.kind == "f":
        if infinite := int(np.isinf(variable).sum()):
            problems.add(f"{name} has {infinite} infinite values; NaN is the missing value")
        silent = variable.isnull().all(TIME).to_numpy()
        if silent.any():
            names = variable[NODE].to_numpy()[silent] if NODE in variable.coords else np.flatnonzero(silent)
            problems.add(
                f"{name} is NaN at all times for {int(silent.sum())} nodes: {listed(names.tolist())}; drop them"
            )
    if name == SPIKE_COUNT:
        if negative := int((variable < 0).sum()):
            problems.add(f"spike_count must be >= 0, found {negative} negative values")
        if variable.dtype.kind == "f" and (broken := int((variable % 1 > 0).sum())):
            problems.add(f"spike_count must be whole numbers, found {broken} fractions; bin spikes instead of rates")


def _check_connectome(obj: xr.Dataset, problems: Problems, lazy: bool) -> None:
    if missing := [d for d in (NODE, EDGE) if d not in obj.dims]:
        problems.add(f"expected dims node and edge, missing {listed(missing)}, found {tuple(map(str, obj.dims))}")
        return
    labelled = _check_labels(obj, NODE, problems)
    _check_attrs(obj.attrs, "the connectome", problems)
    if obj.attrs.get("directed") not in (0, 1):
        problems.add(f'attrs["directed"] must be 1 or 0, found {obj.attrs.get("directed")!r}')
    required = (SOURCE, TARGET, "weight", "edge_type")
    if absent := [n for n in required if n not in obj.variables]:
        problems.add(f"expected variables {', '.join(required)} on edge, missing {listed(absent)}")
        return
    if wrong := [n for n in required if obj[n].dims != (EDGE,)]:
        problems.add(f"{listed(wrong)} must have the single dim edge")
        return
    if units.of(obj["weight"]) is None:
        problems.add('weight must have attrs["units"], e.g. "synapses" or "1"')
    if labelled and (lazy or _in_memory(obj[SOURCE])):
        _check_edges(obj, problems)


def check_edge_values(connectome: xr.Dataset, problems: Problems) -> tuple[list[str], NDArray[np.int64]] | None:
    """Check what can be told of edges without their ends: weights, signs and types.

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
    if "sign" in connectome and not np.isin(sign := connectome["sign"].to_numpy(), (-1, 0, 1)).all():
        problems.add(f"sign must be -1, 0 or 1, found {listed(np.unique(sign[~np.isin(sign, (-1, 0, 1))]).tolist())}")
    try:
        types, type_code = edge_types(connectome)
    except ValueError as error:
        problems.add(f"edge_type cannot be read: {error}")
        return None
    if unknown := [t for t in types if t not in EDGE_TYPES]:
        problems.add(f"edge_type must be one of {', '.join(EDGE_TYPES)}; found {listed(unknown)}")
    negative = weight < 0
    for code, name in enumerate(types if negative.any() else ()):
        unit = weight_unit(connectome, name)
        if unit in units.COUNTS and (count := int(negative[type_code == code].sum())):
            problems.add(f"weight in {unit} must be >= 0, found {count} negative; put signs in `sign`")
    return types, type_code


def weight_unit(connectome: xr.Dataset, edge_type: str) -> str:
    """The unit of the weights of one edge type.

    Where edge types have different units, ``attrs["units"]`` of ``weight`` is ``"mixed"`` and
    ``attrs["units_{edge_type}"]`` tells each.
    """
    attrs = connectome["weight"].attrs
    return units.canonical(str(attrs.get(f"units_{edge_type}", attrs.get("units", units.DIMENSIONLESS))))


def _check_edges(obj: xr.Dataset, problems: Problems) -> None:
    readable = check_edge_values(obj, problems)
    if readable is None:
        return
    types, type_code = readable
    node = obj[NODE].to_numpy()
    ends = {end: labels.positions(obj[end].to_numpy(), node) for end in (SOURCE, TARGET)}
    unresolved = False
    for end, where in ends.items():
        if (where < 0).any():
            unresolved = True
            strangers = np.unique(obj[end].to_numpy()[where < 0]).tolist()
            problems.add(f"{end} must name nodes, found unknown {listed(strangers)}; add the nodes or drop the edges")
    if unresolved or not type_code.size:
        return
    _check_multiplicity(obj, ends, types, type_code, obj["weight"].to_numpy(), problems)


def _check_multiplicity(
    obj: xr.Dataset,
    ends: dict[str, NDArray[np.int64]],
    types: list[str],
    type_code: NDArray[np.int64],
    weight: NDArray[Any],
    problems: Problems,
) -> None:
    n = obj.sizes[NODE]
    source, target = ends[SOURCE], ends[TARGET]
    key = (type_code * n + source) * n + target
    ordered = np.sort(key)
    if (repeats := int((ordered[1:] == ordered[:-1]).sum())) > 0:
        problems.add(
            f"an edge may occur once per edge_type, found {repeats} repeats; sum them (connectome.from_edges does)"
        )
        return
    two_way = np.isin(
        type_code, [k for k, t in enumerate(types) if t == "gap_junction" or not obj.attrs.get("directed")]
    )
    if not two_way.any():
        return
    forward, backward = key[two_way], ((type_code * n + target) * n + source)[two_way]
    a, b = np.argsort(forward), np.argsort(backward)
    single = int((forward[a] != backward[b]).sum())
    if single or not np.array_equal(weight[two_way][a], weight[two_way][b]):
        problems.add(
            "gap junctions and undirected edges must be stored in both directions with one weight, found "
            f"{single or 'unequal'} {'one-way edges' if single else 'weights'}; symmetrise (connectome.from_edges does)"
        )


def _check_functional_connectivity(obj: xr.DataArray, problems: Problems, lazy: bool) -> None:
    if obj.dims[-2:] != (SOURCE, TARGET):
        problems.add(f"the last dims must be (source, target), found {tuple(map(str, obj.dims))}; transpose it")
        return
    for end in (SOURCE, TARGET):
        _check_labels(obj, end, problems)
    if units.of(obj) is None:
        problems.add('expected attrs["units"]; use "1" for correlations')
    if obj.dtype.kind not in "iuf":
        problems.add(f"values must be numeric, found dtype {obj.dtype}")
    elif (lazy or _in_memory(obj)) and int(np.isinf(obj).sum()):
        problems.add(f"found {int(np.isinf(obj).sum())} infinite values; NaN is the missing value")
    _check_attrs(obj.attrs, "the functional connectivity", problems)


def _check_study(obj: xr.DataTree, problems: Problems, lazy: bool) -> None:
    leaves = [node for node in obj.subtree if node.has_data]
    recordings = [n for n in leaves if n.path.split("/")[1] not in (CONNECTOME, TRUTH)]
    if not recordings:
        problems.add("a study needs at least one recording below /{animal} or /{animal}/{session}, found none")
    seen: dict[str, dict[str | None, str]] = {}
    for leaf in recordings:
        if leaf.path == "/" or leaf.path.count("/") > 2:
            problems.add(f"{leaf.path}: recordings belong at /{{animal}} or /{{animal}}/{{session}}")
            continue
        dataset = leaf.to_dataset(inherit=True)
        inner = Problems(leaf.path)
        _check_recording(dataset, inner, lazy)
        for problem in inner.found:
            problems.add(f"{leaf.path}: {problem}")
        for name in (ACTIVITY, SPIKE_COUNT):
            if name in dataset:
                seen.setdefault(name, {}).setdefault(units.of(dataset[name]), leaf.path)
    for name, found in seen.items():
        if len(found) > 1:
            problems.add(
                f"{name} must have one unit, found {', '.join(f'{u!r} in {p}' for u, p in found.items())}; convert"
            )
    if CONNECTOME in obj.children:
        _check_study_connectome(obj[CONNECTOME].to_dataset(), recordings, problems, lazy)


def _check_study_connectome(wiring: xr.Dataset, recordings: list[xr.DataTree], problems: Problems, lazy: bool) -> None:
    inner = Problems(CONNECTOME)
    _check_connectome(wiring, inner, lazy)
    for problem in inner.found:
        problems.add(f"/{CONNECTOME}: {problem}")
    if NODE not in wiring.coords or labels.duplicates(wiring[NODE].to_numpy()):
        return
    known = wiring[NODE].to_numpy()
    for leaf in recordings:
        nodes = leaf.to_dataset(inherit=True).coords.get(NODE)
        if nodes is not None and nodes.size and (labels.positions(nodes.to_numpy(), known) < 0).all():
            problems.add(
                f"{leaf.path}: shares no node label with /{CONNECTOME} (recording: "
                f"{listed(nodes.to_numpy().tolist(), 3)}; connectome: {listed(known.tolist(), 3)}); "
                "bring the names to one convention"
            )


_checks: dict[str, tuple[type, Any]] = {
    "recording": (xr.Dataset, _check_recording),
    "connectome": (xr.Dataset, _check_connectome),
    "functional_connectivity": (xr.DataArray, _check_functional_connectivity),
    "study": (xr.DataTree, _check_study),
}
