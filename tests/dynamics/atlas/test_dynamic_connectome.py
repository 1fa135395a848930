"""Evidence for the atlas as a whole: planted motifs come back, chance is called chance, bad input is told."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from sklearn.metrics import adjusted_mutual_info_score

from dynome import align, datasets, schema, study
from dynome.dynamics import DynamicConnectome, affinity, affinity_tensor, align_animals, motif_table
from dynome.errors import InputError


def f1(found, planted):
    return 2 * (found & planted).sum() / (found.sum() + planted.sum())


@pytest.fixture(scope="module")
def worms():
    return datasets.make_dynamic_communities(n_communities=3, noise=0.3, random_state=4)


@pytest.fixture(scope="module")
def atlas(worms):
    return DynamicConnectome(rank=3, n_restarts=5, random_state=0).fit(worms)


@pytest.fixture(scope="module")
def planted(worms, atlas):
    """The truth, its communities in the order of the components."""
    truth = worms["truth"].to_dataset().sel(time=atlas.results_.time, method="nearest")
    pairs = np.sqrt(truth.membership.sel(node=atlas.results_.source) * truth.membership.sel(node=atlas.results_.target))
    order = align.match(align.cosine(atlas.results_.pair_factor.to_numpy(), pairs.transpose("pair", ...).to_numpy()))
    return truth.isel(component=order.order)


def noise_only(seed, n_animals=3):
    rng = np.random.default_rng(seed)
    t = np.arange(160) / 2
    walk = [np.cumsum(rng.standard_normal((160, 16)), 0) for _ in range(n_animals)]
    nodes = [f"n{k}" for k in range(16)]
    return study.build(
        {f"w{k}": schema.recording(x - x.mean(0), time=t, node=nodes, units="dF/F") for k, x in enumerate(walk)}
    )


# --- Recovery ---------------------------------------------------------------------------------------------------------


def test_planted_motifs_are_found_in_their_intervals(atlas, planted):
    for k in range(3):
        assert f1(atlas.results_.active[:, k].to_numpy(), planted.time_course[k].to_numpy() > 0.5) > 0.85


def test_planted_motifs_are_found_in_their_animals(atlas, planted):
    np.testing.assert_array_equal(atlas.results_.expressed.to_numpy(), planted.loading.to_numpy().T > 0)


def test_planted_motifs_are_found_in_their_nodes(atlas, planted):
    found = atlas.results_.community.to_numpy() >= 0
    label = np.where(found.any(0), found.argmax(0), -1)
    member = planted.membership.transpose("node", ...).to_numpy() > 0
    truth = np.where(member.any(1), member.argmax(1), -1)
    assert adjusted_mutual_info_score(truth, label) > 0.9


def test_planted_motifs_are_above_chance(atlas):
    assert atlas.results_.above_chance.all()
    assert float(atlas.results_.weight.min()) > 1.5 * float(atlas.results_.null_weight.max())


def test_animals_that_share_a_motif_show_the_same_pattern(atlas):
    similarity = atlas.results_.animal_similarity.to_numpy()
    for k, expressed in enumerate(atlas.results_.expressed.to_numpy()):
        shared = similarity[k][np.ix_(expressed, expressed)]
        np.testing.assert_allclose(np.diag(shared), 1)
        assert shared.min() > 0.3
        assert np.isnan(similarity[k][~expressed]).all()


def test_new_animals_load_on_the_motifs_that_they_have(worms, atlas, planted):
    more = datasets.make_dynamic_communities(n_animals=7, n_communities=3, noise=0.3, random_state=4)
    new = study.build({name: more[name].to_dataset() for name in ("animal_5", "animal_6", "animal_7")})
    loading = atlas.transform(new)
    truth = more["truth"].loading.sel(animal=loading.animal, component=planted.component).to_numpy()
    np.testing.assert_array_equal(loading.to_numpy() > 0.2 * loading.to_numpy().max(0), truth > 0)
    assert 0 < atlas.score(new) < 1
    assert atlas.score(new) > atlas.score(noise_like(new))


def noise_like(recordings):
    """The same animals with their nodes dealt anew: no node is where the motifs have it."""
    rng = np.random.default_rng(0)
    parts = study.sessions(recordings)
    return study.build(
        {
            n: r.copy(data={"activity": r.activity.to_numpy()[:, rng.permutation(r.sizes["node"])]})
            for n, r in parts.items()
        }
    )


def test_the_same_animals_give_the_loadings_that_were_fitted(worms, atlas):
    again = atlas.transform(worms)
    fitted = atlas.results_.animal_factor * atlas.results_.weight
    np.testing.assert_allclose(again, fitted, rtol=0.05, atol=0.02 * float(fitted.max()))


def test_the_table_tells_each_motif_in_a_row(atlas):
    table = motif_table(atlas.results_, n_nodes=4)
    assert len(table) == 3
    strongest = atlas.results_.node_strength.isel(component=0).to_series().idxmax()
    assert table.nodes[0].split(", ")[0] == strongest
    assert table.above_chance.all()


# --- Chance -----------------------------------------------------------------------------------------------------------


def test_components_of_noise_are_like_those_of_shifted_noise():
    model = DynamicConnectome(rank=2, n_restarts=3, random_state=0)
    p = np.concatenate([model.fit(noise_only(seed)).results_.p_value for seed in range(5)])
    assert (p <= 0.05).sum() <= 2  # of ten: more would occur once in a hundred times
    assert 0.25 < p.mean() < 0.75


def test_in_event_mode_what_is_locked_is_told_from_what_is_not():
    worms = datasets.make_worm(n_animals=3, duration=240, random_state=0)
    locked = DynamicConnectome(rank=1, event="reversal", smooth=1.5, random_state=0).fit(worms)
    assert locked.results_.above_chance.all()
    assert locked.results_.time.min() == -8
    assert np.isnan(locked.results_.overlap_p.sel(epoch="reversal")).all()
    assert float(locked.results_.overlap.sel(epoch="reversal").min()) > 0
    assert (locked.results_.n_events > 0).all()
    rng = np.random.default_rng(0)
    anywhere = {
        name: rec.assign(reversal=rec.reversal.copy(data=np.roll(rec.reversal, int(rng.integers(100, 300)))))
        for name, rec in study.sessions(worms).items()
    }
    free = DynamicConnectome(rank=1, event="reversal", smooth=1.5, random_state=0).fit(study.build(anywhere))
    assert float(free.results_.weight[0]) < float(locked.results_.weight[0])
    assert float(free.results_.p_value[0]) > float(locked.results_.p_value[0])


# --- Forms of input ---------------------------------------------------------------------------------------------------


def test_study_recordings_and_affinity_give_one_atlas(worms):
    model = DynamicConnectome(rank=2, n_null=0, n_restarts=2, random_state=0)
    aligned = align_animals(worms)
    reference = model.fit(worms).results_.pair_factor
    for data in (aligned, aligned["activity"], affinity(aligned, min_animals=3)):
        xr.testing.assert_allclose(model.fit(data).results_.pair_factor, reference)


def test_a_tensor_is_taken_as_it_is(worms):
    tensor = affinity_tensor(affinity(align_animals(worms))).isel(time=slice(0, 100))
    atlas = DynamicConnectome(rank=2, n_null=0, n_restarts=2, random_state=0).fit(tensor)
    xr.testing.assert_equal(atlas.results_.time, tensor.time)
    assert "p_value" not in atlas.results_


def test_a_node_that_few_animals_have_does_not_run_away(worms):
    parts = study.sessions(align_free(worms))
    lacking = {n: r.drop_sel(node="node_01") if n in ("animal_3", "animal_4") else r for n, r in parts.items()}
    atlas = DynamicConnectome(rank=3, n_null=0, min_animals=2, random_state=0).fit(study.build(lacking)).results_
    assert "node_01" in atlas.node
    assert float(atlas.node_strength.sel(node="node_01").max()) < 3 * float(atlas.node_strength.max())
    assert np.isfinite(atlas.weight).all()
    assert float(atlas.weight.max()) < 100


def align_free(tree):
    return study.build(study.sessions(tree))


def test_one_animal_is_enough(worms):
    one = study.build({"animal_1": worms["animal_1"].to_dataset()})
    atlas = DynamicConnectome(rank=2, n_null=0, random_state=0).fit(one).results_
    np.testing.assert_allclose(atlas.animal_factor, 1)


def test_a_trace_that_never_changes_takes_no_part(worms):
    parts = study.sessions(align_free(worms))
    for rec in parts.values():
        rec["activity"] = rec.activity.where(rec.node != "node_02", 0.5)
    atlas = DynamicConnectome(rank=2, n_null=0, random_state=0).fit(study.build(parts)).results_
    assert (atlas.community.sel(node="node_02") == -1).all() if "node_02" in atlas.node else True


# --- Errors -----------------------------------------------------------------------------------------------------------


def test_nodes_that_no_two_animals_share_are_told():
    def one(name):
        return schema.recording(
            np.random.default_rng(0).random((60, 3)),
            time=np.arange(60.0),
            node=[f"{name}{k}" for k in range(3)],
            units="1",
        )

    with pytest.raises(InputError, match="no two of 6 nodes were recorded together in 2 animals"):
        DynamicConnectome(rank=1).fit(study.build({"a": one("x"), "b": one("y")}))


def test_all_parameters_out_of_range_are_told_at_once():
    with pytest.raises(
        InputError, match=r"(?s)rank must be.*n_null must be 0 or at least 20.*window must be.*kernel must be"
    ):
        DynamicConnectome(rank=0, n_null=5, window=-1, kernel="cosine").fit(noise_only(0))


def test_a_rank_above_what_the_modes_allow_is_told(worms):
    tensor = affinity_tensor(affinity(align_animals(worms))).isel(time=slice(0, 3), pair=slice(0, 2))
    with pytest.raises(InputError, match="rank"):
        DynamicConnectome(rank=9, n_null=0).fit(tensor)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "no traces that could be shifted; pass n_null=0"),
        ({"n_null": 0, "event": "reversal"}, "it has no events"),
        ({"n_null": 0, "epochs": ["reversal"]}, "it has no epochs"),
    ],
)
def test_a_tensor_cannot_be_tested_or_locked(worms, options, message):
    tensor = affinity_tensor(affinity(align_animals(worms))).isel(time=slice(0, 20))
    with pytest.raises(InputError, match=message):
        DynamicConnectome(rank=1, **options).fit(tensor)


def test_an_unknown_event_or_epoch_is_told():
    with pytest.raises(InputError, match="event 'turn' is no variable"):
        DynamicConnectome(event="turn").fit(noise_only(0))
    with pytest.raises(InputError, match="'turn' is no covariate over time"):
        DynamicConnectome(rank=1, n_null=0, n_restarts=1, epochs=["turn"]).fit(noise_only(0))


def test_something_else_is_told():
    with pytest.raises(InputError, match="expected a study, recordings"):
        DynamicConnectome().fit(xr.DataArray(np.ones((3, 3)), dims=("source", "target")))


# --- Real worms -------------------------------------------------------------------------------------------------------


@pytest.mark.realdata
def test_real_worms_have_a_motif_locked_to_reversals(data_dir, monkeypatch):
    monkeypatch.setenv("DYNOME_DATA_DIR", str(data_dir))
    aligned = align_animals(datasets.fetch_celegans_calcium(), rate=2.0, min_animals=4)
    atlas = DynamicConnectome(rank=2, event="reversal", smooth=1.5, n_restarts=5, random_state=0).fit(aligned).results_
    assert atlas.above_chance.any()
    strongest = {n for k in range(2) for n in atlas.node_strength.isel(component=k).to_series().nlargest(15).index}
    assert {"AVAL", "AVAR", "AVEL", "AVER"} & strongest  # command neurons of backward movement


def test_what_is_no_atlas_has_no_table(worms):
    with pytest.raises(InputError, match=r"give model\.results_"):
        motif_table(DynamicConnectome())


def test_weights_in_the_place_of_a_target_are_refused(worms):
    with pytest.raises(InputError, match="y must be None"):
        DynamicConnectome(rank=2).fit(worms, 1)


def test_an_event_that_is_no_flag_is_refused_before_the_work():
    with pytest.raises(InputError, match="holds numbers, not a flag"):
        DynamicConnectome(rank=1, event="velocity").fit(datasets.make_worm(n_animals=2, duration=100, random_state=0))
