"""Evidence for the Hugging Face layout of worms: each defect of the published files is mended or refused."""

from __future__ import annotations

import contextlib

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings

from dynome import schema, study
from dynome.datasets import read_celegans_parquet
from dynome.errors import DynomeError, FormatError, InputError, StoreError

STEP, RAW_STEP = 1 / 3, 0.6


def float16(stamps: np.ndarray) -> list[float]:
    """A clock as the published files hold it."""
    return stamps.astype(np.float16).astype(np.float32).tolist()


def rows(source: str, worm: str, names: dict[str, bool], *, n: int = 3300, seed: int = 0, clock=float16) -> list[dict]:
    """The rows of one worm, with every column of the layout; `names` says which tokens are identities."""
    rng = np.random.default_rng(seed)
    n_raw = int(n * STEP / RAW_STEP)
    return [
        {
            "source_dataset": source,
            "raw_data_file": f"{source}.mat",
            "worm": worm,
            "neuron": name,
            "slot": int(rng.integers(300)),
            "is_labeled_neuron": labelled,
            "original_calcium_data": rng.normal(size=n_raw).astype(np.float32).tolist(),
            "calcium_data": rng.normal(size=n).astype(np.float16).astype(np.float32).tolist(),
            "original_time_in_seconds": clock(np.arange(n_raw) * RAW_STEP),
            "time_in_seconds": clock(np.arange(n) * STEP),
            "original_median_dt": np.float32(RAW_STEP),
            "median_dt": np.float32(STEP),
            "original_max_timesteps": n_raw,
            "max_timesteps": n,
            "smooth_method": "moving",
            "interpolate_method": "linear",
            "normalization_method": "standard",
        }
        for name, labelled in names.items()
    ]


LISTS = ("original_calcium_data", "calcium_data", "original_time_in_seconds", "time_in_seconds")
TYPES = {
    **dict.fromkeys(LISTS, pa.list_(pa.float32())),
    **dict.fromkeys(["original_median_dt", "median_dt"], pa.float32()),
    **dict.fromkeys(["slot", "original_max_timesteps", "max_timesteps"], pa.int32()),
    "is_labeled_neuron": pa.bool_(),
}


def write(path, table: list[dict], drop: tuple[str, ...] = (), **types) -> str:
    fields = [pa.field(n, {**TYPES, **types}.get(n, pa.string())) for n in table[0] if n not in drop]
    kept = [{n: v for n, v in row.items() if n not in drop} for row in table]
    pq.write_table(pa.Table.from_pylist(kept, pa.schema(fields)), path, row_group_size=3)
    return str(path)


@pytest.fixture
def three_worms(tmp_path) -> str:
    table = rows("Kato2015", "worm0", {"VB02": True, "AVAL": True, "AVAR": False, "17": False})
    table += rows("Uzel2022", "worm0", {"AVAL": True, "RID": True}, seed=1)  # the same worm, in name only
    table += rows("Kato2015", "worm1", {"AVAR": False, "AVA": True, "ASHL": True, "thing": True}, seed=2, n=900)
    return write(tmp_path / "worms.parquet", table)


def test_an_animal_is_a_study_and_a_worm(three_worms):
    worms = read_celegans_parquet(three_worms)
    assert list(study.sessions(worms)) == ["Kato2015_worm0", "Uzel2022_worm0", "Kato2015_worm1"]
    assert worms["Kato2015_worm0"].attrs["raw_data_file"] == "Kato2015.mat"
    assert worms["Uzel2022_worm0"].sizes == {"time": 3300, "node": 2}
    schema.validate(worms, "study")


def test_a_clock_that_went_through_float16_is_rebuilt(three_worms):
    stored = np.array(pd.read_parquet(three_worms)["time_in_seconds"][0])
    assert (np.diff(stored) == 0).sum() > 300  # beyond 512 s stamps repeat
    recording = read_celegans_parquet(three_worms)["Kato2015_worm0"].to_dataset()
    np.testing.assert_allclose(recording.time, np.arange(3300) * np.float32(STEP), rtol=1e-12)
    assert recording.attrs["clock"] == "rebuilt from the median step"


def test_a_clock_with_all_its_digits_is_kept(tmp_path):
    jitter = np.random.default_rng(0).uniform(0, 0.1, 3300)
    table = rows("A", "w", {"AVAL": True}, clock=lambda t: (t + jitter[: t.size]).astype(np.float32).tolist())
    recording = read_celegans_parquet(write(tmp_path / "w.parquet", table))["A_w"].to_dataset()
    np.testing.assert_array_equal(recording.time, np.array(table[0]["time_in_seconds"]))
    assert recording.attrs["clock"] == "as stored"


def test_traces_without_identity_never_get_a_name_that_joins(three_worms):
    worms = read_celegans_parquet(three_worms)
    first = worms["Kato2015_worm0"].to_dataset()
    assert first.node.to_numpy().tolist() == ["VB2", "AVAL", "trace_2", "trace_3"]
    assert first.labelled.to_numpy().tolist() == [True, True, False, False]
    assert "annotation" not in first.coords  # tokens are not kept anywhere
    third = worms["Kato2015_worm1"].to_dataset()
    assert third.node.to_numpy().tolist() == ["trace_0", "trace_1", "ASHL", "trace_3"]
    assert third.annotation.to_numpy().tolist() == ["", "AVA", "", "thing"]


def test_raw_and_resampled_traces_are_told_apart(three_worms):
    table = pd.read_parquet(three_worms)
    resampled = read_celegans_parquet(three_worms)["Uzel2022_worm0"].to_dataset()
    raw = read_celegans_parquet(three_worms, resampled=False)["Uzel2022_worm0"].to_dataset()
    of_worm = table[table.source_dataset == "Uzel2022"]
    np.testing.assert_array_equal(resampled.activity, np.stack(of_worm.calcium_data.tolist(), axis=1))
    np.testing.assert_array_equal(raw.activity, np.stack(of_worm.original_calcium_data.tolist(), axis=1))
    assert float(raw.time.diff("time").median()) == pytest.approx(RAW_STEP)
    assert resampled.attrs["normalization_method"] == "standard"
    assert "normalization_method" not in raw.attrs


def test_some_studies_or_a_folder_of_files_can_be_read(three_worms, tmp_path):
    assert list(read_celegans_parquet(three_worms, studies=["Uzel2022"])) == ["Uzel2022_worm0"]
    with pytest.raises(InputError, match=r"no study 'Uzel2020'; did you mean 'Uzel2022'"):
        read_celegans_parquet(three_worms, studies=["Uzel2020"])
    write(tmp_path / "more.parquet", rows("Dag2023", "worm0", {"RIS": True}))
    assert len(read_celegans_parquet(tmp_path).children) == 4


def broken(field: str, value, row: int = 1) -> list[dict]:
    table = rows("A", "w", {"AVAL": True, "AVAR": True, "RIS": True}, n=900)
    table[row][field] = value
    return table


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (broken("calcium_data", [1.0] * 899), r"different lengths, from 899 to 900 samples"),
        (broken("calcium_data", None), r"different lengths, from 0 to 900"),
        (broken("max_timesteps", 901), r"1 traces have another length than the file says"),
        (broken("median_dt", 0.5), r"the median step must be one positive number of seconds, found"),
        (broken("median_dt", None), r"the median step must be one positive number"),
        (broken("time_in_seconds", [0.0] * 900), r"traces have different clocks"),
        (
            broken("raw_data_file", "other.mat"),
            r"come from several files \('A.mat', 'other.mat'\): these are several worms",
        ),
        (broken("neuron", "AVAL"), r"labels occur more than once: 'AVAL'"),
        (broken("calcium_data", [np.inf] + [0.0] * 899), r"infinite"),
        (
            rows("A", "w", {"AVAL": True}, n=900, clock=lambda t: float16(1.2 * t)),
            r"stored clock spans 359.5 s, but 900 samples of 0.333333 s span 299.667 s",
        ),
    ],
)
def test_worms_that_cannot_be_mended_are_refused_or_skipped_by_name(tmp_path, table, message):
    path = write(tmp_path / "w.parquet", table + rows("B", "w", {"AVAL": True}, n=900))
    with pytest.raises(FormatError, match=rf"A_w: (.|\n)*{message}(.|\n)*1 of 2 can be read: pass on_error"):
        read_celegans_parquet(path)
    worms = read_celegans_parquet(path, on_error="skip")
    assert list(worms) == ["B_w"]
    assert worms.attrs["left_out"] == ["A_w"]


def test_names_that_occur_twice_can_lose_their_name(tmp_path):
    path = write(tmp_path / "w.parquet", broken("neuron", "AVAL"))
    found = read_celegans_parquet(path, repeated="unlabel")["A_w"]
    assert found.labelled.to_numpy().tolist() == [False, False, True]


def test_older_files_that_say_unlabelled_are_believed(tmp_path):
    table = [{**row, "is_unlabeled_neuron": row["neuron"] == "AVAR"} for row in broken("neuron", "AVAR")]
    path = write(tmp_path / "w.parquet", table, is_unlabeled_neuron=pa.bool_())
    assert read_celegans_parquet(path)["A_w"].node.to_numpy().tolist() == ["AVAL", "trace_1", "RIS"]


def test_optional_columns_may_be_absent_and_needed_ones_are_named(tmp_path):
    table = rows("A", "w", {"AVAL": True}, n=900)
    path = write(tmp_path / "w.parquet", table, drop=("raw_data_file", "max_timesteps", "smooth_method", "slot"))
    assert read_celegans_parquet(path)["A_w"].sizes == {"time": 900, "node": 1}
    path = write(tmp_path / "w.parquet", table, drop=("is_labeled_neuron", "median_dt"))
    with pytest.raises(FormatError, match=r"missing 'is_labeled_neuron', 'median_dt'"):
        read_celegans_parquet(path)


@pytest.mark.parametrize(
    ("field", "value", "kind", "message"),
    [
        ("calcium_data", ["a"], pa.list_(pa.string()), r"calcium_data must hold lists of floats, found list"),
        ("calcium_data", 1.0, pa.float32(), r"calcium_data must hold lists of floats, found float"),
        ("neuron", 3, pa.int64(), r"neuron must hold strings, found int64"),
        ("is_labeled_neuron", "yes", pa.string(), r"is_labeled_neuron must hold booleans, found string"),
    ],
)
def test_columns_of_unknown_types_are_refused(tmp_path, field, value, kind, message):
    table = [{**row, field: value} for row in rows("A", "w", {"AVAL": True}, n=900)]
    with pytest.raises(FormatError, match=message):
        read_celegans_parquet(write(tmp_path / "w.parquet", table, **{field: kind}))


def test_rows_of_nobody_are_refused(tmp_path):
    with pytest.raises(FormatError, match=r"1 rows have no worm"):
        read_celegans_parquet(write(tmp_path / "w.parquet", broken("worm", None)))


def test_missing_empty_and_truncated_files_are_told(three_worms, tmp_path):
    with pytest.raises(StoreError, match=r"no file at"):
        read_celegans_parquet(tmp_path / "none.parquet")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FormatError, match=r"holds no \*.parquet"):
        read_celegans_parquet(tmp_path / "empty")
    content = (tmp_path / "worms.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(content[: len(content) // 2])
    with pytest.raises(FormatError, match=r"cut.parquet cannot be read as Parquet of C. elegans traces"):
        read_celegans_parquet(tmp_path / "cut.parquet")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_bytes_give_a_study_or_our_error(tmp_path, data):
    path = tmp_path / "w.parquet"
    if not path.exists():
        write(path, rows("A", "w", {"AVAL": True, "RIS": False}, n=20))
    content = bytearray(path.read_bytes())
    for where in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[where] = data.draw(st.integers(0, 255))
    (tmp_path / "damaged.parquet").write_bytes(content)
    with contextlib.suppress(DynomeError):
        schema.validate(read_celegans_parquet(tmp_path / "damaged.parquet"), "study")
