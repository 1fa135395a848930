"""Evidence for viz/biclustering: rows in the order of the clusters, latents in one form, counts as they are."""

import numpy as np
import pytest
import xarray as xr

import dynome as dy
from dynome.errors import InputError
from dynome.inference.biclustering.observations import log_likelihood
from dynome.viz.biclustering.classes import rand_index
from dynome.viz.biclustering.cluster_paths import trajectories
from dynome.viz.biclustering.tree import bins_of, cluster_colors, column_starts, partition_of
from dynome.viz.states import state_colors

PLOTS = (
    "plot_biclustering", "plot_similarity", "plot_raster", "plot_latents", "plot_chain_counts", "plot_node_uncertainty",
    "plot_cluster_classes",
)  # fmt: skip


def rows(ax) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def changed(tree: xr.DataTree, group: str, change) -> xr.DataTree:
    out = tree.copy(deep=True)
    out[group] = xr.DataTree(change(tree[group].to_dataset()))
    return out


def without(tree: xr.DataTree, *groups: str) -> xr.DataTree:
    return xr.DataTree.from_dict({k: v.to_dataset() for k, v in tree.children.items() if k not in groups})


def test_nodes_stand_by_cluster_and_the_surest_first(biclustering):
    partition = partition_of(biclustering, "")
    data = biclustering["clustering"]
    cluster = data.cluster_maxpear.to_numpy()[partition.order]
    doubt = data.node_uncertainty.to_numpy()[partition.order]
    assert (np.diff(cluster) >= 0).all()
    for first, last in partition.spans.values():
        assert (np.diff(cluster[first:last]) == 0).all()
        assert (np.diff(doubt[first:last]) >= 0).all()
    assert list(partition.spans) == ["0", "1", "2"]


def test_the_similarity_is_drawn_in_that_order(biclustering, ax):
    drawn = dy.viz.plot_similarity(biclustering, ax=ax)
    order = partition_of(biclustering, "").order
    expected = biclustering["clustering"].node_similarity.to_numpy()[np.ix_(order, order)]
    np.testing.assert_allclose(np.asarray(drawn.images[0].get_array()), expected)
    assert rows(drawn) == [f"N{k}" for k in order]


def test_similarity_does_not_depend_on_how_nodes_are_stored(biclustering, ax):
    shuffled = np.random.default_rng(0).permutation(12)
    place = {"node": shuffled, "other_node": shuffled}
    other = changed(biclustering, "clustering", lambda d: d.isel(place, missing_dims="ignore"))
    one = np.asarray(dy.viz.plot_similarity(biclustering).images[0].get_array())
    two = np.asarray(dy.viz.plot_similarity(other, ax=ax).images[0].get_array())
    np.testing.assert_allclose(np.sort(one.ravel()), np.sort(two.ravel()))
    spans = partition_of(other, "").spans
    assert spans == partition_of(biclustering, "").spans


def test_the_similarity_of_moments_keeps_their_order(biclustering, ax):
    drawn = dy.viz.plot_similarity(biclustering, of="time", ax=ax)
    np.testing.assert_allclose(np.asarray(drawn.images[0].get_array()), biclustering["clustering"].state_similarity)
    assert drawn.get_xlabel() == "time (s)"
    assert drawn.get_xlim() == (-0.25, 29.75)


def test_the_similarity_of_moments_of_trials_is_drawn_over_bins(make_biclustering, ax):
    drawn = dy.viz.plot_similarity(make_biclustering(n_time=10, trials=4), of="time", ax=ax)
    assert drawn.images[0].get_array().shape == (40, 40)
    assert drawn.get_xlabel() == "bin (4 trials end to end)"


def test_a_large_similarity_is_averaged_in_blocks(ax):
    n = 1100
    data = xr.Dataset(
        {"node_similarity": (("node", "other_node"), np.eye(n)), "cluster_maxpear": ("node", np.zeros(n, int))}
    )
    drawn = dy.viz.plot_similarity(xr.DataTree.from_dict({"clustering": data}), ax=ax)
    np.testing.assert_allclose(np.asarray(drawn.images[0].get_array()), np.eye(550) / 2)


def test_the_raster_scales_every_node_by_its_99th_percentile(biclustering, ax):
    host = dy.viz.plot_raster(biclustering, ax=ax)
    order = partition_of(biclustering, "").order
    y = biclustering["observed_data"].y.to_numpy()[:, order]
    drawn = np.asarray(host.child_axes[-1].collections[0].get_array())
    np.testing.assert_allclose(drawn, np.minimum(y / np.quantile(y, 0.99, axis=0), 1).T)
    assert rows(host.child_axes[-1]) == [f"N{k}" for k in order]


def test_signals_with_both_signs_are_standardized(biclustering, ax):
    signed = changed(biclustering, "observed_data", lambda d: d.assign(y=d.y - 3))
    mesh = dy.viz.plot_raster(signed, ax=ax).child_axes[-1].collections[0]
    drawn = np.asarray(mesh.get_array())
    np.testing.assert_allclose(drawn.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(drawn.std(axis=1), 1)


def test_trials_stand_end_to_end_without_their_padding(make_biclustering, ax):
    tree = make_biclustering(n_time=20, trials=5)
    path = tree["clustering"].state_maxpear.copy()
    path[1, 15:] = -1
    bins = bins_of(changed(tree, "clustering", lambda d: d.assign(state_maxpear=path)), "")
    assert bins.keep.size == 95
    assert bins.starts.tolist() == [0, 20, 35, 55, 75]
    np.testing.assert_array_equal(bins.path, path.to_numpy().ravel()[bins.keep])
    host = dy.viz.plot_raster(tree, ax=ax)
    assert host.child_axes[-1].get_xlabel() == "bin (5 trials end to end)"
    assert np.asarray(host.child_axes[-1].collections[0].get_array()).shape == (12, 100)
    host = dy.viz.plot_latents(tree)
    assert np.isnan(host.child_axes[3].lines[-1].get_ydata()).sum() == 4


def test_a_study_end_to_end_is_cut_where_its_sessions_change(biclustering):
    clustering = biclustering["clustering"].to_dataset()
    session = ("time", np.repeat(["a", "b"], [40, 20]))
    study = clustering.assign_coords(session=session, time=np.r_[:40, :20] * 0.5)
    assert bins_of(changed(biclustering, "clustering", lambda d: study), "").starts.tolist() == [0, 40]


def test_runs_of_bins_never_span_two_sequences(make_biclustering):
    bins = bins_of(make_biclustering(n_time=39, trials=90), "")
    starts = column_starts(bins)
    assert np.isin(bins.starts, starts).all()
    assert np.diff(starts).max() == 3


def test_latents_come_back_whatever_way_each_draw_was_written(make_biclustering):
    """Draws that differ in labels, level, sign and rotation only have no band at all."""
    tree = make_biclustering()
    rng = np.random.default_rng(0)
    cluster = tree["clustering"].cluster_maxpear.to_numpy()
    path = rng.standard_normal((60, 3, 3)).cumsum(axis=0)
    labels = np.empty((2, 20, 12), dtype=int)
    written = np.empty((2, 5, 60, 3, 3))
    for c in range(2):
        for d in range(20):
            order = rng.permutation(3)
            labels[c, d] = np.argsort(order)[cluster]
            turn = np.linalg.qr(rng.standard_normal((2, 2)))[0]
            if d % 4 == 0:
                written[c, d // 4] = path[:, order] + rng.standard_normal(3)
                written[c, d // 4][..., 1:] = written[c, d // 4][..., 1:] @ turn
    posterior = tree["posterior"].to_dataset().assign(cluster=(("chain", "draw", "node"), labels))
    latent = tree["latent"].latent.copy(data=written)
    bins = bins_of(tree, "")
    found = trajectories(posterior, latent, cluster, [0, 1, 2], bins, column_starts(bins))
    for j, one in enumerate(found):
        assert one.values.shape == (10, 60, 3)
        np.testing.assert_allclose(one.values, one.values[:1].repeat(10, axis=0), atol=1e-9)
        truth = path[:, j] - path[:, j].mean(axis=0)
        np.testing.assert_allclose(one.values[0, :, 0], truth[:, 0], atol=1e-9)
        gram = one.values[0, :, 1:].T @ one.values[0, :, 1:]
        assert gram[0, 1] == pytest.approx(0, abs=1e-8)
        assert gram[0, 0] > gram[1, 1]
        assert np.trace(gram) == pytest.approx((truth[:, 1:] ** 2).sum())


@pytest.mark.parametrize("n_factors", [1, 2, 3])
def test_aligned_latents_have_the_likelihood_of_those_that_were_drawn(make_biclustering, n_factors):
    """What is taken out of latents is a level, which biases take up, and a rotation, which loadings take up."""
    tree = make_biclustering(n_factors=n_factors)
    rng = np.random.default_rng(1)
    bins, cluster = bins_of(tree, ""), tree["clustering"].cluster_maxpear.to_numpy()
    posterior = tree["posterior"].to_dataset()
    posterior = posterior.assign(cluster=posterior.cluster.copy(data=np.tile(cluster, (2, 20, 1))))
    latent = tree["latent"].latent.astype(float)
    found = trajectories(posterior, latent, cluster, [1], bins, column_starts(bins))[0].values
    bias, loading = rng.standard_normal(5), rng.standard_normal((5, n_factors))
    counts, r = rng.poisson(2.0, (5, 60)).astype(float), np.full(5, 3.0)
    for before, after in zip(latent.to_numpy().reshape(10, 60, 3, -1)[:, :, 1], found, strict=True):
        level = before.mean(axis=0)
        turn = np.linalg.lstsq(before[:, 1:] - level[1:], after[:, 1:])[0]
        np.testing.assert_allclose(turn.T @ turn, np.eye(n_factors), atol=1e-10)
        scores = [
            log_likelihood(counts, d[:, None] + path[:, 0] + c @ path[:, 1:].T, "negative_binomial", r)
            for d, c, path in ((bias, loading, before), (bias + level[0] + loading @ level[1:], loading @ turn, after))
        ]
        np.testing.assert_allclose(*scores, atol=1e-10)


def test_a_draw_without_the_cluster_does_not_count(biclustering, ax):
    alone = changed(biclustering, "posterior", lambda d: d.assign(cluster=d.cluster.where(d.chain == 0, 0)))
    host = dy.viz.plot_latents(alone, [1], ax=ax)
    label = host.child_axes[3].get_ylabel()
    assert label.endswith("of 10 draws")
    assert int(label.split("in ")[1].split(" of")[0]) <= 5


def test_the_band_of_latents_holds_95_percent(biclustering, ax):
    tree = biclustering
    spread = np.linspace(-1, 1, 10).reshape(2, 5, 1, 1, 1)
    wave = np.sin(np.arange(60))[:, None, None] * np.ones((1, 3, 3))
    tree["latent"]["latent"] = tree["latent"].latent.copy(data=(wave - wave.mean(axis=0)) * (2 + spread))
    tree["posterior"]["cluster"] = tree["posterior"].cluster.copy(
        data=np.tile(tree["clustering"].cluster_maxpear, (2, 20, 1)).astype(np.int16)
    )
    band = dy.viz.plot_latents(tree, [0], ax=ax).child_axes[3].collections[0].get_paths()[0].vertices
    top = np.abs((wave - wave.mean(axis=0))[:, 0, 0]).max()
    assert np.abs(band[:, 1]).max() == pytest.approx(top * np.quantile(2 + np.linspace(-1, 1, 10), 0.975))


def test_counts_are_told_for_every_chain(biclustering, ax):
    host = dy.viz.plot_chain_counts(biclustering, ax=ax)
    trace, bars = host.child_axes[:2]
    counts = biclustering["posterior"].n_clusters.to_numpy()
    assert len(trace.lines) == 2
    assert [p.get_width() for p in bars.patches] == pytest.approx([(counts == n).mean() for n in (3, 4)])
    np.testing.assert_allclose(bars.lines[1].get_xdata(), [(counts[1] == n).mean() for n in (3, 4)])


def test_the_second_cluster_of_a_node_is_seen_under_its_uncertainty(ax):
    together = np.array([[1, 1, 0.4, 0], [1, 1, 0.4, 0], [0.4, 0.4, 1, 0.6], [0, 0, 0.6, 1]])
    clustering = xr.Dataset(
        {
            "node_similarity": (("node", "other_node"), together),
            "cluster_maxpear": ("node", [0, 0, 1, 1]),
            "node_uncertainty": ("node", [0.0, 0.1, 0.4, 0.0]),
        }
    )
    host = dy.viz.plot_node_uncertainty(xr.DataTree.from_dict({"clustering": clustering}), ax=ax)
    shown = np.asarray(host.child_axes[1].images[0].get_array())
    np.testing.assert_allclose(shown, [[1, 1, 0, 0.4], [0.2, 0.2, 0.6, 0.6]])


def test_clusters_beside_regions_are_counted(biclustering, ax):
    drawn = dy.viz.plot_cluster_classes(biclustering, by="region", ax=ax)
    data = biclustering["clustering"]
    table = np.zeros((3, 3))
    for c, r in zip(data.cluster_maxpear.to_numpy(), data.region.to_numpy(), strict=True):
        table[c, ["CA1", "V1", ""].index(r)] += 1
    share = table / table.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.asarray(drawn.images[0].get_array()), share)
    assert drawn.get_title().startswith("adjusted Rand index")


def test_the_rand_index_is_that_of_scikit_learn():
    from sklearn.metrics import adjusted_rand_score

    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = rng.integers(-1, 4, 30), rng.integers(0, 3, 30)
        assert rand_index(a, b) == pytest.approx(adjusted_rand_score(a, b), abs=1e-12)
    assert rand_index(np.zeros(5, int), np.zeros(5, int)) == 1


def test_clusters_and_the_first_states_have_different_colours():
    clusters = cluster_colors([str(k) for k in range(9)])
    assert len(set(clusters.values())) == 9
    assert not {c.upper() for c in clusters.values()} & {c.upper() for c in state_colors(range(6))}


def test_an_overview_leaves_out_what_is_not_there(biclustering, ax):
    whole = len(dy.viz.plot_biclustering(biclustering).child_axes)
    little = without(biclustering, "latent", "posterior", "sample_stats")
    little = changed(little, "clustering", lambda d: d.drop_vars(["region", "time_uncertainty"]))
    host = dy.viz.plot_biclustering(little, ax=ax)
    assert whole == 11
    assert len(host.child_axes) == 3


@pytest.mark.parametrize(("name", "rows_named"), [("unit_{}", 12), ("session_715093703/unit_{}", 0)])
def test_an_overview_names_nodes_only_where_names_fit_between_its_columns(biclustering, ax, name, rows_named):
    names = [name.format(k) for k in range(12)]
    tree = changed(biclustering, "clustering", lambda d: d.assign_coords(node=names, other_node=names))
    tree = changed(tree, "observed_data", lambda d: d.assign_coords(node=names))
    host = dy.viz.plot_biclustering(without(tree, "posterior", "latent"), ax=ax)
    raster = next(panel for panel in host.child_axes if panel.get_ylabel().endswith("by cluster") and panel.collections)
    assert len(rows(raster)) == rows_named


@pytest.mark.parametrize("name", PLOTS)
def test_a_posterior_of_another_kind_is_refused(name, ax):
    with pytest.raises(InputError, match=r"expected the group /\w+ of a bi-clustering, found the groups 'other'"):
        getattr(dy.viz, name)(xr.DataTree.from_dict({"other": xr.Dataset()}), ax=ax)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda t, ax: dy.viz.plot_similarity(t, of="draw", ax=ax), "similarity is of 'node' or 'time', got 'draw'"),
        (lambda t, ax: dy.viz.plot_latents(t, [0, 7], ax=ax), "there are no clusters 7; there are 0, 1, 2"),
        (lambda t, ax: dy.viz.plot_cluster_classes(t, by="layer", ax=ax), "no coordinate 'layer'; they have 'region'"),
        (
            lambda t, ax: dy.viz.plot_similarity(
                changed(t, "clustering", lambda d: d.drop_vars("state_similarity")), of="time", ax=ax
            ),
            "/clustering lacks 'state_similarity'",
        ),
        (
            lambda t, ax: dy.viz.plot_latents(changed(t, "latent", lambda d: d.drop_vars("draw")), ax=ax),
            "/latent must have the coordinate draw",
        ),
        (
            lambda t, ax: dy.viz.plot_latents(
                changed(t, "latent", lambda d: d.assign_coords(draw=d.draw + 1e6)), ax=ax
            ),
            "a draw of /latent is not in /posterior",
        ),
    ],
)
def test_what_cannot_be_drawn_is_said(biclustering, ax, draw, message):
    with pytest.raises(InputError, match=message):
        draw(biclustering, ax)


def test_nodes_without_a_class_are_said_to_have_none(biclustering, ax):
    bare = changed(biclustering, "clustering", lambda d: d.drop_vars("region"))
    assert dy.viz.plot_cluster_classes(bare, ax=ax).texts[0].get_text().startswith("no data: the nodes have no region")
