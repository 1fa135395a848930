"""Evidence for biclustering/compilation.py: a chain runs ahead of the others where no kernel is on disk, only there."""

from types import SimpleNamespace

import pytest

from dynome.datasets import make_biclusters
from dynome.dynamics.hmm.sequences import stacked
from dynome.inference import Biclustering
from dynome.inference.biclustering import compilation


@pytest.mark.parametrize("there", [True, False])
def test_a_chain_on_few_bins_runs_only_where_there_are_no_kernels(there, tmp_path, monkeypatch):
    if there:
        (tmp_path / "orbits.walk-1.py311.nbi").touch()
    ran = []
    monkeypatch.setattr(compilation, "walk", SimpleNamespace(stats=SimpleNamespace(cache_path=str(tmp_path))))
    monkeypatch.setattr(compilation, "chain_run", lambda k, plan: ran.append(plan))
    model = Biclustering(n_clusters=8, out=tmp_path / "draws")
    counts = make_biclusters(n_clusters=3, nodes_per_cluster=3, random_state=0)["spike_count"]
    plan = model._plan(stacked(counts, subject="test"), 0)
    compilation.compile_once(plan)
    assert len(ran) == 1 - there
    for small in ran:
        assert small.data.y.shape == (6, 60)
        assert small.data.y.dtype == plan.data.y.dtype
        assert small.n_clusters == 6
        assert small.out is None
