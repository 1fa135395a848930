"""Nothing of the test is seen before it: by construction, for every split."""

import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from forecasting_studies import NAMES, animals, recording, wiring
from hypothesis import given, settings

from dynome import schema, study
from dynome.dynamics import RidgeVAR
from dynome.dynamics.forecasting.series import stacked
from dynome.dynamics.forecasting.windows import origins
from dynome.errors import InputError, SchemaError
from dynome.inference import forecasting_task
from dynome.inference.forecasting.cuts import by_time, shares
from dynome.inference.forecasting.scales import center_and_scale, moments, pooled

PARTS = ("train", "validation", "test")
SMALL = {"context": 4, "horizons": (1, 3)}


def samples(task, part):
    """Every (recording, time) of a part, and those that windows forecast."""
    series = stacked(task[part])
    key = list(zip(np.array(series.sessions)[series.session].tolist(), series.time.tolist(), strict=True))
    aim = origins(series)[:, None] + np.array(series.horizons)
    return set(key), {key[k] for k in aim.ravel().tolist()}


def of_two_studies():
    parts = study.sessions(animals(6))
    return study.build({path: rec.assign_attrs(study=f"lab{k // 2}") for k, (path, rec) in enumerate(parts.items())})


def of_trials(n=12, length=20):
    trial = ("time", np.repeat(np.arange(n), length))
    return study.build({f"worm{k}": recording(k, n * length).assign_coords(trial=trial) for k in range(2)})


def of_sessions():
    return study.build({f"worm{k}/day{d}": recording(3 * k + d) for k in range(2) for d in range(3)})


STUDIES = {
    "by_time": animals,
    "by_animal": animals,
    "by_session": of_sessions,
    "by_study": of_two_studies,
    "by_trial": of_trials,
}


@pytest.mark.parametrize("split", STUDIES)
def test_no_sample_is_in_two_parts(split):
    task = forecasting_task(STUDIES[split](), wiring(), split=split, random_state=0, **SMALL)
    found = {part: samples(task, part) for part in PARTS}
    for a, b in (("train", "validation"), ("train", "test"), ("validation", "test")):
        assert not found[a][0] & found[b][0]
    assert all(len(aimed) > 0 for _, aimed in found.values())


@pytest.mark.parametrize("split", STUDIES)
def test_every_part_is_a_study_with_the_connectome(split):
    task = forecasting_task(STUDIES[split](), wiring(), split=split, random_state=0, **SMALL)
    for part in PARTS:
        assert schema.validate(task[part], "study") is task[part]
        xr.testing.assert_identical(study.connectome(task[part]), wiring())
        assert task[part].attrs["horizons"] == [1, 3]
        assert task[part].attrs["interval"] == 0.5


@pytest.mark.parametrize("split", STUDIES)
def test_what_happens_in_the_test_changes_neither_training_nor_scales(split):
    data = STUDIES[split]()
    task = forecasting_task(data, split=split, random_state=0, **SMALL)
    later = {path: set(rec.time.to_numpy().tolist()) for path, rec in study.sessions(task.test).items()}
    parts = {}
    for path, rec in study.sessions(data).items():
        touched = np.isin(rec.time, list(later.get(path, ())))
        parts[path] = rec.assign(activity=rec.activity.where(~touched[:, None], 1e3).assign_attrs(rec.activity.attrs))
    other = forecasting_task(study.build(parts), split=split, random_state=0, **SMALL)
    fits = [RidgeVAR(2).fit(one.train, one.validation).results_ for one in (task, other)]
    assert fits[0].equals(fits[1])
    assert other.train.identical(task.train)
    assert other.validation.identical(task.validation)
    for path, rec in study.sessions(task.test).items():
        seen = other.test[path]
        np.testing.assert_array_equal(rec["center"], seen["center"])
        np.testing.assert_array_equal(rec["scale"], seen["scale"])
        assert (seen["activity"] != rec["activity"]).any()


@settings(max_examples=200, deadline=None)
@given(
    n=st.integers(1, 400),
    context=st.integers(1, 30),
    longest=st.integers(1, 20),
    extra=st.integers(0, 40),
    shared=st.sampled_from([(0.7, 0.1, 0.2), (0.5, 0.25, 0.25), (0.8, 0.0, 0.2), (0.34, 0.33, 0.33)]),
)
def test_gaps_in_time_hold_the_contexts_of_the_next_part_and_nothing_else(n, context, longest, extra, shared):
    gap = context + extra
    cuts = by_time(n, shared, gap, context)
    scored = [cut.bins[cut.scored] for cut in cuts.values()]
    for earlier, later, cut in zip(scored[:-1], scored[1:], list(cuts.values())[1:], strict=True):
        assert later[0] - earlier[-1] - 1 == gap
        assert cut.bins[0] - earlier[-1] - 1 == extra
        np.testing.assert_array_equal(cut.scored, cut.bins >= later[0])
        np.testing.assert_array_equal(np.diff(cut.bins), 1)
    if cuts:
        assert scored[0][0] == 0
        assert scored[-1][-1] == n - 1
    else:
        assert n - gap * (sum(f > 0 for f in shared) - 1) < sum(f > 0 for f in shared)


def test_the_automatic_gap_is_the_context_and_the_longest_horizon():
    task = forecasting_task(animals(1), context=5, horizons=(2, 7))
    last = task["train/worm0"].time[-1].item()
    series = stacked(task.validation)
    assert series.time[series.scored][0] - last == pytest.approx((5 + 7 + 1) * 0.5)
    assert series.time[0] - last == pytest.approx((7 + 1) * 0.5)
    assert task.attrs["gap"] == 12


@given(n=st.integers(0, 60), shared=st.sampled_from([(0.7, 0.1, 0.2), (0.9, 0.0, 0.1), (0.1, 0.45, 0.45)]))
def test_every_part_gets_its_share_and_at_least_one(n, shared):
    sizes = shares(n, shared)
    if sizes is None:
        assert n < sum(f > 0 for f in shared)
        return
    assert sum(sizes) == n
    for size, fraction in zip(sizes, shared, strict=True):
        assert (size > 0) == (fraction > 0)
        assert abs(size - fraction * n) <= 2


def test_in_time_every_node_of_every_recording_is_standardized_over_its_own_training():
    task = forecasting_task(animals(2), **SMALL)
    series = stacked(task.train)
    for k in range(2):
        x = series.values[series.session == k][:, series.recorded[k]]
        np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(x.std(axis=0), 1, atol=1e-5)


def test_held_out_animals_take_the_scale_of_the_label_over_training_animals():
    task = forecasting_task(animals(5), split="by_animal", random_state=0, **SMALL)
    training = study.sessions(task.train)
    (rec,) = study.sessions(task.test).values()
    for name in ("n05", "n06"):
        values = np.concatenate([r["activity"].sel(node=name).to_numpy() for r in training.values() if name in r.node])
        assert rec["center"].sel(node=name).item() == pytest.approx(values.mean())
        assert rec["scale"].sel(node=name).item() == pytest.approx(values.std())
        assert training["worm0" if "worm0" in training else next(iter(training))]["scale"].sel(
            node=name
        ).item() == pytest.approx(values.std())


def test_labels_that_training_does_not_know_take_the_typical_scale():
    x = np.random.default_rng(0).normal(3, [1, 2], size=(50, 2))
    known = pooled([(np.array(["a", "b"]), moments(x))])
    center, scale = center_and_scale(np.array(["z", "b"]), None, known)
    assert center[0] == pytest.approx(x.mean())
    assert scale[0] == pytest.approx(np.sqrt(x.var(axis=0).mean()))
    assert scale[1] == pytest.approx(x[:, 1].std())


def test_a_node_that_does_not_move_in_training_takes_a_scale_above_zero():
    rec = recording(0)
    rec["activity"][:200, 2] = 4.0
    task = forecasting_task(study.build({"worm": rec}), **SMALL)
    got = task["train/worm"]
    assert got["center"][2].item() == 4
    assert got["scale"][2].item() > 0


def test_moments_pool_to_those_of_the_whole():
    rng = np.random.default_rng(0)
    a, b = rng.normal(1, 2, (30, 2)), rng.normal(-3, 1, (20, 2))
    a[3, 0] = np.nan
    both = pooled([(np.array(["x", "y"]), moments(a)), (np.array(["y", "x"]), moments(b))])
    center, scale = center_and_scale(np.array(["x"]), None, both)
    whole = np.concatenate([a[:, 0], b[:, 1]])
    assert center[0] == pytest.approx(np.nanmean(whole))
    assert scale[0] == pytest.approx(np.nanstd(whole))


def test_without_scaling_values_stay_as_they_are():
    task = forecasting_task(animals(1), scaling="none", **SMALL)
    rec = task["train/worm0"]
    np.testing.assert_allclose(stacked(task.train).values, rec["activity"].sel(node=NAMES[1:]), rtol=1e-6)
    assert (rec["scale"] == 1).all()
    assert (rec["center"] == 0).all()


def test_lazy_recordings_give_the_same_task():
    pytest.importorskip("dask")
    eager = animals(2)
    lazy = study.build({path: rec.chunk({"time": 50}) for path, rec in study.sessions(eager).items()})
    task = forecasting_task(lazy, random_state=0, **SMALL)
    assert task.identical(forecasting_task(eager, random_state=0, **SMALL))
    assert task["train/worm0"].to_dataset().chunks == {}


def test_unlabelled_nodes_are_left_out_and_covariates_stay():
    rec = recording(0, velocity=("time", np.arange(240.0), {"units": "mm/s"}))
    rec = rec.assign_coords(labelled=("node", np.array([True] * 5 + [False] * 3)))
    task = forecasting_task(study.build({"worm": rec}), wiring(), covariates=["velocity"], **SMALL)
    assert task["test/worm"].node.to_numpy().tolist() == NAMES[:5]
    series = stacked(task.test)
    assert series.covariate_names == ("velocity",)
    np.testing.assert_array_equal(series.covariates[:, 0], series.time * 2)


def test_a_node_without_a_value_in_a_part_is_left_out_there_only():
    rec = recording(0)
    rec["activity"][170:, 3] = np.nan
    task = forecasting_task(study.build({"worm": rec}), **SMALL)
    assert "n03" in task["train/worm"].node
    assert "n03" not in task["test/worm"].node


def test_validation_may_be_left_out():
    task = forecasting_task(animals(2), fractions=(0.8, 0, 0.2), **SMALL)
    assert not study.sessions(task.validation)
    assert study.sessions(task.test)


def test_the_same_seed_draws_the_same_animals_in_any_order():
    data = animals(5)
    turned = study.build(dict(reversed(study.sessions(data).items())))
    a = forecasting_task(data, split="by_animal", random_state=3, **SMALL)
    b = forecasting_task(turned, split="by_animal", random_state=3, **SMALL)
    assert set(study.sessions(a.test)) == set(study.sessions(b.test))


def zebrafish(n_node=2):
    """The clock and the conditions of ZAPBench."""
    names = ["gain", "dots", "flash", "taxis", "turning", "position", "open loop", "rotation", "dark"]
    bounds = [0, 649, 2422, 3078, 3735, 5047, 5638, 6623, 7279, 7879]
    rec = recording(0, bounds[-1], NAMES[:n_node], step=0.914)
    return study.build({"fish": rec.assign_coords(condition=("time", np.repeat(names, np.diff(bounds))))})


@pytest.mark.parametrize("context", [4, 256])
def test_zapbench_scores_the_windows_that_it_published_whatever_the_context(context):
    task = forecasting_task(zebrafish(), split="zapbench", context=context, held_out=["taxis"])
    assert task.attrs["horizons"] == list(range(1, 33))

    def counts(part):
        series = stacked(task[part])
        found = np.bincount(series.session[origins(series)])
        return {path.removeprefix("fish/"): n for path, n in zip(series.sessions, found.tolist(), strict=True)}

    assert list(counts("test").values()) == [98, 323, 99, 231, 86, 165, 99, 88]
    assert sum(counts("test").values()) == 1189
    assert counts("held_out") == {"taxis": 368}
    assert "taxis" not in counts("train")
    aimed = [samples(task, part)[1] for part in (*PARTS, "held_out")]
    assert sum(map(len, aimed)) == len(set.union(*aimed))


def test_conditions_that_return_are_sessions_of_their_own():
    label = np.repeat(["a", "b", "a"], 100)
    rec = recording(0, 300).assign_coords(epoch=("time", label))
    task = forecasting_task(study.build({"fish/day 1": rec}), split="zapbench", horizons=(1, 2))
    assert set(study.sessions(task.train)) == {"fish/day 1 a", "fish/day 1 b", "fish/day 1 a again"}
    for path, part in study.sessions(task.train).items():
        assert part.sizes["time"] == 98 - 9 - 19
        assert (part["scale"] == task["test"][path]["scale"]).all()


def test_all_arguments_are_told_at_once():
    with pytest.raises(InputError, match=r"split must be one of by_time(.|\n)*context(.|\n)*horizons(.|\n)*fractions"):
        forecasting_task(animals(1), split="by_luck", context=0, horizons=(3, 1), fractions=(1, 0, 0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gap": 3}, r"gap must be at least the context \(4 bins\)"),
        ({"gap": "wide"}, "gap must be a number of bins"),
        ({"gap": 8, "split": "by_animal"}, "parts of 'by_animal' do not follow each other"),
        ({"held_out": ["taxis"]}, "held_out is for split"),
        ({"context": 300}, r"too short to be divided in time with gaps of 303 bins.*worm0 \(240 bins\)"),
        ({"context": 75}, "worm0 has no window in train: context 75 and longest horizon 3 need 78 bins in a row"),
        ({"variable": "spike_count"}, "expected a variable 'spike_count'"),
        ({"covariates": ["pump"]}, "expected a covariate 'pump'"),
        ({"split": "by_study"}, 'needs an attribute or a scalar coordinate "study"'),
        ({"split": "by_trial"}, r"needs the coordinate trial \(time\)"),
        ({"split": "zapbench"}, r"needs the coordinate condition \(time\)"),
        ({"horizons": 3}, r"horizons must be a sequence, got 3; pass \(3,\), or range\(1, 4\) for all up to it"),
        ({"covariates": "pump"}, r"covariates must be a sequence, got 'pump'; pass \('pump',\)"),
        ({"scaling": "robust"}, "scaling must be one of standard, none"),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_told(change, message):
    with pytest.raises(InputError, match=message):
        forecasting_task(animals(5), **{**SMALL, **change})


def test_one_animal_cannot_be_divided_by_animal():
    with pytest.raises(InputError, match="needs one animal or more for each part, found 1"):
        forecasting_task(animals(1), split="by_animal", **SMALL)


def test_two_animals_are_divided_without_a_validation_part():
    with pytest.raises(InputError, match=r"found 2 in all .* fractions=\(0.5, 0, 0.5\) with two: no validation part"):
        forecasting_task(animals(2), split="by_animal", **SMALL)
    task = forecasting_task(animals(2), split="by_animal", fractions=(0.5, 0, 0.5), **SMALL)
    assert [len(study.sessions(task[part])) for part in PARTS] == [1, 0, 1]


def test_unequal_sampling_intervals_are_refused_with_the_remedy():
    data = study.build({"a": recording(0), "b": recording(1), "c": recording(2, step=0.6)})
    with pytest.raises(InputError, match=r"most have 0.5 s, but c 0.6 s; .*resample"):
        forecasting_task(data, **SMALL)


def test_labels_that_the_connectome_hardly_knows_are_refused_with_samples_of_both():
    names = ["n00", *[f"X{k}" for k in range(7)]]
    data = study.build({"a": recording(0, nodes=names)})
    with pytest.raises(InputError, match=r"found 1 of 8; only recorded: 'X0', .*connectome: 'n00', 'n01'"):
        forecasting_task(data, wiring(), **SMALL)
    with pytest.raises(SchemaError, match="shares no node label"):
        forecasting_task(study.build({"a": recording(0, nodes=["X", "Y"])}), wiring(), **SMALL)


def test_labels_that_the_connectome_does_not_know_are_named():
    data = study.build({"a": recording(0), "b": recording(1, nodes=["N3", *NAMES[:3], *NAMES[4:]])})
    assert forecasting_task(data, wiring(), **SMALL).attrs["left_out"] == ["N3"]
    assert forecasting_task(data, **SMALL).attrs["left_out"] == []


def test_a_recording_without_labelled_nodes_is_refused():
    rec = recording(0).assign_coords(labelled=("node", np.zeros(8, dtype=bool)))
    with pytest.raises(InputError, match="no labelled node in 'a'"):
        forecasting_task(study.build({"a": rec}), **SMALL)


def test_a_recording_is_not_a_study():
    with pytest.raises(InputError, match=r"found a Dataset; put it into a study"):
        forecasting_task(recording(0))
    with pytest.raises(InputError, match="found a dict"):
        forecasting_task({"a": recording(0)})


def test_a_condition_that_does_not_exist_cannot_be_held_out():
    with pytest.raises(InputError, match="held_out names no condition: 'taxi'; there are 'dark', 'dots'"):
        forecasting_task(zebrafish(), split="zapbench", held_out=["taxi"])
    with pytest.raises(InputError, match="contexts up to 256, got 300"):
        forecasting_task(zebrafish(), split="zapbench", context=300)
