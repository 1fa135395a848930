"""The Hugging Face layout of *C. elegans* recordings (``qsimeon/celegans_neural_data``), with its defects mended.

One row is one trace of one worm. What is known to be wrong in the published files, and what happens here:

* Clocks went through float16 (steps of 0.5 s beyond 512 s, stamps that repeat): rebuilt as ``arange(T) * median_dt``.
* Traces without an identity carry tokens that look like names: they are numbered and ``labelled`` is False.
* ``worm0``, ``worm1``, ... restart in every study: an animal is a study and a worm.
* Columns of a trace may differ in length: such a worm is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import schema
from dynome.connectome import is_ambiguous, normalize_worm_names, worm_neurons
from dynome.datasets.formats import columnar, gathering, nodes
from dynome.datasets.formats.files import PathLike, check_shape, reading
from dynome.datasets.formats.gathering import OnError
from dynome.datasets.formats.nodes import Repeated
from dynome.errors import FormatError, Problems, SchemaError, listed
from dynome.schema import NODE, TIME

COLUMNS = ("source_dataset", "worm", "neuron", "is_labeled_neuron")
_BY_GENE = ("AWCON", "AWCOFF")
_PROVENANCE = ("raw_data_file", "smooth_method", "interpolate_method", "normalization_method")
_SPAN_TOLERANCE = 0.05  # by which the stored clock may be longer or shorter than the rebuilt one
_BATCH = 64  # rows in memory at a time: about 4 MB


class Columns(NamedTuple):
    """Names of the columns of one form of the traces."""

    trace: str
    clock: str
    step: str
    length: str


class Trace(NamedTuple):
    """One row."""

    label: str
    values: NDArray[np.floating[Any]]
    clock: NDArray[np.floating[Any]]
    step: float
    length: int | None
    provenance: dict[str, str]


_RAW = Columns("original_calcium_data", "original_time_in_seconds", "original_median_dt", "original_max_timesteps")
_RESAMPLED = Columns("calcium_data", "time_in_seconds", "median_dt", "max_timesteps")


def read_celegans_parquet(
    path: PathLike,
    *,
    resampled: bool = True,
    studies: Sequence[str] | None = None,
    repeated: Repeated = "raise",
    on_error: OnError = "raise",
) -> xr.DataTree:
    """Read worms in the Parquet layout of ``qsimeon/celegans_neural_data``.

    Parameters
    ----------
    path : path
        A Parquet file, or a folder of them.
    resampled : bool
        Take the traces that were smoothed, resampled to a common step and z-scored; False takes them as they were
        recorded. The z-score is over the whole recording, so that a test half leaks into a training half: for
        forecasting take the raw traces and `dynome.dynamics.standardize` with ``fit_time``.
    studies : list of str or None
        Values of ``source_dataset`` to read, e.g. ``["Kato2015"]``; None reads all.
    repeated : {"raise", "unlabel"}
        Names that occur twice in a worm are an error, or these traces lose their name.
    on_error : {"raise", "skip"}
        Raise with the problems of all worms, or leave these worms out and name them in ``attrs["left_out"]``.

    Returns
    -------
    DataTree
        ``/{study}_{worm}``: ``activity (time, node)``, dimensionless; neurons by their names (``VB2``, no padding
        zero); ``labelled (node)``. Traces without an identity, with an ambiguous one (``AVA``, ``AVA?``) or with
        one that is no neuron are called ``trace_007``; what the file called the latter is kept as ``annotation``.

    Raises
    ------
    StoreError
        If the path is missing.
    FormatError
        If columns are missing or of another type, or worms have defects that cannot be mended.
    InputError
        If a study is not in the file.

    Notes
    -----
    A stored clock that went through float16 is replaced by ``arange(T) * median_dt``, which starts at 0; its span must
    agree with the stored one within 5 %. A clock that has more digits and increases is kept. ``attrs["clock"]`` tells
    which. Resampled traces to a coarser step are stamped with the start of the block they average, up to 0.14 s early;
    the smoothing before it is causal and its width is in samples, so it differs in seconds between studies.
    """
    gathering.checked(on_error)
    layout = _RESAMPLED if resampled else _RAW
    found = Path(path)
    with reading(found, "Parquet of C. elegans traces", folder=found.is_dir()):
        files = sorted(found.rglob("*.parquet")) if found.is_dir() else [found]
        if not files:
            raise FormatError(f"{found} holds no *.parquet")
        for file in files:
            _check_columns(file, layout)
        worms: dict[str, list[Trace]] = {}
        seen: set[str] = set()
        for study, worm, trace in _traces(files, layout, studies, seen):
            rows = worms.setdefault(f"{study}_{worm}".replace("/", "-"), [])
            if rows and np.array_equal(rows[0].clock, trace.clock, equal_nan=True):
                trace = trace._replace(clock=rows[0].clock)  # every row repeats the clock of its worm
            rows.append(trace)
        for study in studies or ():
            nodes.choose(study, sorted(seen), "study")
        return gathering.gather(
            worms,
            lambda traces: _recording(traces, repeated, resampled),
            subject=f"cannot read the worms in {found}",
            on_error=on_error,
        )


def is_layout(names: Sequence[str]) -> bool:
    """Whether columns are those of this layout."""
    return set(COLUMNS) <= set(names)


def _check_columns(path: Path, layout: Columns) -> None:
    import pyarrow.parquet as pq
    from pyarrow import types

    with pq.ParquetFile(path) as file:
        fields = {field.name: field.type for field in file.schema_arrow}
        # Of the columns themselves nothing is asked: damaged statistics there abort the whole process in pyarrow 26.
        groups = range(file.metadata.num_row_groups)
        claimed = sum(file.metadata.row_group(group).total_byte_size for group in groups)
    check_shape((claimed,), 1, path.name)
    problems = Problems(f"{path} is not in the layout of qsimeon/celegans_neural_data")
    if missing := [name for name in (*COLUMNS, *layout[:3]) if name not in fields]:
        problems.add(f"expected columns {listed((*COLUMNS, *layout), 10)}, missing {listed(missing)}")
    for name in (layout.trace, layout.clock):
        kind = fields.get(name)
        nested = kind is not None and (types.is_list(kind) or types.is_large_list(kind))
        if kind is not None and not (nested and types.is_floating(kind.value_type)):
            problems.add(f"{name} must hold lists of floats, found {kind}")
    for name in ("source_dataset", "worm", "neuron"):
        if name in fields and not columnar.is_text(path, name):
            problems.add(f"{name} must hold strings, found {fields[name]}")
    for name in ("is_labeled_neuron", "is_unlabeled_neuron"):
        if name in fields and not types.is_boolean(fields[name]):
            problems.add(f"{name} must hold booleans, found {fields[name]}")
    problems.raise_if_any(FormatError)


def _traces(
    files: list[Path], layout: Columns, studies: Sequence[str] | None, seen: set[str]
) -> Iterator[tuple[str, str, Trace]]:
    """Rows of all files, a few in memory at a time; the names of all studies go into `seen`."""
    import pyarrow.parquet as pq

    for path in files:
        with pq.ParquetFile(path) as file:
            there = set(file.schema_arrow.names)
            optional = [name for name in (*_PROVENANCE, layout.length, "is_unlabeled_neuron") if name in there]
            for batch in file.iter_batches(_BATCH, columns=[*COLUMNS, *layout[:3], *optional]):
                columns = {n: batch[n].to_pylist() for n in batch.schema.names if n not in (layout.trace, layout.clock)}
                for name in COLUMNS[:2]:
                    if missing := sum(not value for value in columns[name]):
                        raise FormatError(f"{path}: {missing} rows have no {name}, so that nobody knows whose they are")
                seen.update(columns["source_dataset"])
                for k, study in enumerate(columns["source_dataset"]):
                    if studies is None or study in studies:
                        row = {name: values[k] for name, values in columns.items()}
                        named = row["is_labeled_neuron"] is True and not row.get("is_unlabeled_neuron")
                        yield (
                            study,
                            row["worm"],
                            Trace(
                                label=str(row["neuron"] or "") if named else "",
                                values=_floats(batch[layout.trace], k),
                                clock=_floats(batch[layout.clock], k),
                                step=float("nan") if row[layout.step] is None else float(row[layout.step]),
                                length=row.get(layout.length),
                                provenance={name: str(row[name]) for name in _PROVENANCE if row.get(name) is not None},
                            ),
                        )


def _floats(column: Any, k: int) -> NDArray[np.floating[Any]]:
    values = column[k].values
    if values is None:
        return np.zeros(0, dtype=np.float32)
    return np.array(values.to_numpy(zero_copy_only=False), copy=True)


def _recording(traces: list[Trace], repeated: Repeated, resampled: bool) -> xr.Dataset:
    problems = Problems("defects that cannot be mended")
    lengths = sorted({trace.values.size for trace in traces})
    if len(lengths) > 1:
        problems.add(f"traces have different lengths, from {lengths[0]} to {lengths[-1]} samples")
    if wrong := sum(trace.length not in (None, trace.values.size) for trace in traces):
        problems.add(f"{wrong} traces have another length than the file says")
    steps = np.array([trace.step for trace in traces])
    if not (np.isfinite(steps).all() and (steps > 0).all() and np.allclose(steps, steps[0], rtol=1e-3)):
        problems.add(
            f"the median step must be one positive number of seconds, found {listed(np.unique(steps).tolist())}"
        )
    origins = sorted({trace.provenance["raw_data_file"] for trace in traces if "raw_data_file" in trace.provenance})
    if len(origins) > 1:
        problems.add(f"traces come from several files ({listed(origins)}): these are several worms under one name")
    if any(trace.clock is not traces[0].clock for trace in traces):
        problems.add("traces have different clocks")
    problems.raise_if_any(FormatError)
    stamps, how = _clock(traces[0].clock, float(steps[0]), lengths[0])
    given = [trace.label for trace in traces]
    label, annotation = _identities(given)
    names = nodes.resolve(label, prefix="trace", repeated=repeated)
    said = {name: value for name, value in traces[0].provenance.items() if resampled or name == "raw_data_file"}
    what = "calcium trace, smoothed, resampled and z-scored" if resampled else "calcium trace as recorded"
    coords: dict[str, Any] = {
        TIME: (TIME, stamps, {"units": "s"}),
        NODE: names.label,
        "labelled": (NODE, names.labelled),
        **({"annotation": (NODE, annotation)} if any(annotation) else {}),
    }
    values = np.stack([trace.values for trace in traces], axis=1)
    variable = ((TIME, NODE), values, {"units": "1", "long_name": what})
    attrs = {"node_kind": "neuron", "species": "Caenorhabditis elegans", "clock": how, **said}
    recording = xr.Dataset({schema.ACTIVITY: variable}, coords=coords, attrs=attrs)
    try:
        return schema.validate(nodes.without_silent(recording), "recording")
    except SchemaError as error:
        raise FormatError(str(error)) from error


def _identities(given: list[str]) -> tuple[list[str], list[str]]:
    """Names that stand for one neuron, and what the others were called."""
    names = normalize_worm_names(given)
    sure = np.isin(names, [*worm_neurons(), *_BY_GENE]) & ~is_ambiguous(names)
    return np.where(sure, names, "").tolist(), np.where(sure, "", names).tolist()


def _clock(stored: NDArray[np.floating[Any]], step: float, n: int) -> tuple[NDArray[np.float64], str]:
    """Stamps in seconds, and where they are from."""
    if stored.size != n:
        raise FormatError(f"the clock has {stored.size} stamps for {n} samples")
    stamps = stored.astype(np.float64)
    with np.errstate(over="ignore"):
        coarse = np.array_equal(stamps, stamps.astype(np.float16), equal_nan=True)
    if not coarse and np.isfinite(stamps).all() and (np.diff(stamps) > 0).all():
        return stamps, "as stored"
    rebuilt = np.arange(n, dtype=np.float64) * step
    finite = stamps[np.isfinite(stamps)]
    span = float(finite.max() - finite.min()) if finite.size else float("nan")
    resolution = float(np.spacing(np.float16(finite.max()))) if finite.size and finite.max() < 65504 else 0.0
    if not abs(span - rebuilt[-1]) <= max(_SPAN_TOLERANCE * rebuilt[-1], 2 * resolution):
        raise FormatError(
            f"the stored clock spans {span:g} s, but {n} samples of {step:g} s span {rebuilt[-1]:g} s: frames are "
            "missing or the step is wrong"
        )
    return rebuilt, "rebuilt from the median step"
