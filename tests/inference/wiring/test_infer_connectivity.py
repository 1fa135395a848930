"""Evidence for the methods that infer connectivity: closed forms, references, recovery, invariances, errors."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings

from dynome import schema, study
from dynome.errors import InputError
from dynome.inference import connectivity_scores, infer_connectivity
from dynome.inference.wiring.methods import ABOUT
from dynome.inference.wiring.samples import joint_sample, read
from dynome.inference.wiring.words import discrete_transfer_entropy

LAGGED = ("lagged_correlation", "granger", "var", "transfer_entropy", "glm", "learnt_graph", "attention")
QUICK = {name: {} for name in ABOUT} | {
    "learnt_graph": {"n_steps": 40},
    "attention": {"n_steps": 40},
    "glm": {"n_lags": 2},
}


def array(values: np.ndarray, names: str = "abcdef", **coords) -> xr.DataArray:
    nodes = list(names[: values.shape[1]])
    return xr.DataArray(values, dims=("time", "node"), coords={"node": nodes, **coords}, name="activity")


def driven(seed: int, n_time: int = 600, weight: float = 0.8) -> xr.DataArray:
    """a drives b a bin later, c and d do as they like."""
    x = np.random.default_rng(seed).standard_normal((n_time, 4))
    x[1:, 1] += weight * x[:-1, 0]
    return array(x)


def skewed(seed: int, n_time: int = 4000) -> xr.DataArray:
    """a drives b at once; both are heavy-tailed and skewed."""
    rng = np.random.default_rng(seed)
    x = rng.exponential(size=(n_time, 4)) ** 1.5
    x[:, 1] += 0.8 * x[:, 0]
    return array(x)


@pytest.mark.parametrize("name", LAGGED)
def test_a_strong_coupling_at_a_lag_is_the_largest_entry(name):
    found = infer_connectivity(driven(0), name, **QUICK[name]).to_numpy()
    assert np.unravel_index(np.nanargmax(np.abs(found)), found.shape) == (0, 1)


@pytest.mark.parametrize("name", [n for n in LAGGED if ABOUT[n].signed])
@pytest.mark.parametrize("weight", [-0.8, 0.8])
def test_the_sign_of_a_coupling_is_told(name, weight):
    found = infer_connectivity(driven(1, weight=weight), name, **QUICK[name])
    assert np.sign(found.sel(source="a", target="b")) == np.sign(weight)


@pytest.mark.parametrize("name", ["correlation", "partial_correlation", "patel", "likelihood_ratio"])
def test_a_strong_coupling_without_delay_is_the_largest_entry(name):
    found = infer_connectivity(skewed(0), name)
    both = np.nan_to_num(np.abs(found.to_numpy()))
    both = np.triu(both + both.T)
    assert np.unravel_index(both.argmax(), both.shape) == (0, 1)


@pytest.mark.parametrize("options", [{"nonlinearity": "tanh"}, {"nonlinearity": "skew"}])
def test_skewed_activity_tells_the_direction(options):
    found = infer_connectivity(skewed(1), "likelihood_ratio", **options)
    assert found.sel(source="a", target="b") > 5 * found.sel(source="b", target="a")


def test_the_less_active_of_two_nodes_is_patels_cause():
    on = np.random.default_rng(0).random((4000, 3)) < [0.2, 0.15, 0.2]
    on[:, 1] |= on[:, 0]
    found = infer_connectivity(array(on.astype(float)), "patel")
    assert found.sel(source="a", target="b") > found.sel(source="b", target="a")


@pytest.mark.parametrize("name", list(ABOUT))
def test_two_directions_of_patel_and_of_the_likelihood_ratio_sum_to_the_strength(name):
    found = infer_connectivity(skewed(2, 500), name, **QUICK[name])
    assert found.attrs["directed"] == int(not np.allclose(found, found.T, equal_nan=True))
    assert (np.isnan(found) == np.eye(4, dtype=bool)).all()
    if not ABOUT[name].signed and name not in ("transfer_entropy",):
        assert float(found.min()) >= 0


def test_likelihood_ratio_shares_out_the_partial_correlation():
    x = skewed(3, 500)
    laid, whole = infer_connectivity(x, "likelihood_ratio"), infer_connectivity(x, "partial_correlation")
    np.testing.assert_allclose(laid.to_numpy() + laid.to_numpy().T, np.abs(whole), atol=1e-10)


@pytest.mark.parametrize("n_lags", [1, 2, 4])
def test_granger_is_the_log_ratio_of_residuals_of_two_regressions(n_lags):
    x = driven(2, 200)
    x = x - x.mean("time")
    y = ((x / x.std("time")).to_numpy())[n_lags:]
    z = (x / x.std("time")).to_numpy()
    past = np.stack([z[n_lags - k : len(z) - k] for k in range(1, n_lags + 1)], axis=-1)

    def residual(sources, target):
        columns = np.column_stack([past[:, sources].reshape(len(y), -1), np.ones(len(y))])
        return ((y[:, target] - columns @ np.linalg.lstsq(columns, y[:, target], rcond=None)[0]) ** 2).sum()

    conditional = infer_connectivity(x, "granger", n_lags=n_lags, penalty=0.0).to_numpy()
    pairwise = infer_connectivity(x, "granger", n_lags=n_lags, penalty=0.0, conditional=False).to_numpy()
    for source, target in [(0, 1), (1, 0), (3, 2)]:
        others = [k for k in range(4) if k != source]
        expected = np.log(residual(others, target) / residual(range(4), target))
        assert conditional[source, target] == pytest.approx(expected, rel=1e-6)
        expected = np.log(residual([target], target) / residual([source, target], target))
        assert pairwise[source, target] == pytest.approx(expected, rel=1e-6)


def test_gaussian_transfer_entropy_is_half_of_pairwise_granger():
    x = driven(3)
    entropy = infer_connectivity(x, "transfer_entropy")
    np.testing.assert_allclose(entropy, infer_connectivity(x, "granger", conditional=False, penalty=0.0) / 2)


def test_var_coefficients_are_those_of_the_simulation():
    x = driven(5, 20_000, weight=0.5)
    found = infer_connectivity(x, "var", n_lags=2, penalty=0.0)
    spread = float(x.sel(node="a").std() / x.sel(node="b").std())
    assert float(found.sel(source="a", target="b")) == pytest.approx(0.5 * spread, abs=0.03)


def test_discrete_transfer_entropy_is_that_of_a_known_channel():
    rng = np.random.default_rng(0)
    source = rng.random(60_000) < 0.5
    flip = rng.random(60_000) < 0.1
    target = np.append(False, source[:-1]) ^ flip
    counts = xr.DataArray(
        np.stack([source, target], 1).astype(int),
        dims=("time", "node"),
        name="spike_count",
        coords={"node": ["a", "b"]},
    )
    found = infer_connectivity(counts, "transfer_entropy", n_lags=2)
    channel = np.log(2) + 0.9 * np.log(0.9) + 0.1 * np.log(0.1)
    assert float(found.sel(source="a", target="b")) == pytest.approx(channel, abs=0.005)
    assert float(found.sel(source="b", target="a")) == pytest.approx(0, abs=1e-3)


def test_correction_takes_the_bias_out_of_transfer_entropy():
    counts = np.random.default_rng(1).random((800, 12)) < 0.3
    x = xr.DataArray(
        counts.astype(int), dims=("time", "node"), name="spike_count", coords={"node": list("abcdefghijkl")}
    )

    sample = joint_sample(read({"": x}, None, ""), True, 4, "")
    off = ~np.eye(12, dtype=bool)
    plain = discrete_transfer_entropy(sample, n_lags=1, correct=False)[off].mean()
    right = discrete_transfer_entropy(sample, n_lags=1)[off].mean()
    assert abs(right) < 0.2 * plain


@pytest.mark.parametrize("name", [n for n in ABOUT if n != "learnt_graph"])
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), order=st.permutations(list("abcd")))
def test_nodes_carry_their_labels(name, seed, order):
    x = driven(seed, 120)
    one = infer_connectivity(x, name, **QUICK[name])
    other = infer_connectivity(x.sel(node=order), name, **QUICK[name])
    xr.testing.assert_allclose(one, other.sel(source=one.source, target=one.target), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", [n for n in ABOUT if n not in ("glm", "learnt_graph", "attention")])
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(0.01, 100), offset=st.floats(-50, 50))
def test_gain_and_offset_of_a_node_do_not_matter(name, seed, scale, offset):
    x = driven(seed, 120)
    gain = xr.DataArray([scale, 1.0, 1.0, 1.0], dims="node")
    # Levels at quantiles may change at a tie by rounding; Gaussian transfer entropy has no levels.
    changed = infer_connectivity(x * gain + offset, name)
    xr.testing.assert_allclose(infer_connectivity(x, name), changed, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", list(ABOUT))
def test_the_clock_may_start_anywhere(name):
    x = driven(6, 200)
    early = x.assign_coords(time=("time", np.arange(200) * 0.5, {"units": "s"}))
    late = x.assign_coords(time=("time", 64.0 + np.arange(200) * 0.5, {"units": "s"}))
    one, other = (infer_connectivity(v, name, **QUICK[name]) for v in (early, late))
    xr.testing.assert_equal(one, other)
    assert one.attrs["bin_width"] == 0.5


def test_no_lag_reaches_across_trials():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 3))
    x[3::3, 1] = x[2:-1:3, 0]  # only from the last bin of a trial to the first of the next
    whole = array(x)
    cut = whole.assign_coords(trial=("time", np.repeat(np.arange(100), 3)))
    assert abs(infer_connectivity(whole, "lagged_correlation", n_lags=1).sel(source="a", target="b")) > 0.3
    assert abs(infer_connectivity(cut, "lagged_correlation", n_lags=1).sel(source="a", target="b")) < 0.15
    assert infer_connectivity(cut, "granger", n_lags=1).sel(source="a", target="b") < 0.03


def test_trials_as_a_dim_and_as_a_coordinate_are_the_same():
    x = driven(7, 300)
    cut = x.assign_coords(trial=("time", np.repeat(np.arange(3), 100)))
    stacked = xr.DataArray(
        x.to_numpy().reshape(3, 100, 4), dims=("trial", "time", "node"), coords={"node": list("abcd")}, name="activity"
    )
    for name in ("granger", "lagged_correlation", "transfer_entropy"):
        np.testing.assert_allclose(infer_connectivity(cut, name), infer_connectivity(stacked, name))


def test_frames_with_gaps_are_left_out():
    x = driven(8)
    holed = x.copy()
    holed[200:210, 2] = np.nan
    cut = x.isel(time=np.r_[0:200, 210:600]).assign_coords(trial=("time", np.repeat([0, 1], [200, 390])))
    for name in ("correlation", "granger", "partial_correlation"):
        np.testing.assert_allclose(infer_connectivity(holed, name), infer_connectivity(cut, name), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", list(ABOUT))
def test_constant_and_missing_nodes_are_nan_and_harm_nobody(name):
    x = driven(9, 300)
    poor = array(np.column_stack([x, np.ones(300), np.full(300, np.nan)]))
    found = infer_connectivity(poor, name, **QUICK[name])
    assert found.sel(source=["e", "f"]).isnull().all()
    assert found.sel(target=["e", "f"]).isnull().all()
    np.testing.assert_allclose(found[:4, :4], infer_connectivity(x, name, **QUICK[name]), rtol=1e-5, atol=1e-6)


def recording(x: xr.DataArray) -> xr.Dataset:
    return schema.recording(x.to_numpy(), time=np.arange(len(x)) * 0.1, node=x.node.to_numpy(), units="1")


def test_a_study_has_one_estimate_an_animal():
    parts = {"one/first": driven(0), "one/second": driven(1).sel(node=list("dcba")), "two/first": driven(2)}
    tree = study.build({path: recording(x) for path, x in parts.items()})
    joint = infer_connectivity(tree, "granger")
    assert joint.dims == ("animal", "source", "target")
    assert joint.animal.values.tolist() == ["one", "two"]
    xr.testing.assert_allclose(joint.sel(animal="two", drop=True), infer_connectivity(parts["two/first"], "granger"))
    each = infer_connectivity(tree, "granger", sessions="separate")
    assert each.session.values.tolist() == list(parts)
    mean = infer_connectivity(tree, "granger", sessions="average")
    one = each.sel(session=["one/first", "one/second"]).mean("session")
    xr.testing.assert_allclose(mean.sel(animal="one", drop=True), one)


def test_animals_with_different_nodes_share_one_axis():
    tree = {"one": driven(0), "two": driven(1).sel(node=["a", "b", "d"])}
    found = infer_connectivity(tree, "correlation")
    assert found.source.values.tolist() == list("abcd")
    assert found.sel(animal="two", source="c").isnull().all()


def test_the_input_is_left_alone():
    x = driven(0, 100)
    before = x.copy(deep=True)
    infer_connectivity(x, "granger")
    xr.testing.assert_identical(x, before)


@pytest.mark.parametrize("name", ["learnt_graph", "attention"])
def test_a_seed_repeats_what_a_network_learns(name):
    before = torch.get_rng_state()
    one, two, other = (infer_connectivity(driven(0, 200), name, n_steps=10, random_state=k) for k in (3, 3, 4))
    xr.testing.assert_identical(one, two)
    assert not np.allclose(one, other, equal_nan=True)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("counts", [False, True])
def test_attention_finds_a_strong_network_and_its_signs(counts):
    rng = np.random.default_rng(0)
    sign = np.where(np.arange(10) % 3 == 2, -1, 1)
    truth = (rng.random((10, 10)) < 0.15) * ~np.eye(10, dtype=bool) * sign[:, None]
    x = np.zeros((1500, 10))
    for t in range(1, len(x)):
        drive = truth.T @ x[t - 1]
        x[t] = rng.poisson(0.3 * np.exp(np.clip(drive, -3, 2))) if counts else 0.5 * drive + rng.standard_normal(10)
    nodes = [f"n{k}" for k in range(10)]
    activity = xr.DataArray(
        x, dims=("time", "node"), coords={"node": nodes}, name="spike_count" if counts else "activity"
    )
    true = xr.DataArray(truth.astype(float), dims=("source", "target"), coords={"source": nodes, "target": nodes})
    found = infer_connectivity(activity, "attention", n_lags=1, n_steps=200)
    scores = connectivity_scores(found, true).sel(edges="directed")
    assert float(scores.auprc) > 0.8 > 4 * float(scores.auprc_chance)
    assert float(scores.sign_accuracy) > 0.9


def test_attention_refuses_more_nodes_than_it_can_hold():
    x = np.random.default_rng(0).standard_normal((20, 301))
    x = xr.DataArray(x, dims=("time", "node"), coords={"node": np.arange(301)})
    with pytest.raises(InputError, match="at most 300 nodes that vary, found 301; select nodes, or use granger or glm"):
        infer_connectivity(x, "attention")


@pytest.mark.parametrize("name", ["learnt_graph", "attention"])
def test_a_node_that_only_spikes_in_the_first_bin_harms_no_network(name):
    x = np.random.default_rng(0).poisson(0.5, (200, 3))
    x[:, 2] = np.arange(200) == 0
    counts = xr.DataArray(x, dims=("time", "node"), coords={"node": list("abc")}, name="spike_count")
    found = infer_connectivity(counts, name, n_steps=20)
    assert np.isfinite(found.to_numpy()[~np.eye(3, dtype=bool)]).all()


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("grangr", {}, "method must be one of 'correlation'"),
        ("granger", {"lags": 2}, "granger has no option 'lags'; it has n_lags, penalty, conditional"),
        ("granger", {"n_lags": 0}, "n_lags must be a whole number >= 1, got 0"),
        ("granger", {"n_lags": 2.5}, "n_lags must be a whole number"),
        ("granger", {"penalty": -1.0}, 'penalty of granger must be "auto" or a finite number'),
        ("transfer_entropy", {"n_levels": 1}, "n_levels must be a whole number >= 2"),
        ("transfer_entropy", {"n_levels": 3}, "has no use for n_levels"),
        ("transfer_entropy", {"law": "kraskov"}, "must be 'gaussian' or 'discrete'"),
        ("glm", {"statistic": "t"}, "statistic of glm must be"),
        ("learnt_graph", {"n_steps": 0}, "n_steps=0"),
        ("attention", {"n_steps": 0, "n_heads": 0}, "n_heads must be at least 1, got 0\n.*n_steps must be at least 1"),
        ("attention", {"learning_rate": 0.0}, "learning_rate must be positive and finite, got 0.0"),
        ("likelihood_ratio", {"nonlinearity": "cube"}, "nonlinearity must be one of"),
        ("granger", {"sessions": "all"}, "sessions must be one of 'joint'"),
    ],
)
def test_unknown_methods_and_options_are_told(method, options, message):
    with pytest.raises(InputError, match=message):
        infer_connectivity(driven(0, 100), method, **options)


def test_too_few_bins_are_told():
    with pytest.raises(InputError, match=r"2 bins are left of 2|0 bins are left of 4"):
        infer_connectivity(driven(0, 4), "granger", n_lags=3)
    holed = driven(0, 60)
    holed[::3] = np.nan
    with pytest.raises(InputError, match="0 bins are left of 60 after frames with NaN"):
        infer_connectivity(holed, "granger", n_lags=3)


def test_copies_of_a_node_are_told_where_a_matrix_must_be_inverted():
    x = driven(0, 200)
    x = array(np.column_stack([x, x[:, 0]]))
    with pytest.raises(InputError, match=r'singular; use penalty="auto"'):
        infer_connectivity(x, "granger", penalty=0.0)
    with pytest.raises(InputError, match="singular; use shrink=True"):
        infer_connectivity(x, "partial_correlation", shrink=False)
    assert np.isfinite(infer_connectivity(x, "granger").sel(source="b", target="c"))


def test_one_node_that_varies_is_too_few():
    with pytest.raises(InputError, match="at least 2 nodes that vary are needed, found 1 of 2"):
        infer_connectivity(array(np.column_stack([np.arange(50.0), np.ones(50)])), "correlation")


def test_an_array_without_labels_is_refused_without_a_name_that_nobody_gave():
    with pytest.raises(InputError, match=r"by granger:\n  - expected a DataArray .*, found ndarray"):
        infer_connectivity(np.zeros((50, 3)), "granger")


def test_sessions_with_different_nodes_are_not_joined():
    parts = {"one/first": driven(0), "one/second": driven(1).sel(node=["a", "b", "d"])}
    with pytest.raises(InputError, match=r"different nodes, missing 'c', unknown none; use sessions=\"average\""):
        infer_connectivity(parts, "correlation")
    found = infer_connectivity(parts, "correlation", sessions="average")
    assert found.sel(animal="one", source="a", target="c").notnull()


def test_an_empty_study_is_told():
    with pytest.raises(InputError, match="at least one recording, found none"):
        infer_connectivity({}, "correlation")
