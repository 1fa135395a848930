"""What all plots share: they draw where they are told, leave their input alone, and never fail on poor data."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes

import dynome as dy

PLOTS = {
    "plot_recording": "recording",
    "plot_covariates": "recording",
    "plot_matrix": "fc",
    "plot_connectome": "wiring",
    "plot_components": "results",
    "plot_loadings": "results",
    "plot_structure_function": "association",
    "plot_null": "association",
    "plot_atlas": "atlas",
    "plot_rank_curve": "rank_curve",
    "plot_states": "posterior",
    "plot_coupling": "switching",
    "plot_transitions": "switching",
    "plot_edges": "switching",
    "plot_history_kernels": "switching",
    "plot_state_curve": "state_curve",
    "plot_biclustering": "biclustering",
    "plot_similarity": "biclustering",
    "plot_raster": "biclustering",
    "plot_latents": "biclustering",
    "plot_chain_counts": "biclustering",
    "plot_node_uncertainty": "biclustering",
    "plot_cluster_classes": "biclustering",
    "plot_connectivity_scores": "wiring_scores",
    "plot_connectivity_estimate": "inferred",
    "plot_attribution": "attribution",
    "plot_embeddings": "embeddings",
    "plot_triads": "triad_scores",
    "plot_degrees": "degree_laws",
    "plot_forecasts": "forecast_table",
    "plot_forecast_traces": "forecasts",
    "plot_windows": "windows",
    "plot_training": "training",
    "plot_region_attribution": "regions",
    "plot_probe": "probes",
    "plot_fingerprint": "fingerprints",
    "plot_representations": "representations",
    "plot_completion": "completed",
    "plot_group_components": "matched_sessions",
    "plot_group_test": "group_table",
    "plot_session_summary": "session_summary",
}


def part(tree: xr.DataTree, **places) -> xr.DataTree:
    """The same positions of every group that has the dim."""
    groups = {k: g.to_dataset().isel(places, missing_dims="ignore") for k, g in tree.children.items()}
    return xr.DataTree.from_dict(groups)


def times(tree: xr.DataTree, group: str, name: str, factor: float) -> xr.DataTree:
    """One variable multiplied."""
    groups = {k: g.to_dataset() for k, g in tree.children.items()}
    groups[group] = groups[group].assign({name: groups[group][name] * factor})
    return xr.DataTree.from_dict(groups)


DRAWN: dict[str, np.ndarray] = {}  # each plot once, for all tests that compare another drawing with it


@pytest.fixture(params=PLOTS)
def case(request):
    return getattr(dy.viz, request.param), request.getfixturevalue(PLOTS[request.param])


@pytest.fixture
def drawn(case) -> np.ndarray:
    plot, data = case
    if plot.__name__ not in DRAWN:
        DRAWN[plot.__name__] = pixels(plot(data))
    return DRAWN[plot.__name__]


def pixels(ax: Axes) -> np.ndarray:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = ax.get_figure(root=True)
    figure.set_dpi(50)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()).copy()


def test_every_plot_that_is_public_is_tested_here():
    assert {name for name in dir(dy.viz) if name.startswith("plot_")} == set(PLOTS)


def test_a_plot_draws_on_the_axes_that_it_is_given_opens_no_figure_and_leaves_its_input_alone(case, ax):
    plot, data = case
    empty = pixels(ax)
    before = data.copy(deep=True)
    assert plot(data, ax=ax) is ax
    assert not np.array_equal(pixels(ax), empty)
    assert plt.get_fignums() == []
    xr.testing.assert_identical(data, before)  # the input is left alone


def test_a_plot_looks_the_same_every_time(case, drawn):
    plot, data = case
    np.testing.assert_array_equal(pixels(plot(data)), drawn)


def test_a_plot_of_dask_arrays_is_the_plot_of_their_values(case, drawn):
    plot, data = case
    np.testing.assert_array_equal(pixels(plot(data.chunk())), drawn)


def test_a_plot_without_axes_makes_one_figure_and_stays_inside_it(case):
    plot, data = case
    ax = plot(data)
    assert isinstance(ax, Axes)
    figure = ax.get_figure(root=True)
    assert plt.get_fignums() == [figure.number]
    figure.draw_without_rendering()
    whole, drawn = figure.bbox, figure.get_tightbbox().transformed(figure.dpi_scale_trans)
    assert drawn.x0 >= whole.x0 - 1
    assert drawn.y0 >= whole.y0 - 1
    assert drawn.x1 <= whole.x1 + 1
    assert drawn.y1 <= whole.y1 + 1


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("plot_recording", lambda d: d.assign(activity=d.activity * np.nan)),
        ("plot_recording", lambda d: d.isel(node=[])),
        ("plot_recording", lambda d: d.isel(time=[])),
        ("plot_covariates", lambda d: d[["activity"]]),
        ("plot_covariates", lambda d: d.isel(time=[])),
        ("plot_matrix", lambda d: d * np.nan),
        ("plot_matrix", lambda d: d.isel(source=[], target=[])),
        ("plot_connectome", lambda d: d.isel(node=[], edge=[])),
        ("plot_components", lambda d: d * np.nan),
        ("plot_components", lambda d: d.isel(component=[])),
        ("plot_components", lambda d: d.isel(time=[])),
        ("plot_loadings", lambda d: d * np.nan),
        ("plot_loadings", lambda d: d.isel(animal=[])),
        ("plot_structure_function", lambda d: d.assign(fc=d.fc * np.nan)),
        ("plot_structure_function", lambda d: d.isel(pair=[])),
        ("plot_atlas", lambda d: d.isel(component=[])),
        ("plot_atlas", lambda d: d.isel(time=[])),
        ("plot_atlas", lambda d: d.assign(time_factor=d.time_factor * np.nan)),
        ("plot_null", lambda d: d.isel(layer=[])),
        ("plot_rank_curve", lambda d: d.isel(rank=[])),
        ("plot_rank_curve", lambda d: d * np.nan),
        ("plot_null", lambda d: d.assign(statistic=d.statistic * np.nan, null=d.null * np.nan)),
        ("plot_states", lambda d: d.isel(time=[])),
        ("plot_states", lambda d: d.isel(state=[])),
        ("plot_states", lambda d: d * np.nan),
        ("plot_states", lambda d: (d.argmax("state") * 0 - 1).expand_dims(trial=4)),
        ("plot_coupling", lambda d: d.isel(source=[], target=[])),
        ("plot_coupling", lambda d: d * np.nan),
        ("plot_transitions", lambda d: d.isel(state=[], next_state=[])),
        ("plot_transitions", lambda d: d * np.nan),
        ("plot_edges", lambda d: d.isel(state=[])),
        ("plot_edges", lambda d: d.assign(standard_error=d.standard_error * np.nan)),
        ("plot_history_kernels", lambda d: d.isel(lag=[])),
        ("plot_history_kernels", lambda d: d * np.nan),
        ("plot_state_curve", lambda d: d.isel(n_states=[])),
        ("plot_forecasts", lambda d: times(d, "scores", "score", np.nan)),
        ("plot_forecasts", lambda d: part(d, horizon=[])),
        ("plot_forecast_traces", lambda d: d.isel(window=[])),
        ("plot_forecast_traces", lambda d: d.isel(node=[])),
        ("plot_state_curve", lambda d: d * np.nan),
        ("plot_biclustering", lambda d: times(d, "observed_data", "y", np.nan)),
        ("plot_biclustering", lambda d: part(d, node=[], other_node=[])),
        ("plot_similarity", lambda d: part(d, node=[], other_node=[])),
        ("plot_similarity", lambda d: times(d, "clustering", "node_similarity", np.nan)),
        ("plot_raster", lambda d: times(d, "observed_data", "y", np.nan)),
        ("plot_raster", lambda d: part(d, time=[], other_time=[])),
        ("plot_latents", lambda d: times(d, "latent", "latent", np.nan)),
        ("plot_latents", lambda d: part(d, latent_draw=[])),
        ("plot_chain_counts", lambda d: part(d, draw=[])),
        ("plot_node_uncertainty", lambda d: times(d, "clustering", "node_uncertainty", np.nan)),
        ("plot_cluster_classes", lambda d: part(d, node=[], other_node=[])),
        ("plot_attribution", lambda d: d.isel(edge=[])),
        ("plot_attribution", lambda d: d * np.nan),
        ("plot_triads", lambda d: d.isel(metric=[])),
        ("plot_triads", lambda d: d * np.nan),
        ("plot_degrees", lambda d: d.isel(degree=[])),
        ("plot_degrees", lambda d: d * np.nan),
        ("plot_embeddings", lambda d: d.isel(node=[])),
        ("plot_embeddings", lambda d: d.isel(component=[])),
        ("plot_embeddings", lambda d: d * np.nan),
        ("plot_windows", lambda d: d.isel(window=[])),
        ("plot_windows", lambda d: d.isel(source=[], target=[])),
        ("plot_windows", lambda d: d * np.nan),
        ("plot_training", lambda d: d.isel(iteration=[])),
        ("plot_training", lambda d: d * np.nan),
        ("plot_region_attribution", lambda d: d.isel(node=[])),
        ("plot_region_attribution", lambda d: d.isel(window=[])),
        ("plot_region_attribution", lambda d: d * np.nan),
        ("plot_probe", lambda d: d.isel(phenotype=[])),
        ("plot_probe", lambda d: d * np.nan),
        ("plot_fingerprint", lambda d: d.isel(first=[], second=[])),
        ("plot_fingerprint", lambda d: d * np.nan),
        ("plot_completion", lambda d: d.isel(window=[])),
        ("plot_completion", lambda d: d.assign_coords(hidden=False)),
        ("plot_representations", lambda d: d.isel(representation=[])),
        ("plot_representations", lambda d: d * np.nan),
        ("plot_group_components", lambda d: d.isel(component=[])),
        ("plot_group_components", lambda d: d * np.nan),
        ("plot_group_test", lambda d: d.isel(component=[])),
        ("plot_group_test", lambda d: d * np.nan),
        ("plot_session_summary", lambda d: d.isel(session=[])),
        ("plot_session_summary", lambda d: d * np.nan),
    ],
)
def test_nothing_to_draw_is_said_in_the_figure(name, change, request, ax):
    data = change(request.getfixturevalue(PLOTS[name]))
    assert getattr(dy.viz, name)(data, ax=ax) is ax
    assert [t.get_text()[:7] for t in ax.texts] == ["no data"]
    assert not ax.xaxis.get_ticklocs().size


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("plot_recording", lambda d: d.isel(node=[0])),
        ("plot_recording", lambda d: d.isel(time=[0])),
        ("plot_recording", lambda d: d.assign(activity=d.activity * 0)),
        ("plot_recording", lambda d: d.assign(activity=d.activity.where(d.activity < 1.5, np.inf))),
        ("plot_covariates", lambda d: d.isel(time=[0])),
        ("plot_matrix", lambda d: d.isel(source=[0], target=[0])),
        ("plot_matrix", lambda d: d.isel(source=[0])),
        ("plot_matrix", lambda d: d * 0),
        ("plot_matrix", lambda d: d * 0 + 7),
        ("plot_connectome", lambda d: d.isel(node=[4], edge=[5])),
        ("plot_triads", lambda d: d.isel(metric=[0])),
        ("plot_triads", lambda d: d * 1000),
        ("plot_degrees", lambda d: d.isel(degree=[0])),
        ("plot_degrees", lambda d: d.isel(law=[1])),
        ("plot_connectome", lambda d: d.isel(edge=[])),
        ("plot_connectome", lambda d: d.assign(weight=d.weight * 0)),
        ("plot_components", lambda d: d.isel(component=[0])),
        ("plot_components", lambda d: d.isel(time=[0])),
        ("plot_components", lambda d: d.assign(time_factor=d.time_factor.where(d.time > 5))),
        ("plot_components", lambda d: d * 0),
        ("plot_loadings", lambda d: d.isel(animal=[0])),
        ("plot_structure_function", lambda d: d.isel(pair=[0])),
        ("plot_structure_function", lambda d: d.assign(weight=d.weight * 0)),
        ("plot_structure_function", lambda d: d.assign(weight=d.weight - 1.5)),
        ("plot_atlas", lambda d: d.isel(component=[1])),
        ("plot_atlas", lambda d: d.isel(time=[0])),
        ("plot_atlas", lambda d: d.assign(community=d.community * 0 - 1)),
        ("plot_atlas", lambda d: d.isel(pair=[])),
        ("plot_atlas", lambda d: d.assign(pair_factor=d.pair_factor * 0, weight=d.weight * 0)),
        ("plot_atlas", lambda d: d[["time_factor", "pair_factor", "weight", "community", "node_strength"]]),
        ("plot_null", lambda d: d.isel(layer=[0], draw=[])),
        ("plot_rank_curve", lambda d: d.isel(rank=[0])),
        ("plot_rank_curve", lambda d: d[["error"]]),
        ("plot_rank_curve", lambda d: d.isel(restart=[0], fold=[0])),
        ("plot_rank_curve", lambda d: d.assign(held_out_error=d.held_out_error * np.nan)),
        ("plot_states", lambda d: d.isel(time=[0])),
        ("plot_states", lambda d: d.isel(state=[0])),
        ("plot_states", lambda d: d.where(d.time > 5)),
        ("plot_states", lambda d: d.argmax("state").expand_dims(trial=300)),
        ("plot_states", lambda d: d.drop_vars(["time", "state"])),
        ("plot_coupling", lambda d: d.isel(source=[0], target=[0])),
        ("plot_coupling", lambda d: d.isel(source=[0])),
        ("plot_coupling", lambda d: d * 0),
        ("plot_coupling", lambda d: d[["coupling"]].isel(state=0, drop=True)),
        ("plot_coupling", lambda d: d.assign(coupling=d.coupling.where(d.coupling < 1))),
        ("plot_transitions", lambda d: d.assign(transition=d.transition * 0 + np.eye(3))),
        ("plot_transitions", lambda d: d.assign(occupancy=d.occupancy * 0)),
        ("plot_edges", lambda d: d.assign(coupling=d.coupling * 0)),
        ("plot_edges", lambda d: d[["coupling", "standard_error"]].isel(state=0, drop=True)),
        ("plot_history_kernels", lambda d: d[["weight"]].isel(lag=[0], state=[0])),
        ("plot_history_kernels", lambda d: d[["weight"]].isel(state=0, drop=True)),
        ("plot_state_curve", lambda d: d.isel(n_states=[0])),
        ("plot_forecasts", lambda d: part(d, horizon=[0])),
        ("plot_forecasts", lambda d: times(d, "nulls", "mean_score", np.nan)),
        ("plot_forecasts", lambda d: times(d, "scores", "low", np.nan)),
        ("plot_forecast_traces", lambda d: d.isel(window=[0], horizon=[0])),
        ("plot_forecast_traces", lambda d: d.drop_vars("lower") * np.nan),
        ("plot_state_curve", lambda d: d.isel(n_states=[1], fold=[0])),
        ("plot_state_curve", lambda d: d.where(d.n_states != 3)),
        ("plot_biclustering", lambda d: part(d, node=[0], other_node=[0])),
        ("plot_biclustering", lambda d: part(d, time=[0], other_time=[0])),
        ("plot_biclustering", lambda d: part(d, chain=[0], draw=[0], latent_draw=[0])),
        ("plot_similarity", lambda d: part(d, node=[0], other_node=[0])),
        ("plot_raster", lambda d: part(d, time=[0], other_time=[0])),
        ("plot_raster", lambda d: times(d, "observed_data", "y", 0)),
        ("plot_latents", lambda d: part(d, chain=[0], latent_draw=[0])),
        ("plot_latents", lambda d: part(d, component=[0])),
        ("plot_chain_counts", lambda d: part(d, chain=[0], draw=[0])),
        ("plot_node_uncertainty", lambda d: part(d, node=[0], other_node=[0])),
        ("plot_node_uncertainty", lambda d: times(d, "clustering", "node_uncertainty", 0)),
        ("plot_cluster_classes", lambda d: part(d, node=[0], other_node=[0])),
        ("plot_attribution", lambda d: d.isel(edge=[0])),
        ("plot_attribution", lambda d: d * 0),
        ("plot_embeddings", lambda d: d.isel(node=[0])),
        ("plot_embeddings", lambda d: d.isel(component=[0])),
        ("plot_embeddings", lambda d: d.drop_vars("cell_type")),
        ("plot_embeddings", lambda d: d * 0),
        ("plot_windows", lambda d: d.isel(window=[0])),
        ("plot_windows", lambda d: d.isel(source=[0], target=[0])),
        ("plot_windows", lambda d: d * 0),
        ("plot_windows", lambda d: d.where(d.source != "N3")),
        ("plot_windows", lambda d: d > 0.3),
        ("plot_windows", lambda d: d.drop_vars(list(d.coords))),
        ("plot_training", lambda d: d.isel(iteration=[0])),
        ("plot_training", lambda d: d[["history"]]),
        ("plot_training", lambda d: d.where(d.iteration > 3)),
        ("plot_training", lambda d: d * 0),
        ("plot_region_attribution", lambda d: d.isel(node=[0])),
        ("plot_probe", lambda d: d.isel(fraction=[0], phenotype=[0])),
        ("plot_probe", lambda d: d.where(d.model == "random")),
        ("plot_completion", lambda d: d.drop_vars(list(d.coords)).isel(window=[0])),
        ("plot_representations", lambda d: d[["score", "score_low", "score_high"]].isel(representation=[0])),
        ("plot_representations", lambda d: d.where(d.representation == "model")),
        ("plot_fingerprint", lambda d: d[["similarity"]].isel(first=[0], second=[0])),
        ("plot_fingerprint", lambda d: d.assign(similarity=d.similarity.where(d.first != "bob"))),
        ("plot_region_attribution", lambda d: d.isel(session=[0])),
        ("plot_group_components", lambda d: d.isel(session=[0], component=[0])),
        ("plot_group_components", lambda d: d[["node_strength", "match_similarity"]].drop_vars("animal")),
        ("plot_group_components", lambda d: d.assign(node_strength=d.node_strength * 0)),
        ("plot_group_test", lambda d: d.isel(component=0)),
        ("plot_group_test", lambda d: d.drop_vars([n for n in d.data_vars if n.startswith("mixed")])),
        ("plot_session_summary", lambda d: d[["value"]].isel(session=[0])),
        ("plot_session_summary", lambda d: d.drop_vars("animal").isel(quantity=[0])),
        ("plot_region_attribution", lambda d: d.drop_vars(["network", "start", "stop"]) * 0),
    ],
)
def test_little_data_is_drawn(name, change, request):
    ax = getattr(dy.viz, name)(change(request.getfixturevalue(PLOTS[name])))
    pixels(ax)
    assert not any("no data" in t.get_text() for t in ax.texts)


@pytest.mark.parametrize("name", PLOTS)
def test_another_object_is_refused_with_what_was_expected(name, ax):
    with pytest.raises(dy.errors.InputError, match=r"expected .*(Dataset|DataArray|DataTree).*ndarray"):
        getattr(dy.viz, name)(np.zeros((3, 3)), ax=ax)


def test_a_census_without_null_connectomes_is_told_how_to_be_drawn(ax):
    census = xr.DataArray(np.ones(2), {"triad": ["030T", "030C"]}, dims="triad", name="triads")
    for found in (census, census.to_dataset()):
        with pytest.raises(dy.errors.InputError, match=r"use null_scores\(connectome, \"triads\"\)"):
            dy.viz.plot_triads(found, ax=ax)


@pytest.mark.parametrize("name", ["plot_recording", "plot_matrix", "plot_connectome", "plot_coupling", "plot_edges"])
def test_long_labels_are_shortened(name, request):
    data = request.getfixturevalue(PLOTS[name])
    long = {
        d: [f"{v}, a region of the brain with a very long name" for v in data[d].to_numpy()]
        for d in data.coords
        if d in ("node", "source", "target")
    }
    data = data.assign_coords(long)
    if name == "plot_connectome":
        data = data.isel(edge=[]).assign_coords(node=long["node"])
    ax = getattr(dy.viz, name)(data)
    rooms = [ax, *ax.child_axes]
    labels = [t.get_text() for room in rooms for t in (*room.get_xticklabels(), *room.get_yticklabels())]
    assert all(len(end) <= 24 for label in labels for end in label.split(" → "))
    assert any("…" in label for label in labels) or name == "plot_connectome"
    pixels(ax)
