"""Hypothesis strategies for valid objects of every kind, and for anything that a store should keep.

`recordings`, `connectomes`, `functional_connectivities` and `studies` follow the schema; `datasets` and `trees` are
odder than any science: empty dims, scalars, odd names and odd numbers.
"""

from __future__ import annotations

import string

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import xarray as xr

from dynome import schema, study

# numpy's fixed-width strings drop a NUL at their end, and half a surrogate pair is no text.
TEXT = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\"), min_size=1, max_size=8)
UNITS = st.sampled_from(["dF/F", "1", "a.u.", "Hz", "mV"])
ATTRIBUTES = st.dictionaries(
    st.sampled_from(["subject", "paper", "rate", "long_name", "species"]),
    st.one_of(
        st.text(max_size=5),
        st.integers(-(2**40), 2**40),
        st.floats(allow_nan=False),
        st.lists(st.integers(), max_size=3),
        st.lists(st.text(max_size=3), max_size=2),
    ),
    max_size=3,
)


def node_labels(min_size: int = 1, max_size: int = 5) -> st.SearchStrategy[list[str]]:
    """Unique, non-empty labels of any alphabet."""
    return st.lists(st.text(TEXT, min_size=1, max_size=6), min_size=min_size, max_size=max_size, unique=True)


@st.composite
def clocks(draw: st.DrawFn, min_size: int = 2, max_size: int = 8) -> np.ndarray:
    """Strictly increasing seconds, regular or not."""
    steps = draw(st.lists(st.floats(1e-3, 10), min_size=min_size - 1, max_size=max_size - 1))
    return draw(st.floats(-100, 100)) + np.concatenate([[0.0], np.cumsum(steps)])


@st.composite
def recordings(
    draw: st.DrawFn, *, node: list[str] | None = None, units: str | None = None, missing: bool = True
) -> xr.Dataset:
    """Valid recordings: activity with gaps, spike counts, covariates, what is known of nodes and times."""
    time = draw(clocks())
    node = draw(node_labels()) if node is None else node
    shape = (time.size, len(node))
    values = draw(hnp.arrays(np.float64, shape, elements=st.floats(-1e6, 1e6)))
    if missing:
        gaps = draw(hnp.arrays(bool, shape))
        gaps[draw(st.integers(0, time.size - 1))] = False  # a node that is never seen is an error
        values = np.where(gaps, np.nan, values)
    integers = draw(st.sampled_from([np.uint8, np.int64]))
    counts = draw(st.none() | hnp.arrays(integers, shape, elements=st.integers(0, 9)))
    recording = schema.recording(
        values,
        time=time,
        node=node,
        units=units or draw(UNITS),
        spike_count=counts,
        covariates={"velocity": ("time", draw(hnp.arrays(np.float64, time.size)), {"units": "mm/s"})}
        if draw(st.booleans())
        else None,
        attrs=draw(ATTRIBUTES),
    )
    if draw(st.booleans()):
        recording = recording.assign_coords(
            cell_type=("node", [draw(st.text(TEXT, max_size=4)) for _ in node]), x=("node", np.zeros(len(node)))
        )
        recording["x"].attrs["units"] = "um"
    return recording


@st.composite
def connectomes(draw: st.DrawFn, *, node: list[str] | None = None) -> xr.Dataset:
    """Valid connectomes: several edge types, gap junctions both ways, self-loops, and now and then no edge at all."""
    node = draw(node_labels(max_size=6)) if node is None else node
    directed = draw(st.booleans())
    pairs = st.tuples(st.integers(0, len(node) - 1), st.integers(0, len(node) - 1))
    kinds = st.sampled_from(["chemical", "gap_junction", "functional"])
    chosen = draw(st.dictionaries(st.tuples(kinds, pairs), st.integers(0, 99), max_size=8))
    edges = dict(chosen)
    for (kind, (i, j)), weight in chosen.items():
        if kind == "gap_junction" or not directed:
            edges[kind, (i, j)] = edges[kind, (j, i)] = weight
    types, ends = [kind for kind, _ in edges], [pair for _, pair in edges]
    weight = np.array(list(edges.values()), dtype=draw(st.sampled_from([np.int64, np.float32, np.float64])))
    labels = np.array(node, dtype=np.str_)
    columns = {
        "source": ("edge", labels[[i for i, _ in ends]] if ends else labels[:0]),
        "target": ("edge", labels[[j for _, j in ends]] if ends else labels[:0]),
        "weight": ("edge", weight, {"units": draw(st.sampled_from(["synapses", "1"]))}),
        "edge_type": ("edge", np.array(types, dtype=np.str_)),
    }
    if draw(st.booleans()):
        columns["sign"] = ("edge", np.zeros(len(ends), dtype=np.int8), {"units": "1"})
    return xr.Dataset(columns, coords={"node": labels}, attrs={"directed": int(directed), **draw(ATTRIBUTES)})


@st.composite
def functional_connectivities(draw: st.DrawFn) -> xr.DataArray:
    """Valid matrices, with or without a name and leading dims, with gaps."""
    source, target = draw(node_labels()), draw(node_labels())
    leading = draw(st.lists(st.integers(0, 2), max_size=2))
    values = draw(hnp.arrays(draw(st.sampled_from([np.float64, np.float32])), (*leading, len(source), len(target))))
    return xr.DataArray(
        np.where(np.isinf(values), np.nan, values),
        dims=(*("window", "session")[: len(leading)], "source", "target"),
        coords={"source": source, "target": target},
        name=draw(st.none() | NAMES),
        attrs={"units": "1", **draw(ATTRIBUTES)},
    )


@st.composite
def studies(draw: st.DrawFn) -> xr.DataTree:
    """Valid studies of one or two levels; the connectome, where there is one, shares nodes with the recordings."""
    node, unit = draw(node_labels()), draw(UNITS)
    animals = st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=6).filter(
        lambda name: name not in ("connectome", "phenotype", "truth")
    )
    paths = draw(st.lists(animals, min_size=1, max_size=3, unique=True))
    nested = draw(st.booleans())
    parts = {f"{a}/session" if nested else a: draw(recordings(node=node, units=unit)) for a in paths}
    wiring = draw(st.none() | connectomes(node=node))
    return study.build(parts, wiring, attrs=draw(ATTRIBUTES))


NUMBERS = st.sampled_from(["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"])
INDEXABLE = st.sampled_from(["?", "i4", "i8", "u1", "f4", "f8"])  # pandas has no index of float16


@st.composite
def arrays(draw: st.DrawFn, shape: tuple[int, ...], numbers: st.SearchStrategy[str] = NUMBERS) -> np.ndarray:
    """Numbers of any width with NaN and infinities, booleans, or strings, wider than they need be or not."""
    if draw(st.booleans()):
        return draw(hnp.arrays(np.dtype(draw(numbers)), shape))
    size = int(np.prod(shape))
    words = draw(st.lists(st.text(TEXT, max_size=20), min_size=size, max_size=size))
    width = max([1, *map(len, words)]) + draw(st.integers(0, 3))
    return np.array(words, dtype=f"<U{width}").reshape(shape)


@st.composite
def datasets(draw: st.DrawFn) -> xr.Dataset:
    """Anything that a store should keep: any names, dims of size 0, scalars, coordinates with and without an index."""
    dims = draw(st.lists(NAMES, max_size=3, unique=True))
    sizes = {dim: draw(st.integers(0, 3)) for dim in dims}
    names = draw(st.lists(NAMES.filter(lambda n: _storable(n) and n not in dims), max_size=4, unique=True))
    variables = {}
    for name in names:
        used = draw(st.lists(st.sampled_from(dims), max_size=2, unique=True)) if dims else []
        variables[name] = (used, draw(arrays(tuple(sizes[d] for d in used))), draw(ATTRIBUTES))
    coords = draw(st.lists(st.sampled_from(names), unique=True)) if names else []
    indexed = {d: (d, draw(arrays((sizes[d],), INDEXABLE))) for d in dims if _storable(d) and draw(st.booleans())}
    return xr.Dataset(
        {n: v for n, v in variables.items() if n not in coords},
        coords={**{n: variables[n] for n in coords}, **indexed},
        attrs=draw(ATTRIBUTES),
    )


def _storable(name: str) -> bool:
    return name not in (".", "..", "zarr.json")
