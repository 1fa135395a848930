"""Evidence for communities/leiden.py: planted groups, modularity of our own, both objectives."""

import numpy as np
import pytest
import xarray as xr

from dynome.connectome import find_communities, modularity

pytest.importorskip("leidenalg")

GROUP = np.repeat([0, 1, 2], [20, 15, 10])


def planted(seed, directed=False):
    rng = np.random.default_rng(seed)
    chance = np.where(GROUP[:, None] == GROUP, 0.7, 0.05)
    matrix = (rng.random(chance.shape) < chance) * rng.gamma(4, 0.25, chance.shape)
    if not directed:
        matrix = np.triu(matrix, 1) + np.triu(matrix, 1).T
    names = [f"n{k}" for k in range(GROUP.size)]
    return xr.DataArray(matrix, dims=("source", "target"), coords={"source": names, "target": names})


@pytest.mark.parametrize("directed", [False, True])
def test_planted_groups_are_found_and_modularity_is_that_of_our_own(directed):
    graph = planted(0, directed)
    community = find_communities(graph, method="leiden", n_restarts=3, random_state=0)
    np.testing.assert_array_equal(community, GROUP)
    assert community.attrs["modularity"] == pytest.approx(modularity(graph, community))


def test_resolution_of_the_potts_model_is_a_density():
    coarse, fine = (
        find_communities(planted(1), method="leiden_cpm", resolution=r, n_restarts=3, random_state=0) for r in (0.2, 3)
    )
    np.testing.assert_array_equal(coarse, GROUP)
    assert fine.attrs["n_communities"] > 10


def test_the_same_seed_gives_the_same_runs():
    runs = [find_communities(planted(2), method="leiden", n_restarts=2, random_state=4) for _ in range(2)]
    xr.testing.assert_identical(*runs)
