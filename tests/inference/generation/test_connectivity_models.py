"""Evidence for ConnectivityGaussian and ConnectivityVAE: synthetic people as real ones, confounds removed, errors."""

import numpy as np
import pytest
import xarray as xr

from dynome import schema
from dynome.errors import InputError
from dynome.inference import ConnectivityGaussian, ConnectivityVAE, compare_distributions
from dynome.inference.generation.log_correlation import correlations_of, log_vectors

N = 6
KINDS = (ConnectivityGaussian, ConnectivityVAE)
QUICK = {ConnectivityGaussian: {}, ConnectivityVAE: {"n_latent": 3, "hidden": 16, "n_epochs": 60, "device": "cpu"}}


def people(n, seed=0, *, bend=0.0):
    """Log-correlations with an effect of age and sex, a direction of differences, and a bend that is not Gaussian."""
    rng, fixed = np.random.default_rng(seed), np.random.default_rng(99)
    pairs = N * (N - 1) // 2
    mean, slope, gap, first, second = 0.2 * fixed.standard_normal((5, pairs))
    age, sex = rng.uniform(5, 35, n), rng.integers(2, size=n)
    z = rng.standard_normal((n, 1))
    x = mean + (age[:, None] - 20) / 10 * slope + sex[:, None] * gap + z * first + bend * (z**2 - 1) * second
    matrices = correlations_of(x + 0.1 * rng.standard_normal((n, pairs)), N)
    names = [f"r{k}" for k in range(N)]
    coords = {"animal": [f"p{k:03d}" for k in range(n)], "source": names, "target": names}
    coords |= {"age": ("animal", age, {"units": "years"}), "sex": ("animal", np.array(["F", "M"])[sex])}
    return xr.DataArray(matrices, coords, ("animal", "source", "target"), name="correlation", attrs={"units": "1"})


def fitted(kind, fc, **kw):
    return kind(("age", "sex"), random_state=0, **{**QUICK[kind], **kw}).fit(fc)


@pytest.mark.parametrize("kind", KINDS)
def test_synthetic_people_are_correlation_matrices_with_the_conditions_asked_for(kind):
    model = fitted(kind, people(60))
    drawn = model.sample(7, conditions={"age": 12.0, "sex": "F"}, random_state=0)
    schema.validate(drawn, "functional_connectivity")
    assert np.linalg.eigvalsh(drawn).min() > 0
    assert set(drawn["sex"].values) == {"F"}
    assert drawn["age"].attrs["units"] == "years"
    xr.testing.assert_identical(drawn, model.sample(7, conditions={"age": 12.0, "sex": "F"}, random_state=0))
    assert not np.allclose(drawn, model.sample(7, conditions={"age": 12.0, "sex": "F"}, random_state=1))


@pytest.mark.parametrize("kind", KINDS)
def test_synthetic_people_cannot_be_told_from_people_who_were_not_fitted(kind):
    model, new = fitted(kind, people(150)), people(60, seed=1)
    drawn = model.sample(conditions=new.sel(animal=inside(model, new)), random_state=0)
    found = compare_distributions(
        new.sel(animal=inside(model, new)), drawn, conditions=("age", "sex"), n_permutations=199, random_state=0
    )
    assert (found["p_value"] > 0.01).all(), found["p_value"].values
    assert found["value"].sel(statistic="edge_spread").item() == pytest.approx(1, abs=0.2)
    assert found["slope_agreement"].sel(effect="age").item() > 0.9
    assert found["novelty"].item() > 0.8


def inside(model, fc):
    ages = model.results_["age"]
    return ((fc.age >= ages.min().item()) & (fc.age <= ages.max().item())).values


@pytest.mark.parametrize("kind", KINDS)
def test_harmonized_people_keep_what_is_their_own_and_lose_age_and_sex(kind):
    fc = people(150)
    model = fitted(kind, fc)
    clean = log_vectors(model.harmonize(fc).to_numpy())
    c = np.column_stack([fc.age, fc.sex == "M"]).astype(float)
    c -= c.mean(axis=0)
    before = log_vectors(fc.to_numpy())
    effect = [np.abs(c.T @ (v - v.mean(axis=0))).max() for v in (before, clean)]
    assert effect[1] < 1e-4 * effect[0]
    own = before - before.mean(axis=0) - c @ np.linalg.lstsq(c, before - before.mean(axis=0), rcond=None)[0]
    assert np.corrcoef(own.ravel(), (clean - clean.mean(axis=0)).ravel())[0, 1] > 0.95
    rest = model.residual(fc)
    np.testing.assert_allclose(rest.mean("animal"), 0, atol=0.02)
    np.testing.assert_allclose(np.diagonal(rest.values, axis1=1, axis2=2), 0)


def test_with_many_people_age_is_lost_among_people_who_were_not_fitted_too():
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import cross_val_predict

    model, new = fitted(ConnectivityGaussian, people(600)), people(60, seed=3)
    accuracy = [
        np.corrcoef(cross_val_predict(RidgeCV(np.logspace(-2, 3, 6)), log_vectors(v.to_numpy()), new.age), new.age)[
            0, 1
        ]
        for v in (new, model.harmonize(new))
    ]
    assert accuracy[0] > 0.9
    assert accuracy[1] < 0.4


def test_only_the_conditions_named_are_changed():
    fc = people(80)
    model = fitted(ConnectivityGaussian, fc)
    same = model.harmonize(fc, to={"sex": "F"})
    women = (fc.sex == "F").values
    np.testing.assert_allclose(same[women], fc[women], atol=1e-6)
    logs = log_vectors(same.to_numpy())
    assert np.abs(np.corrcoef(logs.T, fc.age)[-1, :-1]).max() > 0.5


def test_the_network_bends_where_people_do_and_the_gaussian_cannot():
    fc, new = people(300, bend=0.8), people(60, seed=1, bend=0.8)
    scores = [
        fitted(kind, fc, **kw).score(new)
        for kind, kw in ((ConnectivityGaussian, {}), (ConnectivityVAE, {"n_epochs": 100, "learning_rate": 1e-2}))
    ]
    assert scores[1] > scores[0] + 0.1


def test_nodes_are_joined_by_label():
    fc = people(40)
    model = fitted(ConnectivityGaussian, fc)
    turned = fc.isel(source=[3, 1, 0, 2, 5, 4], target=[3, 1, 0, 2, 5, 4])
    xr.testing.assert_allclose(model.transform(turned), model.transform(fc))
    assert model.score(turned) == pytest.approx(model.score(fc))


def test_without_conditions_the_population_is_one():
    fc = people(40)
    model = ConnectivityGaussian(random_state=0).fit(fc)
    drawn = model.sample(300, random_state=0)
    np.testing.assert_allclose(drawn.mean("animal"), fc.mean("animal"), atol=0.15)
    assert fitted(ConnectivityGaussian, fc).score(fc) > model.score(fc)


def test_sampling_refuses_what_was_not_seen():
    model = fitted(ConnectivityGaussian, people(40))
    with pytest.raises(InputError, match=r"'age' must be from .* as among those fitted, got 80 to 80"):
        model.sample(3, conditions={"age": 80.0, "sex": "F"})
    with pytest.raises(InputError, match="'sex' is 'X', the model knows 'F', 'M'"):
        model.sample(3, conditions={"age": 20.0, "sex": "X"})
    with pytest.raises(InputError, match="the condition 'sex' is missing"):
        model.sample(3, conditions={"age": 20.0})
    with pytest.raises(InputError, match="n must be an integer of at least 1"):
        model.sample()
    with pytest.raises(InputError, match="the condition 'site' is unknown, the model has 'age', 'sex'; leave it out"):
        model.harmonize(people(5), to={"site": "A"})


def test_what_is_no_correlation_is_refused():
    fc = people(20)
    model = ConnectivityGaussian(("age",), random_state=0)
    with pytest.raises(InputError, match="1 on the diagonal"):
        model.fit(2 * fc)
    with pytest.raises(InputError, match="expected a DataArray"):
        model.fit(fc.isel(animal=0))
    with pytest.raises(InputError, match="at least 8 people"):
        model.fit(fc[:5])
    with pytest.raises(InputError, match="must be symmetric"):
        model.fit(fc + xr.zeros_like(fc).where(fc.source != "r0", 0.1) * (fc.target == "r0") + _lean(fc))
    with pytest.raises(InputError, match="lacking 'r5'"):
        model.fit(fc).transform(fc.isel(source=slice(5), target=slice(5)))
    with pytest.raises(InputError, match="validation must be from 0"):
        ConnectivityVAE(("age",), validation=0.7).fit(fc)
    with pytest.raises(InputError, match="conditions must be different names"):
        ConnectivityGaussian("age").fit(fc)


def _lean(fc):
    lean = np.zeros((N, N))
    lean[0, 1] = 0.01
    return xr.DataArray(lean, {"source": fc.source, "target": fc.target}, ("source", "target"))


@pytest.mark.parametrize("kind", KINDS)
def test_windows_of_one_person_are_no_people(kind):
    windows = people(20).rename(animal="window")
    with pytest.raises(InputError, match=r"must be animal or session, found 'window'; average over .*rename\(window="):
        fitted(kind, windows)
    with pytest.raises(InputError, match="found 'window'"):
        compare_distributions(windows, windows)


def test_conditions_that_the_model_does_not_know_are_refused_and_not_left_out():
    fc = people(20)
    model = fitted(ConnectivityGaussian, fc)
    asked = {"age": 20.0, "sex": "F", "diagnosis": "patient"}
    with pytest.raises(
        InputError, match="the condition 'diagnosis' is unknown, the model has 'age', 'sex'; leave it out"
    ):
        model.sample(4, conditions=asked)
    with pytest.raises(InputError, match=r"(?s)'Age' is unknown.*did you mean 'age'\?.*'age' is missing"):
        model.sample(4, conditions={"Age": 20.0, "sex": "F"})
    with pytest.raises(InputError, match="'age' is unknown, the model has none"):
        ConnectivityGaussian(random_state=0).fit(fc).sample(4, conditions={"age": 20.0})
    with pytest.raises(InputError, match=r"cannot harmonize:(?s:.*)'Sex' is unknown.*did you mean 'sex'\?"):
        model.harmonize(fc, to={"Sex": "F"})
    table = fc.age.to_dataset(name="age_").reset_coords(["age", "sex"]).assign(site=("animal", ["A"] * 20))
    for source in (fc, fc.coords, table, table[["age", "sex", "site"]].to_dataframe()):  # may hold more
        assert model.sample(conditions=source, random_state=0).sizes["animal"] == 20


def test_the_weights_that_were_kept_are_marked():
    kept = fitted(ConnectivityVAE, people(40), n_epochs=8).results_
    assert kept.attrs["best"] == int(kept["validation"].to_numpy().argmin())
    last = fitted(ConnectivityVAE, people(20), n_epochs=3, validation=0.0).results_
    assert last.attrs["best"] == 2
