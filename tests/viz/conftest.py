"""Objects to draw, and a watch on matplotlib's global state."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib
import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dynome import schema

matplotlib.use("agg")


@pytest.fixture(autouse=True)
def nothing_global_changes() -> Iterator[None]:
    """Parameters of matplotlib are left alone, and the test's own figures are closed."""
    import matplotlib.pyplot as plt

    before = dict(matplotlib.rcParams)
    yield
    after = dict(matplotlib.rcParams)
    plt.close("all")
    assert before == after


@pytest.fixture
def ax() -> Axes:
    return Figure(figsize=(6, 4)).subplots()


@pytest.fixture
def recording() -> xr.Dataset:
    rng = np.random.default_rng(0)
    names = [f"N{k}" for k in range(8)]
    time = np.arange(50) * 0.5
    covariates = {
        "velocity": ("time", np.sin(time), {"units": "mm/s"}),
        "reversal": ("time", (time % 10 < 2).astype(float), {"units": "1"}),
        "curvature": (("time", "feature"), np.zeros((50, 3)), {"units": "1"}),
    }
    data = rng.standard_normal((50, 8))
    rec = schema.recording(data, time=time, node=names, units="dF/F", covariates=covariates)
    return rec.assign(epoch=("time", np.where(time < 10, "rest", "odour")))


@pytest.fixture
def fc() -> xr.DataArray:
    rng = np.random.default_rng(1)
    names = [f"N{k}" for k in range(8)]
    values = np.corrcoef(rng.standard_normal((8, 30)))
    return xr.DataArray(
        values,
        dims=("source", "target"),
        coords={"source": names, "target": names},
        name="fc",
        attrs={"units": "1", "long_name": "correlation"},
    )


@pytest.fixture
def wiring() -> xr.Dataset:
    """Six nodes; five chemical connections, one gap junction stored both ways, one self-connection."""
    edges = [
        ("A", "B", 10.0, "chemical"), ("B", "C", 5.0, "chemical"), ("C", "D", 1.0, "chemical"),
        ("A", "C", 2.0, "chemical"), ("D", "A", 3.0, "chemical"), ("E", "E", 99.0, "chemical"),
        ("A", "D", 4.0, "gap_junction"), ("D", "A", 4.0, "gap_junction"),
    ]  # fmt: skip
    source, target, weight, kind = zip(*edges, strict=True)
    return xr.Dataset(
        {
            "source": ("edge", list(source)),
            "target": ("edge", list(target)),
            "weight": ("edge", list(weight), {"units": "synapses"}),
            "edge_type": ("edge", list(kind)),
        },
        {"node": list("ABCDEF"), "cell_type": ("node", ["sensory", "inter", "inter", "motor", "motor", ""])},
        {"directed": 1},
    )


@pytest.fixture
def results() -> xr.Dataset:
    rng = np.random.default_rng(2)
    return xr.Dataset(
        {
            "time_factor": (("time", "component"), rng.random((50, 3))),
            "animal_factor": (("animal", "component"), rng.random((4, 3))),
            "weight": ("component", [6.0, 3.0, 1.0], {"units": "1"}),
        },
        {
            "time": ("time", np.arange(50) * 0.5, {"units": "s"}),
            "animal": [f"w{k}" for k in range(4)],
            "component": range(3),
        },
    )


@pytest.fixture
def association() -> xr.Dataset:
    rng = np.random.default_rng(3)
    weight = rng.poisson(1.5, (2, 300)).astype(float)
    return xr.Dataset(
        {
            "fc": ("pair", 0.1 * weight[0] + rng.standard_normal(300), {"units": "1", "long_name": "correlation"}),
            "weight": (("layer", "pair"), weight, {"units": "synapses", "long_name": "structural weight"}),
            "statistic": ("layer", [0.31, -0.02], {"units": "1", "long_name": "rank correlation"}),
            "null": (("layer", "draw"), 0.05 * rng.standard_normal((2, 100)), {"units": "1"}),
            "z": ("layer", [6.2, -0.4], {"units": "1"}),
            "p_value": ("layer", [0.0005, 0.7], {"units": "1"}),
        },
        {"layer": ["chemical", "gap_junction"]},
    )


@pytest.fixture
def atlas() -> xr.Dataset:
    """Two components over seven nodes; node g takes part in none, and the second is not above chance."""
    rng = np.random.default_rng(4)
    node = list("abcdefg")
    i, j = np.triu_indices(7, 1)
    community = np.array([[0, 0, 0, 1, 1, -1, -1], [-1, 0, 0, -1, 1, 1, -1]])
    course = np.zeros((60, 2))
    course[10:20, 0], course[30:45, 1] = 1.0, 0.5
    on = np.zeros((3, 60, 2), dtype=bool)
    on[:, 8:22, 0], on[:1, 50:55, 1] = True, True
    return xr.Dataset(
        {
            "time_factor": (("time", "component"), course + 0.05 * rng.random((60, 2)), {"units": "1"}),
            "animal_factor": (("animal", "component"), rng.random((3, 2)), {"units": "1"}),
            "pair_factor": (("pair", "component"), rng.random((i.size, 2)), {"units": "1"}),
            "weight": ("component", [3.0, 1.0], {"units": "1/s"}),
            "community": (("component", "node"), community),
            "node_strength": (("component", "node"), 0.5 + rng.random((2, 7)), {"units": "1"}),
            "active": (("time", "component"), course > 0),
            "expressed": (("animal", "component"), np.array([[1, 1], [1, 0], [0, 1]], dtype=bool)),
            "p_value": ("component", [0.01, 0.6], {"units": "1"}),
            "above_chance": ("component", [True, False]),
            "epoch_active": (("animal", "time", "epoch"), on),
            "overlap": (("component", "epoch"), [[0.9, 0.0], [0.0, 0.1]], {"units": "1"}),
            "overlap_p": (("component", "epoch"), [[0.01, 0.8], [0.9, 0.3]], {"units": "1"}),
            "overlap_q": (("component", "epoch"), [[0.04, 0.9], [0.9, 0.6]], {"units": "1"}),
        },
        {
            "time": ("time", np.arange(60) * 0.5, {"units": "s"}),
            "animal": ["w0", "w1", "w2"],
            "component": range(2),
            "node": node,
            "epoch": ["reversal", "odour"],
            "source": ("pair", np.array(node)[i]),
            "target": ("pair", np.array(node)[j]),
        },
    )


@pytest.fixture
def rank_curve() -> xr.Dataset:
    rng = np.random.default_rng(4)
    fall = np.array([0.5, 0.3, 0.2, 0.19, 0.18])
    rise = np.array([0.55, 0.35, 0.25, 0.26, 0.28])
    return xr.Dataset(
        {
            "error": (("rank", "restart"), fall[:, None] + 0.01 * rng.random((5, 4)), {"units": "1"}),
            "similarity": (("rank", "restart"), rng.uniform(0.7, 1, (5, 4)), {"units": "1"}),
            "held_out_error": (("rank", "fold"), rise[:, None] + 0.02 * rng.random((5, 3)), {"units": "1"}),
            "held_out_error_animal": (("rank", "animal"), rise[:, None] + 0.02 * rng.random((5, 6)), {"units": "1"}),
            "fold_similarity": (("rank", "fold"), rng.uniform(0.7, 1, (5, 3)), {"units": "1"}),
            "effective_dimension": (("rank", "fold"), np.arange(1, 6)[:, None] + rng.random((5, 3)), {"units": "1"}),
            "core_consistency": ("rank", [100.0, 99.0, 98.0, 30.0, -4000.0], {"units": "percent"}),
        },
        {"rank": range(1, 6)},
        {"rank": 3, "stable": 0.8},
    )


@pytest.fixture
def posterior() -> xr.DataArray:
    """Three states over 50 bins of the clock of `recording`; each is certain for a while."""
    state = np.repeat([0, 1, 0, 2, 1], 10)
    values = 0.9 * np.eye(3)[state] + 0.1 / 3
    coords = {"time": ("time", np.arange(50) * 0.5, {"units": "s"}), "state": range(3)}
    return xr.DataArray(values, coords, ("time", "state"), name="posterior")


@pytest.fixture
def switching() -> xr.Dataset:
    """Results of a switching GLM of three states and six nodes, as the estimator labels them."""
    rng = np.random.default_rng(5)
    names = [f"N{k}" for k in range(6)]
    lag = np.arange(1, 5) * 0.01
    weight = rng.standard_normal((3, 6, 6, 1)) * np.exp(-lag / 0.01)
    chain = np.array([[0.9, 0.08, 0.02], [0.05, 0.95, 0.0], [0.2, 0.0, 0.8]])
    return xr.Dataset(
        {
            "weight": (("state", "target", "source", "lag"), weight, {"units": "1"}),
            "coupling": (("state", "target", "source"), weight.sum(-1), {"units": "1", "long_name": "coupling"}),
            "standard_error": (("state", "target", "source"), rng.uniform(0.05, 0.5, (3, 6, 6)), {"units": "1"}),
            "transition": (("state", "next_state"), chain, {"units": "1"}),
            "occupancy": ("state", [0.5, 0.4, 0.1], {"units": "1"}),
            "dwell_time": ("state", [0.1, 0.2, 0.05], {"units": "s"}),
        },
        {
            "state": range(3),
            "next_state": range(3),
            "target": names,
            "source": names,
            "lag": ("lag", lag, {"units": "s"}),
        },
    )


@pytest.fixture
def state_curve() -> xr.Dataset:
    rng = np.random.default_rng(6)
    rise = np.array([-1.0, -0.95, -0.93, -0.935])
    score = rise[:, None] + 0.05 * rng.standard_normal(5) + 0.005 * rng.standard_normal((4, 5))
    long_name = "held-out log likelihood (nats per bin and node)"
    variable = (("n_states", "fold"), score, {"units": "nat", "long_name": long_name})
    return xr.Dataset({"score": variable}, {"n_states": range(1, 5)}, {"chosen": 2, "best": 3})


def bicluster_tree(
    n_clusters: int = 3, n_node: int = 12, n_time: int = 60, n_chain: int = 2, n_draw: int = 20, *, n_states: int = 2,
    n_factors: int = 2, trials: int = 0, seed: int = 7,
) -> xr.DataTree:  # fmt: skip
    """Results of a bi-clustering, made up: draws scatter around a true partition, path and trajectory."""
    rng = np.random.default_rng(seed)
    lead, leading = ((trials,), ("trial",)) if trials else ((), ())
    shape = (*lead, n_time)
    total = n_time * max(trials, 1)
    true_cluster = np.sort(rng.integers(0, n_clusters, n_node)) if n_node > n_clusters else np.arange(n_node)
    true_cluster[: min(n_clusters, n_node)] = np.arange(min(n_clusters, n_node))
    true_state = np.repeat(rng.integers(0, n_states, -(-total // 10)), 10)[:total]
    wave = rng.standard_normal((total, n_clusters, 1 + n_factors)).cumsum(axis=0)
    path = 0.2 * (wave - np.linspace(0, 1, total)[:, None, None] * wave[-1])
    cluster = np.tile(true_cluster, (n_chain, n_draw, 1))
    move = rng.random(cluster.shape) < rng.choice([0.0, 0.1, 0.4], n_node)
    cluster = np.where(move, rng.integers(0, n_clusters, cluster.shape), cluster)
    cluster[..., :n_clusters] = np.arange(n_clusters)[:n_node]
    state = np.where(rng.random((n_chain, n_draw, total)) < 0.1, rng.integers(0, n_states, total), true_state)
    kept = np.arange(0, n_draw, 4)
    scatter = 0.15 * rng.standard_normal((n_chain, kept.size, total, n_clusters, 1 + n_factors)).astype(np.float32)
    turn = rng.uniform(0, 6, (n_chain, kept.size))
    latent = path + scatter
    if n_factors == 2:
        spin = np.moveaxis(np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]), (0, 1), (2, 3))
        latent[..., 1:] = np.einsum("cdtjf,cdfg->cdtjg", latent[..., 1:], spin)
    loading = rng.standard_normal((n_node, n_factors))
    rate = path[:, true_cluster, 0] + np.einsum("tif,if->ti", path[:, true_cluster, 1:], 0.5 * loading)
    y = rng.poisson(np.exp(np.clip(rate, -4, 3))).astype(float).reshape(*shape, n_node)
    flat = cluster.reshape(-1, n_node)
    together = (flat[:, :, None] == flat[:, None]).mean(axis=0)
    moments = state.reshape(-1, total)
    doubt = 1 - np.array([(moments == s).mean(axis=0) for s in range(n_states)]).max(axis=0)
    time = {"time": ("time", np.arange(n_time) * 0.5, {"units": "s"})}
    node = {"node": [f"N{k}" for k in range(n_node)], "region": ("node", rng.choice(["CA1", "V1", ""], n_node))}
    chains = {"chain": range(n_chain), "draw": range(n_draw)}
    draws = ("chain", "draw")
    posterior = xr.Dataset(
        {
            "cluster": ((*draws, "node"), cluster.astype(np.int16)),
            "state": ((*draws, *leading, "time"), state.reshape(n_chain, n_draw, *shape).astype(np.int16)),
            "n_clusters": (draws, 3 + rng.integers(0, 2, (n_chain, n_draw))),
            "n_states": (draws, 2 + rng.integers(0, 3, (n_chain, n_draw))),
        },
        chains | time | node,
    )
    dims = ("chain", "latent_draw", *leading, "time", "cluster", "component")
    components = ["common", *(f"factor{k}" for k in range(n_factors))]
    latents = xr.Dataset(
        {"latent": (dims, latent.reshape(n_chain, kept.size, *shape, n_clusters, -1).astype(np.float32))},
        {"draw": ("latent_draw", kept), "component": components} | time,
    )
    clustering = {
        "cluster_maxpear": ("node", true_cluster), "cluster_vi": ("node", true_cluster),
        "state_maxpear": ((*leading, "time"), true_state.reshape(shape)),
        "node_similarity": (("node", "other_node"), together.astype(np.float32)),
        "node_uncertainty": ("node", 1 - np.array([(flat[:, k] == true_cluster[k]).mean() for k in range(n_node)])),
        "time_uncertainty": ((*leading, "time"), doubt.reshape(shape)),
    }  # fmt: skip
    if total <= 2000:
        dims = ("bin", "other_bin") if trials else ("time", "other_time")
        alike = np.array([(moments == m[:, None]).mean(axis=0) for m in moments.T], dtype=np.float32)
        clustering["state_similarity"] = (dims, alike)
    like = -4000 + 10 * rng.standard_normal((n_chain, n_draw))
    return xr.DataTree.from_dict(
        {
            "posterior": posterior,
            "latent": latents,
            "sample_stats": xr.Dataset({"log_likelihood": (draws, like, {"units": "nat"})}, chains),
            "observed_data": xr.Dataset({"y": ((*leading, "time", "node"), y, {"units": "count"})}, time | node),
            "clustering": xr.Dataset(clustering, time | node),
        }
    )


@pytest.fixture
def biclustering() -> xr.DataTree:
    return bicluster_tree()


@pytest.fixture
def make_biclustering():
    return bicluster_tree


@pytest.fixture
def attribution() -> xr.DataArray:
    ends = {"source": ("edge", list("aabbc")), "target": ("edge", list("bcacd"))}
    attrs = {"units": "1", "long_name": "change of forecast without the connection"}
    return xr.DataArray([0.3, 0.1, 0.0, 0.25, 0.05], ends, "edge", attrs=attrs)


@pytest.fixture
def embeddings() -> xr.DataArray:
    types = ["motor", "inter", "", "motor", "inter", "motor", "inter"]
    coords = {"node": list("abcdefg"), "cell_type": ("node", types)}
    values = np.random.default_rng(6).standard_normal((7, 3))
    return xr.DataArray(values, coords, ("node", "component"), attrs={"units": "1", "share": [0.6, 0.3, 0.1]})


@pytest.fixture
def triad_scores() -> xr.Dataset:
    """Z-scores of triads and of another metric; one class has none."""
    from dynome.connectome.metrics.triads import CONNECTED

    names = [*(f"triads {name}" for name in CONNECTED), "reciprocity"]
    z = np.linspace(-30, 300, 14)
    z[3] = np.nan
    values = {"z_score": ("metric", z, {"units": "1"}), "observed": ("metric", np.arange(14.0) * 100, {"units": "1"})}
    return xr.Dataset(values, {"metric": names})


@pytest.fixture
def degree_laws() -> xr.Dataset:
    from dynome.connectome import degree_laws

    return degree_laws(np.random.default_rng(0).geometric(0.1, 200), min_degree=2)


@pytest.fixture
def inferred() -> xr.DataArray:
    """An inferred connectivity, without self-connections and without one node."""
    values = np.random.default_rng(2).standard_normal((8, 8))
    np.fill_diagonal(values, np.nan)
    values[5] = values[:, 5] = np.nan
    names = [f"N{k}" for k in range(8)]
    return xr.DataArray(
        values,
        {"source": names, "target": names},
        ("source", "target"),
        attrs={"units": "nat", "long_name": "Granger causality"},
    )


@pytest.fixture
def wiring_scores() -> xr.Dataset:
    """Scores of three methods over four subjects; one of them tells neither direction nor sign."""
    rng = np.random.default_rng(3)
    score = rng.uniform(0.5, 1.0, (3, 2, 4))
    dims = ("estimator", "edges", "animal")
    data = {"auroc": (dims, score), "auprc": (dims, score - 0.3), "auprc_chance": (dims, np.full((3, 2, 4), 0.1))}
    direction = rng.uniform(0.3, 1.0, (3, 4))
    direction[0] = np.nan
    data["direction_accuracy"] = (("estimator", "animal"), direction)
    data["sign_accuracy"] = (("estimator", "animal"), direction)
    out = xr.Dataset(data, {"estimator": ["correlation", "granger", "glm"], "edges": ["directed", "undirected"]})
    for name in ("auroc", "auprc", "direction_accuracy", "sign_accuracy"):
        out[f"{name}_mean"] = out[name].mean("animal")
        out[f"{name}_low"], out[f"{name}_high"] = out[name].min("animal"), out[name].max("animal")
    return out


@pytest.fixture
def forecast_table() -> xr.DataTree:
    """A comparison of forecasts: three models, one of them wired and worse than nothing at no horizon, 12 nulls."""
    rng = np.random.default_rng(3)
    models, horizons = ["Persistence", "Mean", "wired"], [1, 3, 10]
    skill = np.array([[0.0, 0.0, 0.0], [-9.0, -3.0, 0.05], [0.1, 0.15, 0.2]])
    score = np.stack([1 - skill, skill], axis=1)
    ahead = {"horizon": ("horizon", horizons, {"units": "1"}), "ahead": ("horizon", np.array(horizons) * 0.5)}
    dims = ("model", "metric", "horizon")
    spread = np.abs(score) * 0.3
    arrays = {"score": score, "low": score - spread, "high": score + spread}
    scores = xr.Dataset(
        {k: (dims, v) for k, v in arrays.items()} | {"mean_score": (dims[:2], score.mean(axis=2))},
        {"model": models, "metric": ["mse", "skill"], **ahead},
    )
    draws = 0.12 + 0.01 * rng.standard_normal((1, 2, 12))
    draws[:, 1, 1:] = np.nan
    nulls = xr.Dataset(
        {"mean_score": (("model", "null", "draw"), draws)},
        {"model": ["wired"], "null": ["degree", "empty"], "draw": range(12)},
    )
    gain = 0.15 - np.nanmean(draws, axis=2)
    told = {
        "mean_difference": gain,
        "mean_low": gain - 0.01,
        "mean_high": gain + 0.01,
        "mean_p_value": [[1 / 13, np.nan]],
    }
    differences = xr.Dataset(
        {k: (("model", "null"), v) for k, v in told.items()},
        {"model": ["wired"], "null": ["degree", "empty"]},
        {"metric": "skill"},
    )
    tree = xr.DataTree.from_dict({"/scores": scores, "/nulls": nulls, "/differences": differences})
    tree.attrs.update(metric="skill", resampled="animals", n_resampled=4)
    return tree


@pytest.fixture
def forecasts() -> xr.Dataset:
    """Forecasts of two sessions, with intervals."""
    rng = np.random.default_rng(4)
    value = rng.standard_normal((20, 3, 5)).cumsum(axis=1)
    dims = ("window", "horizon", "node")
    return xr.Dataset(
        {"forecast": (dims, value), "lower": (dims, value - 1), "upper": (dims, value + 1)},
        {
            "session": ("window", np.repeat(["w1", "w2"], 10)),
            "time": ("window", np.tile(np.arange(10) * 0.5 + 4, 2)),
            "horizon": [1, 2, 4],
            "node": [f"N{k}" for k in range(5)],
        },
        {"sampling_interval": 0.5, "probability": 0.8},
    )


@pytest.fixture
def windows() -> xr.DataArray:
    """Twenty windows of eight nodes of two networks that stand in turns, half overlapping; two patterns alternate."""
    rng = np.random.default_rng(8)
    first = np.kron(np.eye(2), np.ones((4, 4)))
    second = np.tile(np.eye(4), (2, 2))
    order = np.argsort(np.tile([0, 1], 4), kind="stable").argsort()
    pattern = np.where((np.arange(20) // 5 % 2)[:, None, None], second, first)[:, order][:, :, order]
    noise = 0.1 * rng.standard_normal((20, 8, 8))
    names, network = [f"N{k}" for k in range(8)], ["default", "visual"] * 4
    start = np.arange(20) * 10.0
    coords = {
        "window": ("window", start + 9, {"units": "s", "long_name": "middle of the window"}),
        "start": ("window", start, {"units": "s"}),
        "stop": ("window", start + 18, {"units": "s"}),
        "source": names, "target": names,
        "source_network": ("source", network), "target_network": ("target", network),
    }  # fmt: skip
    values = 0.8 * pattern + (noise + noise.swapaxes(1, 2)) / 2
    attrs = {"units": "1", "long_name": "correlation", "directed": 0}
    return xr.DataArray(values, coords, ("window", "source", "target"), name="correlation", attrs=attrs)


@pytest.fixture
def training() -> xr.Dataset:
    fall = np.exp(-np.arange(12) / 4)
    return xr.Dataset(
        {
            "history": ("iteration", 1 + fall, {"units": "1", "long_name": "training loss"}),
            "validation": ("iteration", 1.2 + fall, {"units": "1", "long_name": "validation loss"}),
            "validation_spatial_node": ("iteration", 0.01 + fall, {"units": "1"}),
            "validation_temporal_edge": ("iteration", 0.5 + fall, {"units": "1"}),
            "effective_rank": ("iteration", 10 - 5 * fall, {"units": "1", "long_name": "effective rank"}),
        },
        {"iteration": np.arange(1, 13)},
        {"best": 7},
    )


@pytest.fixture
def regions() -> xr.DataArray:
    """Attributions of six regions of three networks in two sessions; the second has fewer windows."""
    rng = np.random.default_rng(9)
    network = ["visual", "default", "visual", "", "default", "visual"]
    values = np.array([1, 5, 3, 0, 4, 2]) + 0.1 * rng.random((2, 7, 6))
    values[1, 5:] = np.nan
    start = np.tile(np.arange(7) * 12.0, (2, 1))
    coords = {
        "session": ["ann", "bob"], "node": [f"N{k}" for k in range(6)], "network": ("node", network),
        "start": (("session", "window"), start), "stop": (("session", "window"), start + 48),
    }  # fmt: skip
    attrs = {"units": "1", "long_name": "attribution"}
    return xr.DataArray(values, coords, ("session", "window", "node"), attrs=attrs)


@pytest.fixture
def probes() -> xr.Dataset:
    """Two models read a class and a number from few and from all labels."""
    rise = np.array([0.0, 0.1, 0.3])
    chance = np.array([0.5, 0.0])
    score = np.array([1.0, 0.2])[:, None, None] * rise + chance[:, None]
    dims = ("model", "phenotype", "fraction")
    width = np.array([0.4, 0.3, 0.15])
    return xr.Dataset(
        {
            "score": (dims, score, {"units": "1"}),
            "score_low": (dims, score - width), "score_high": (dims, score + width),
            "p_value": (dims, np.where(score - width > chance[:, None], 0.002, 0.4)),
            "q_value": (dims, np.where(score - width > chance[:, None], 0.004, 0.4)),
            "n_train": (dims, np.broadcast_to([4, 8, 40], score.shape)),
        },
        {
            "model": ["pretrained", "random"], "phenotype": ["group", "age"], "fraction": [0.1, 0.2, 1.0],
            "metric": ("phenotype", ["auroc", "correlation"]), "chance": ("phenotype", chance),
        },
    )  # fmt: skip


@pytest.fixture
def fingerprints() -> xr.Dataset:
    """Three of four animals are found from the first scan, all from the second."""
    similarity = np.array([[0.9, 0.2, 0.1, 0.3], [0.3, 0.8, 0.2, 0.1], [0.2, 0.1, 0.7, 0.0], [0.5, 0.2, 0.1, 0.4]])
    rate, names = np.array([0.75, 1.0]), ["ann", "bob", "cat", "dan"]
    return xr.Dataset(
        {
            "similarity": (("first", "second"), similarity, {"units": "1", "long_name": "correlation of features"}),
            "rate": ("direction", rate), "rate_low": ("direction", rate - 0.5), "rate_high": ("direction", [1.0, 1.0]),
            "rate_p_value": ("direction", [0.04, 0.01]), "differential": 0.5, "differential_low": 0.4,
            "differential_high": 0.6, "differential_p_value": 0.02,
        },
        {"first": names, "second": names, "direction": ["forward", "backward"]},
        {"chance": 0.25},
    )  # fmt: skip


@pytest.fixture
def representations() -> xr.Dataset:
    """A network without a test, a control at chance, and what both are compared with."""
    score = np.array([[0.7, 0.9], [0.5, 0.52], [0.6, 0.7]])
    dims, against = ("representation", "fraction"), score[2]
    unknown = np.where(np.arange(3)[:, None] == 2, np.nan, 0.0)
    return xr.Dataset(
        {
            "score": (dims, score, {"units": "1"}), "score_low": (dims, score - 0.15),
            "score_high": (dims, np.minimum(score + 0.15, 1)),
            "p_value": (dims, np.array([[np.nan, np.nan], [0.5, 0.4], [0.2, 0.01]])),
            "difference": (dims, score - against), "difference_low": (dims, score - against - 0.1 + unknown),
            "difference_high": (dims, score - against + 0.1 + unknown),
            "difference_p_value": (dims, np.full((3, 2), 0.02) + unknown), "n_train": ("fraction", [8, 32]),
        },
        {"representation": ["model", "model, empty", "static FC"], "fraction": [0.2, 1.0]},
        {"target": "group", "metric": "auroc", "chance": 0.5, "against": "static FC"},
    )  # fmt: skip


@pytest.fixture
def completed(windows) -> xr.DataArray:
    """Probabilities of edges in six windows; N1 and N5 were hidden throughout, the third window altogether."""
    hidden = np.zeros((6, 8), dtype=bool)
    hidden[:, [1, 5]] = hidden[2] = True
    told = (0.1 + windows.isel(window=slice(6)).drop_attrs(deep=False)).clip(0, 1)
    return told.assign_coords(hidden=(("window", "source"), hidden)).rename("probability")


@pytest.fixture
def matched_sessions() -> xr.Dataset:
    """Two components in five sessions of three animals; the last session matches no better than chance."""
    rng = np.random.default_rng(11)
    sessions = ["ann/1", "ann/2", "bob/1", "cid/1", "cid/2"]
    strength = np.kron(np.eye(2), np.ones(3)) + 0.2 * rng.random((5, 2, 6))
    strength[1, :, 4] = np.nan
    dims = ("session", "component")
    p = np.full((5, 2), 0.01)
    p[4] = 0.6
    return xr.Dataset(
        {
            "node_strength": ((*dims, "node"), strength, {"units": "1", "long_name": "node strength"}),
            "match_similarity": (dims, np.where(p < 0.05, 0.9, 0.2)),
            "match_p_value": (dims, p),
            "shared_similarity": ("component", [0.8, 0.7]),
            "shared_p_value": ("component", [0.01, 0.02]),
        },
        coords={
            "session": sessions,
            "animal": ("session", [s.split("/")[0] for s in sessions]),
            "component": [0, 1],
            "node": [f"N{k}" for k in range(6)],
        },
    )


@pytest.fixture
def group_table() -> xr.Dataset:
    """Effects on two components and two epochs, one of them sure."""
    effect = np.array([[1.0, 0.1], [-0.4, np.nan]])
    p = np.array([[0.001, 0.7], [0.04, np.nan]])
    parts = {"effect": effect, "effect_low": effect - 0.5, "effect_high": effect + 0.5, "p_value": p, "q_value": 3 * p}
    parts |= {"mixed_effect": effect, "mixed_low": effect - 0.6, "mixed_high": effect + 0.6}
    return xr.Dataset(
        {name: (("component", "epoch"), values, {"units": "Hz"}) for name, values in parts.items()},
        coords={"component": [0, 1], "epoch": ["rest", "odour"]},
        attrs={"quantity": "rate", "comparison": "drug less sham"},
    )


@pytest.fixture
def session_summary() -> xr.Dataset:
    """Three quantities of six sessions, one constant, one with an outlier."""
    value = np.array([[1.0, 2, 1.5, 1.2, 1.7, 9], [0, 0, 0, 0, 0, 0], [3, 2, np.nan, 4, 5, 1]]).T
    sessions = ["ann/1", "ann/2", "bob/1", "bob/2", "bob/3", "cid/1"]
    dims = ("session", "quantity")
    return xr.Dataset(
        {"value": (dims, value), "outlier": (dims, value > 8)},
        coords={
            "session": sessions,
            "quantity": ["rate", "zero", "dwell_time"],
            "animal": ("session", [s.split("/")[0] for s in sessions]),
        },
    )
