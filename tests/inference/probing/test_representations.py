"""One table for models and plain descriptions: same folds, nothing learnt from who is held out."""

import numpy as np
import pytest
import xarray as xr

from dynome import schema, study
from dynome.datasets import make_bold
from dynome.dynamics import functional_connectivity, tangent_connectivity
from dynome.errors import InputError, SchemaError
from dynome.inference import GraphClassifier, GraphMaskedAutoencoder, compare_representations, probe
from dynome.inference.dynamic_graphs.scans import scans_of
from dynome.inference.dynamic_graphs.settings import GraphSettings
from dynome.inference.probing.contenders import unfitted
from dynome.inference.probing.representations import described

QUICK = {"cv": 3, "n_permutations": 19, "random_state": 0}


@pytest.fixture(scope="module")
def people():
    return make_bold(n_animals=12, n_nodes=16, n_times=100, random_state=0)


@pytest.fixture(scope="module")
def coupled():
    """Two nodes that go together in cases, and a third that does not; told apart by static connectivity."""
    rng = np.random.default_rng(0)

    def scan(case):
        x = rng.normal(size=(120, 3))
        x[:, 1] += 1.5 * case * x[:, 0]
        return schema.recording(x, time=np.arange(120.0), node=list("abc"), units="1")

    names = [f"p{k:02d}" for k in range(18)]
    group = xr.Dataset({"group": ("animal", ["case" if k % 2 else "control" for k in range(18)])}, {"animal": names})
    return study.build({name: scan(k % 2) for k, name in enumerate(names)}, phenotype=group)


def autoencoder(**kwargs):
    small = {"hidden": 4, "n_layers": 1, "n_steps": 2, "n_windows": 12, "token_hidden": 4, "device": "cpu"}
    return GraphMaskedAutoencoder(**(small | {"random_state": 0} | kwargs))


def classifier(encoder=None):
    shape = {"hidden": 4, "n_layers": 1} if encoder is None else {}
    return GraphClassifier(encoder, n_epochs=1, device="cpu", random_state=0, **shape)


def test_static_and_tangent_descriptions_are_the_connectivity_of_the_package(coupled):
    scans = scans_of(coupled, GraphSettings(50, 10))
    static = described("static FC", scans)([])
    fc = functional_connectivity(coupled["p03"].activity)
    np.testing.assert_allclose(static.sel(session="p03"), fc.values[np.triu_indices(3, 1)], atol=1e-5)
    x = {name: recording.activity for name, recording in study.sessions(coupled).items()}
    z = {name: ((v - v.mean("time")) / v.std("time")).assign_attrs(units="1") for name, v in x.items()}
    train = [f"p{k:02d}" for k in range(10)]
    reference = tangent_connectivity({name: z[name] for name in train}).reference
    expected = tangent_connectivity({"p15": z["p15"]}, reference=reference)
    found = described("tangent FC", scans)(train).sel(session="p15")
    assert np.linalg.norm(found) == pytest.approx(np.linalg.norm(expected[0]), rel=1e-4)


def test_moments_are_those_of_the_windows(coupled):
    found = described("FC moments", scans_of(coupled, GraphSettings(50, 10)))([]).sel(session="p00").values
    x = coupled["p00"].activity.values
    r = np.array([np.corrcoef(x[s : s + 50].T)[np.triu_indices(3, 1)] for s in range(0, 71, 10)])
    np.testing.assert_allclose(found, np.concatenate([r.mean(0), r.std(0)]), atol=1e-5)


def test_covariance_over_windows_is_that_of_whitened_windows(coupled):
    scans = scans_of(coupled, GraphSettings(50, 10))
    train = [f"p{k:02d}" for k in range(10)]
    found = described("FC covariance", scans)(train)
    r = {
        name: np.array(
            [np.corrcoef(rec.activity.values[s : s + 50].T)[np.triu_indices(3, 1)] for s in range(0, 71, 10)]
        )
        for name, rec in study.sessions(coupled).items()
    }
    whole = np.concatenate([r[name] for name in train])
    inverse = np.linalg.inv(np.cov(whole.T, bias=True))
    for name, values in r.items():  # rotations aside: the same eigenvalues
        own = np.zeros((3, 3))
        own[np.triu_indices(3)] = found.sel(session=name)
        own = own + np.triu(own, 1).T
        expected = np.linalg.eigvals(inverse @ np.cov(values.T, bias=True))
        np.testing.assert_allclose(np.linalg.eigvalsh(own), np.sort(expected.real), rtol=1e-3)


@pytest.mark.parametrize("baseline", ["tangent FC", "FC covariance"])
def test_a_scan_that_is_held_out_cannot_move_the_description_of_the_others(coupled, baseline):
    train = [f"p{k:02d}" for k in range(10)]
    other = {n: r.copy() for n, r in study.sessions(coupled).items()}
    other["p17"]["activity"] = other["p17"].activity.isel(node=[1, 2, 0]).assign_coords(node=list("abc"))
    one, two = (described(baseline, scans_of(d, GraphSettings(50, 10)))(train) for d in (coupled, other))
    assert abs(one.sel(session="p17") - two.sel(session="p17")).max() > 0.05
    xr.testing.assert_allclose(one.sel(session=train), two.sel(session=train))


def test_what_static_connectivity_tells_is_found_and_the_baseline_is_zero_from_itself(coupled):
    table = compare_representations(coupled, "group", **(QUICK | {"n_permutations": 99}))
    mean_connectivity = table.sel(representation=["static FC", "tangent FC", "FC moments"])
    assert (mean_connectivity.score > 0.9).all()
    assert (mean_connectivity.p_value < 0.05).all()
    here = table.sel(representation="static FC", fraction=1)
    assert (float(here.difference), np.isnan(here.difference_p_value).item()) == (0, True)
    assert table.attrs["metric"] == "auroc"
    assert table.n_train.values.tolist() == [12]


def test_a_row_is_what_probe_says_of_it(coupled):
    found = [functional_connectivity(r.activity).drop_vars("n_samples") for r in study.sessions(coupled).values()]
    fc = xr.concat(found, "session").assign_coords(session=list(study.sessions(coupled)))
    table = compare_representations(coupled, "group", baselines=("static FC",), n_repeats=2, **QUICK)
    alone = probe(fc, coupled, target="group", n_repeats=2, **QUICK)
    row = table.sel(representation="static FC", fraction=1)
    for name in ("score", "score_low", "score_high", "p_value"):
        assert float(row[name]) == pytest.approx(float(alone[name].squeeze()), abs=1e-6)


def test_models_and_their_controls_are_rows(people):
    models = {"JEMA": autoencoder(), "tuned": classifier(encoder=autoencoder()), "scratch": classifier()}
    options = {"baselines": ("static FC",), "controls": ("untrained", "empty"), "fractions": (0.5, 1)}
    table = compare_representations(people, "group", models=models, **options, **(QUICK | {"cv": 2}))
    jema = ["JEMA", "JEMA, untrained", "JEMA, empty graph"]
    supervised = ["tuned", "tuned, empty graph", "scratch", "scratch, empty graph"]
    assert table.representation.values.tolist() == ["static FC", *jema, *supervised]
    assert np.isfinite(table.score).all()
    assert (table.p_value.notnull() == ~table.representation.isin(supervised)).all()
    assert table.n_train.values.tolist() == [4, 6]
    assert not hasattr(models["JEMA"], "results_")


def test_models_never_see_labels_or_scans_that_are_held_out(people, monkeypatch):
    seen = []

    def fit(self, data, target=None, y=None):
        assert set(data.children) <= {f"person_{k}" for k in range(1, 13)}  # no phenotype, no truth
        seen.append((set(data.children), set(target or ())))
        return original(self, data, target)

    original = GraphClassifier.fit
    monkeypatch.setattr(GraphClassifier, "fit", fit)
    options = {"models": {"c": classifier()}, "baselines": ("static FC",), "controls": ()}
    compare_representations(people, "group", **options, **QUICK)
    assert [len(scans) for scans, _ in seen] == [8, 8, 8]
    assert all(scans == labelled for scans, labelled in seen)
    assert set.union(*(scans for scans, _ in seen)) - set.intersection(*(scans for scans, _ in seen))


def test_an_encoder_that_was_fitted_before_is_forgotten(people):
    fitted = autoencoder().fit(people)
    copy = unfitted(classifier(encoder=fitted))
    assert hasattr(fitted, "results_")
    assert not hasattr(copy.encoder, "results_")


def test_a_pretraining_study_with_the_same_people_is_refused(people):
    models = {"JEMA": autoencoder()}
    with pytest.raises(InputError, match=r"'person_1', .* are in the study and in the pretraining study"):
        compare_representations(people, "group", models=models, pretraining_study=people, **QUICK)
    others = xr.DataTree.from_dict({f"/x{n}": r for n, r in study.sessions(people).items()})
    table = compare_representations(
        people, "age", models=models, baselines=("static FC",), controls=(), pretraining_study=others, **QUICK
    )
    assert table.attrs["metric"] == "correlation"


def test_bad_input_is_told(people):
    with pytest.raises(InputError, match=r"baselines are .*'PCA'"):
        compare_representations(people, "group", baselines=("PCA",), against="PCA")
    with pytest.raises(InputError, match=r"against must be one of 'static FC', .*'x'"):
        compare_representations(people, "group", against="x")
    with pytest.raises(InputError, match="controls are 'untrained', 'empty', 'shuffled', got 'none'"):
        compare_representations(people, "group", controls=("none",))
    with pytest.raises(InputError, match="'a' must be an Estimator with transform or predict, or a DataArray"):
        compare_representations(people, "group", models={"a": 3})
    with pytest.raises(InputError, match="has no 'diagnosis', it has 'group', 'age', 'sex'"):
        compare_representations(people, "diagnosis")
    stranger = xr.DataArray(np.ones((1, 2)), dims=("session", "f"), coords={"session": ["q"]})
    with pytest.raises(InputError, match="the embedding lacks sessions 'person_1'"):
        compare_representations(people, "group", models={"a": stranger}, **QUICK)
    bare = people.copy()
    del bare["phenotype"]
    with pytest.raises(SchemaError, match="no /phenotype"):
        compare_representations(bare, "group")


@pytest.mark.parametrize(
    ("target", "models", "message"),
    [
        (["age", "diagnosis"], None, "target must be the name of one variable, got .*one variable at a time"),
        ("age", autoencoder(), "models must be named, got a GraphMaskedAutoencoder"),
        ("age", [autoencoder()], "models must be named, got a list"),
    ],
)
def test_one_target_and_models_with_names(people, target, models, message):
    with pytest.raises(InputError, match=message):
        compare_representations(people, target, models=models)
