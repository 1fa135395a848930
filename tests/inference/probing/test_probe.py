"""Probes find what is there, are at chance where nothing is, and never see who is held out."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from sklearn.linear_model import Ridge

from dynome import study
from dynome.errors import InputError
from dynome.inference import probe
from dynome.inference.probing.features import features_of
from dynome.inference.probing.heldout import dealt_anew, folds_for, probed
from dynome.inference.probing.kernel_ridge import _errors, held_out, kernel
from dynome.inference.probing.outcomes import Outcome
from dynome.inference.probing.tallies import drawn, score, tallied, without_each
from dynome.inference.probing.uncertainty import difference as difference_of
from dynome.inference.probing.uncertainty import draws_of, estimated, stretch, stretch_of_difference


def people(n):
    return [f"p{k:02d}" for k in range(n)]


def embedding(values, names=None):
    dims = ("session", *[f"d{k}" for k in range(values.ndim - 1)])
    return xr.DataArray(values, dims=dims, coords={"session": people(len(values)) if names is None else names})


def table(**variables):
    n = len(next(iter(variables.values())))
    return xr.Dataset({k: ("animal", np.asarray(v)) for k, v in variables.items()}, {"animal": people(n)})


def outcome(n, kind, seed=0):
    """An outcome of n animals, of nothing in particular."""
    rng = np.random.default_rng(seed)
    names = tuple(people(n))
    if kind == "drug":
        return Outcome("y", np.tile([0.0, 1.0], n)[:, None], ("a", "b"), np.arange(2 * n), np.arange(n).repeat(2),
                       names, False, "1")  # fmt: skip
    if kind == "number":
        return Outcome("y", rng.normal(size=(n, 1)), (), np.arange(n), np.arange(n), names, True, "1")
    return Outcome("y", (np.arange(n) % 2.0)[:, None], ("a", "b"), np.arange(n), np.arange(n), names, True, "1")


def held_of(kind, n, cv, seed, *, m=60, p=120, repeats=2):
    """Predictions of an outcome from noise."""
    rng, y = np.random.default_rng(seed), outcome(n, kind, seed)
    x = rng.normal(size=(y.animal.size, p))
    if kind == "drug":
        x += 2 * rng.normal(size=(n, p))[y.animal]  # people differ more than conditions do
    dealt = dealt_anew(y, m, seed)
    return probed(lambda _: x, y, folds_for(y, cv, repeats, seed), dealt, (1.0,), "linear", seed)[0][0]


class TestRidge:
    def test_predictions_are_those_of_scikit_learn_at_the_chosen_penalty(self):
        rng = np.random.default_rng(0)
        x, train, test = rng.normal(size=(30, 50)), np.arange(20), np.arange(20, 30)
        y = x[:20, :1] + 0.1 * rng.normal(size=(20, 1))
        found, norm = held_out(kernel(x, train, "linear"), train, test, y, train)
        z = (x - x[train].mean(0)) / x[train].std(0)
        scale = np.linalg.eigvalsh(z[train] @ z[train].T / 50).mean()
        fits = [Ridge(alpha=50 * scale * a).fit(z[train], y[:, 0]) for a in 10.0 ** np.arange(-3, 3.5, 0.75)]
        off = [np.abs(f.predict(z[test]) - y.mean() - found[:, 0]).max() for f in fits]
        best = int(np.argmin(off))
        assert off[best] < 1e-10
        assert norm[0] == pytest.approx(np.sqrt(50) * np.linalg.norm(fits[best].coef_), rel=1e-10)

    def test_errors_of_animals_left_out_are_those_of_fits_without_them(self):
        rng = np.random.default_rng(1)
        z = rng.normal(size=(12, 30))
        z -= z.mean(0)
        y = rng.normal(size=(12, 2))
        y -= y.mean(0)
        group = np.array([0, 0, 1, 1, 1, 2, 3, 3, 4, 5, 5, 6])
        values, vectors = np.linalg.eigh(z @ z.T)
        found = _errors((values / (values + 3.0))[None], vectors, y, group)[0]
        expected = np.zeros(2)
        for g in range(7):
            fit = Ridge(alpha=3.0).fit(z[group != g], y[group != g])
            expected += ((y[group == g] - fit.predict(z[group == g])) ** 2).sum(0)
        np.testing.assert_allclose(found, expected, rtol=1e-6)

    @pytest.mark.parametrize("kind", ["linear", "rbf"])
    def test_what_is_held_out_cannot_move_the_kernel_of_the_training_part(self, kind):
        rng = np.random.default_rng(2)
        x, train = rng.normal(size=(10, 6)), np.arange(7)
        moved = x.copy()
        moved[7:] = 1e3 * rng.normal(size=(3, 6))
        a, b = (kernel(v, train, kind)[:7, :7] for v in (x, moved))
        np.testing.assert_allclose(a, b, atol=1e-12)

    def test_features_that_do_not_vary_in_training_are_left_out(self):
        rng = np.random.default_rng(3)
        x, train = rng.normal(size=(8, 4)), np.arange(5)
        dull = np.concatenate([x, np.r_[np.full(5, 0.1), [9.0, 8.0, 7.0]][:, None]], axis=1)
        np.testing.assert_allclose(kernel(dull, train, "linear"), kernel(x, train, "linear"), atol=1e-12)


class TestScores:
    def test_a_pair_is_ranked_only_by_one_model_that_saw_neither(self):
        held = held_of("group", 12, 3, 0, m=0, repeats=1)
        right = n = 0
        for i in range(12):
            for j in range(12):
                if held.fold[0, i] == held.fold[0, j] and held.truth[i, 0, 0] > held.truth[j, 0, 0]:
                    right += held.prediction[0, i, 0, 0] > held.prediction[0, j, 0, 0]
                    n += 1
        assert score(tallied(held, "auroc"))[0] == pytest.approx(right / n)

    @pytest.mark.parametrize(
        ("kind", "metric", "cv"), [("group", "auroc", 3), ("drug", "auroc", 4), ("number", "correlation", 3)]
    )
    def test_leaving_an_animal_out_is_drawing_it_no_times(self, kind, metric, cv):
        tally = tallied(held_of(kind, 12, cv, 1, m=2), metric)
        none = np.zeros((12, 2))
        np.testing.assert_allclose(drawn(tally, 1 - np.eye(12), none), without_each(tally)[:, 0], atol=1e-12)
        np.testing.assert_allclose(drawn(tally, np.ones((1, 12)), none[:1]), score(tally)[:1], atol=1e-12)

    def test_a_constant_prediction_is_at_chance(self):
        held = held_of("group", 10, 5, 0, m=0)
        assert score(tallied(held._replace(prediction=np.zeros_like(held.prediction)), "auroc"))[0] == 0.5

    def test_pooling_over_folds_would_have_been_below_chance(self):
        """What the scores here avoid: the training mean alone, pooled over leave-one-out, is always wrong."""
        held = held_of("number", 12, "animal", 0, m=0, repeats=1)
        y, mean = held.truth[:, 0, 0], held.mean[0, :, 0]
        assert np.corrcoef(mean, y)[0, 1] == pytest.approx(-1)
        assert score(tallied(held._replace(prediction=np.zeros_like(held.prediction)), "correlation"))[0] == 0


class TestCalibration:
    @pytest.mark.parametrize(
        ("kind", "n", "cv", "metric", "chance"),
        [
            ("drug", 9, "animal", "auroc", 0.5),
            ("group", 16, 4, "auroc", 0.5),
            ("number", 16, "animal", "correlation", 0.0),
        ],
    )
    def test_intervals_hold_chance_where_nothing_is_to_be_found(self, kind, n, cv, metric, chance):
        found, values, p = 0, [], []
        for seed in range(25):
            tally = tallied(held_of(kind, n, cv, seed, repeats=1), metric)
            e = estimated(tally, *draws_of(np.zeros(n, dtype=np.int64), 400, seed), stretch(tally))
            found += e.low <= chance <= e.high
            values.append(e.value)
            p.append(e.p_value)
        assert found >= 20  # 24 expected
        assert abs(np.mean(values) - chance) < 3.2 * np.std(values) / 5
        assert np.mean(np.array(p) < 0.1) < 0.25

    def test_animals_drawn_again_alone_would_be_too_narrow(self):
        assert stretch(tallied(held_of("drug", 9, "animal", 0, m=200, repeats=1), "auroc")) > 1.2

    def test_two_useless_embeddings_do_not_differ(self):
        found = []
        for seed in range(25):
            one, two = (tallied(held_of("group", 16, 4, seed, p=p, repeats=1), "auroc") for p in (120, 60))
            weight = draws_of(np.arange(16) % 2, 300, seed)
            found.append(difference_of(one, two, *weight, stretch_of_difference(one, two), seed).p_value)
        assert np.mean(np.array(found) < 0.1) < 0.25


class TestProbe:
    def test_finds_groups_classes_and_numbers_that_are_planted(self):
        rng = np.random.default_rng(0)
        group, kind, age = np.arange(30) % 2, np.arange(30) % 3, rng.normal(size=30)
        x = rng.normal(size=(30, 200))
        x[:, :20] += 1.5 * group[:, None]
        x[:, 20:60] += 1.5 * np.eye(3)[kind].repeat(14, axis=1)[:, :40]
        x[:, 60:90] += 1.5 * age[:, None]
        phenotype = table(group=np.array(["a", "b"])[group], kind=np.array(["u", "v", "w"])[kind], age=40 + 10 * age)
        phenotype["age"].attrs["units"] = "years"
        found = probe(embedding(x), phenotype, n_repeats=2, n_permutations=60, random_state=0)
        assert found.metric.values.tolist() == ["auroc", "auroc", "correlation"]
        assert (found.score.values[:, 0] > [0.9, 0.9, 0.7]).all()
        assert (found.score_low > found.chance).all()
        assert (found.p_value < 0.02).all()
        assert found.mae.values[2, 0] < 0.7 * found.mae_chance.values[2, 0]
        assert np.isnan(found.mae.values[:2]).all()
        assert found.mae_units.values[2] == "years"

    def test_more_labels_are_better(self):
        rng = np.random.default_rng(1)
        group = np.arange(40) % 2
        x = rng.normal(size=(40, 100)) + 0.35 * group[:, None]
        found = probe(embedding(x), table(group=group), fractions=(0.15, 1), n_permutations=20, random_state=0)
        few, all_ = found.score.values[0]
        assert few < all_ - 0.03
        assert found.n_train.values.tolist() == [[4, 32]]

    def test_a_drug_is_found_within_people_by_leaving_one_person_out(self):
        rng = np.random.default_rng(2)
        names = [f"{p}/{c}" for p in people(9) for c in ("placebo", "drug")]
        x = 3 * rng.normal(size=(9, 1, 40)) + rng.normal(size=(9, 2, 40)) + np.array([0, 1])[:, None] * 1.2
        condition = xr.Dataset({"condition": ("session", ["placebo", "drug"] * 9)}, {"session": names})
        found = probe(embedding(x.reshape(18, 40), names), condition, cv="animal", n_permutations=99, random_state=0)
        assert found.score.item() > 0.85
        assert found.p_value.item() < 0.05
        assert found.score_low.item() > 0.5
        assert found.score_low.item() < 0.9  # nine of nine is not certainty

    def test_a_gaussian_kernel_finds_what_a_line_cannot(self):
        rng = np.random.default_rng(3)
        x = rng.normal(size=(60, 2))
        ring = np.where(np.linalg.norm(x, axis=1) > 1.2, "out", "in")
        of = {"n_repeats": 2, "n_permutations": 0, "random_state": 0}
        line, curve = (probe(embedding(x), table(ring=ring), kind=kind, **of) for kind in ("linear", "rbf"))
        assert curve.score.item() > 0.9 > 0.75 > line.score.item()
        assert np.isnan(curve.p_value.item())

    def test_sessions_and_phenotype_are_joined_by_label(self):
        rng = np.random.default_rng(4)
        x, group = rng.normal(size=(20, 5)), np.arange(20) % 2
        x[:, 0] += 3 * group
        order = rng.permutation(20)
        one = probe(embedding(x), table(group=group), n_repeats=1, n_permutations=5, random_state=0)
        two = probe(embedding(x), table(group=group).isel(animal=order), n_repeats=1, n_permutations=5, random_state=0)
        xr.testing.assert_identical(one, two)

    def test_windows_are_averaged_without_those_that_are_missing(self):
        rng = np.random.default_rng(5)
        x = rng.normal(size=(20, 4, 3))
        x[3, 2:] = np.nan
        windows = embedding(x).rename(d0="window")
        mean = embedding(np.nanmean(x, axis=1))
        of = {"n_repeats": 1, "n_permutations": 5, "random_state": 0}
        phenotype = table(group=np.arange(20) % 2)
        xr.testing.assert_allclose(probe(windows, phenotype, **of), probe(mean, phenotype, **of))
        with pytest.raises(InputError, match="values are missing or infinite in 'p03'"):
            probe(windows, phenotype, pool=(), **of)

    def test_pairs_of_a_symmetric_matrix_count_once(self):
        rng = np.random.default_rng(6)
        z = rng.normal(size=(20, 4, 4))
        fc = embedding(z + z.swapaxes(1, 2)).rename(d0="source", d1="target")
        rows, columns = np.triu_indices(4, 1)
        pairs = embedding(fc.values[:, rows, columns])
        of = {"n_repeats": 1, "n_permutations": 5, "random_state": 0}
        phenotype = table(age=rng.normal(size=20))
        xr.testing.assert_allclose(probe(fc, phenotype, **of), probe(pairs, phenotype, **of))

    def test_the_order_of_targets_is_of_no_account(self):
        z = np.random.default_rng(8).normal(size=(20, 4, 4))
        fc = embedding(z + z.swapaxes(1, 2)).rename(d0="source", d1="target")
        fc = fc.assign_coords(source=list("abcd"), target=list("abcd"))
        rows = features_of(fc).values
        assert rows.shape == (20, 6)
        np.testing.assert_array_equal(features_of(fc.isel(target=[2, 0, 3, 1])).values, rows)

    @pytest.mark.parametrize("seed", range(3))
    def test_a_few_labels_are_not_much_worse_than_their_mean(self, seed):
        rng = np.random.default_rng(seed)
        fc = embedding(np.tanh(0.3 * rng.normal(size=(24, 100))))
        age = table(age=rng.uniform(20, 70, size=24))
        of = {"fractions": (0.1, 0.2, 1), "n_repeats": 3, "n_permutations": 5, "random_state": 0}
        found = probe(fc, age, **of).isel(phenotype=0)
        assert found.n_train.values.tolist() == [5, 5, 19]
        assert (found.mae < 1.5 * found.mae_chance).all()
        assert found.mae.values[0] == found.mae.values[1]  # the same five

    @pytest.mark.parametrize("over", ["animal", "session"])
    def test_takes_a_table(self, over):
        rng = np.random.default_rng(9)
        names = [f"{p}/a" for p in people(12)]
        x, age = embedding(rng.normal(size=(12, 4)), names), rng.normal(size=12)
        group = np.array(["a", "b"] * 6)
        index = [*(people(12) if over == "animal" else names), "stranger/a"]
        frame = pd.DataFrame({"age": [*age, 1.0], "group": [*group, None]}, index=index)
        of = {"cv": 3, "n_repeats": 1, "n_permutations": 5, "random_state": 0}
        found = probe(x, frame.astype({"group": "category"}), **of)
        xr.testing.assert_identical(found, probe(x, table(age=age, group=group), **of))
        if over == "animal":
            xr.testing.assert_allclose(found, probe(x, frame.rename_axis("animal").to_xarray(), **of))

    def test_one_fraction_may_stand_alone(self):
        of = {"cv": 3, "n_repeats": 1, "n_permutations": 0, "random_state": 0}
        x, group = embedding(np.random.default_rng(0).normal(size=(12, 3))), table(group=np.arange(12) % 2)
        xr.testing.assert_identical(probe(x, group, fractions=0.5, **of), probe(x, group, fractions=(0.5,), **of))

    def test_missing_values_are_left_out_and_counted(self):
        rng = np.random.default_rng(7)
        x, age = rng.normal(size=(20, 5)), rng.normal(size=20)
        group = np.array(["a", "b"] * 10)
        age[:4], group[5] = np.nan, ""
        of = {"n_repeats": 1, "n_permutations": 5, "random_state": 0}
        found = probe(embedding(x), table(age=age, group=group), **of)
        assert found.n_animals.values.tolist() == [16, 19]
        alone = probe(embedding(x).isel(session=slice(4, None)), table(age=age), **of)
        assert found.score.sel(phenotype="age").item() == alone.score.item()

    def test_takes_the_phenotype_of_a_study(self):
        phenotype = table(group=np.arange(12) % 2)
        tree = xr.DataTree.from_dict({"/phenotype": phenotype})
        x = embedding(np.random.default_rng(0).normal(size=(12, 3)))
        of = {"cv": 3, "n_repeats": 1, "n_permutations": 5, "random_state": 0}
        assert study.phenotype(tree).equals(phenotype)
        xr.testing.assert_identical(probe(x, tree, **of), probe(x, phenotype, **of))


class TestBadInput:
    x = embedding(np.random.default_rng(0).normal(size=(12, 3)))

    @pytest.mark.parametrize(
        ("phenotype", "kwargs", "message"),
        [
            (table(g=["a"] * 12), {}, "'g' is a in all 12 sessions where it is known; nothing to tell"),
            (table(g=["", ""] * 6), {}, "'g' is known for none of the 12 sessions"),
            (table(g=["a"] * 9 + ["b"] * 3), {}, "5 folds need 5 animals of every class of 'g', found a: 9, b: 3"),
            (table(g=["a", "b"] * 6), {"cv": "animal"}, "does not differ within animals.*take cv=5"),
            (table(g=["a", "b"] * 6), {"metric": "correlation"}, "is text .* and has no correlation"),
            (table(g=[np.inf] + [1.0, 2.0, 3.0] * 3 + [4.0, 5.0]), {}, "infinite values"),
            (table(g=[1.0, 2.0, 3.0] * 4), {"target": "h"}, "has no 'h', it has 'g'"),
            (table(g=[1.0, 2.0, 3.0] * 4), {"cv": 13}, "13 folds need at least 13 animals, found 12"),
            (table(g=[1.0, 2.0, 3.0] * 4), {"fractions": (0.0, 2.0)}, "shares above 0 and up to 1"),
            (table(g=[1.0, 2.0, 3.0] * 4), {"fractions": "half"}, "fractions must be shares .* got 'half'"),
            (table(g=[1.0, 2.0, 3.0] * 4), {"fractions": [[0.5]]}, "fractions must be shares"),
            (table(g=[1.0, 2.0, 3.0] * 4), {"target": 3}, "target must name variables of the phenotype"),
            (pd.DataFrame({"g": [1.0, 2.0] * 6}), {}, r"must name animals or sessions .* take table.set_index"),
            (pd.DataFrame({"g": [1.0, 2.0, 3.0]}, index=["p00", "p01", "p00"]), {}, "'p00' occur more than once"),
            (pd.DataFrame({"g": [1.0, "a"]}, index=["p00", "p01"]), {}, "g must hold numbers or texts"),
            (pd.Series([1.0, 2.0], index=["p00", "p01"]), {"target": "g"}, "expected a phenotype.* found Series"),
            (table(g=[1.0, 2.0, 3.0] * 4), {"kind": "mlp"}, "kind must be one of 'linear', 'rbf'"),
            (table(g=[1.0, 2.0, 3.0] * 4), {"pool": ("window",)}, "pool must be a collection of dims of the embedding"),
            (table(g=["a", "b"] * 6).rename(animal="patient"), {}, "variables over animal or session"),
        ],
    )  # fmt: skip
    def test_is_told(self, phenotype, kwargs, message):
        with pytest.raises(InputError, match=message):
            probe(self.x, phenotype, **kwargs)

    def test_a_phenotype_of_other_animals_is_told(self):
        with pytest.raises(InputError, match="embedding and phenotype must name the same animals"):
            probe(self.x.assign_coords(session=[f"q{k}" for k in range(12)]), table(g=["a", "b"] * 6))

    def test_variables_that_cannot_be_read_are_listed_beside_those_that_can(self):
        phenotype = table(g=["a", "b"] * 6, note=[f"text {k}" for k in range(12)])
        found = probe(self.x, phenotype, n_repeats=1, n_permutations=5, random_state=0)
        assert found.phenotype.values.tolist() == ["g"]
        assert "'note'" in found.attrs["left_out"][0]
        with pytest.raises(InputError, match="'note'"):
            probe(self.x, phenotype, target=["g", "note"])

    def test_embeddings_without_labels_or_with_the_same_twice_are_told(self):
        with pytest.raises(InputError, match="expected a dim session or animal with labels"):
            probe(self.x.drop_vars("session"), table(g=["a", "b"] * 6))
        with pytest.raises(InputError, match="'p00' occur more than once"):
            probe(self.x.assign_coords(session=["p00"] * 2 + people(12)[2:]), table(g=["a", "b"] * 6))
