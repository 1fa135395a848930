"""Evidence for the first look: simulated worms end to end, the report, the demo on both kinds of worm."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import xarray as xr

from dynome import datasets, dynamics, report, store, study
from dynome.errors import InputError, StoreError
from dynome.pipelines import demonstration, overview_sections, study_overview, write_demo


@pytest.fixture
def without_nulls(monkeypatch):
    """No null refits of the atlas, which take most of the time; `found` and the simulated demo have them."""
    monkeypatch.setattr(dynamics, "DynamicConnectome", functools.partial(dynamics.DynamicConnectome, n_null=0))


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    from matplotlib import pyplot as plt

    plt.close("all")


@pytest.fixture(scope="module")
def worms():
    return datasets.make_worm(n_animals=3, duration=150, random_state=1)


@pytest.fixture(scope="module")
def found(worms):
    return study_overview(worms, n_null=20, rank=2, random_state=3)


@pytest.fixture(scope="module")
def small(worms):
    """The same worms with 40 of the neurons that all have."""
    recordings = study.sessions(worms).values()
    names = [n for n in next(iter(recordings)).node.values if all(n in r.node for r in recordings) and "?" not in n]
    return worms.map_over_datasets(
        lambda d: d.sel(node=sorted({*names[:40], "AVAL", "AVAR"})) if "time" in d.dims else d
    )


def test_every_part_is_there_and_agrees_on_labels(found):
    assert set(found.children) == {
        "recordings", "connectivity", "communities", "atlas", "homologues", "structure_function",
    }  # fmt: skip
    nodes = set(found["connectivity"]["source"].to_numpy())
    assert set(found["communities"]["node"].to_numpy()) == nodes
    assert set(found["structure_function"]["node"].to_numpy()) <= nodes
    mean = found["connectivity"]["mean"]
    np.testing.assert_allclose(mean, mean.T)


def test_mean_connectivity_is_that_of_fishers_z(found):
    one = found["connectivity"].to_dataset()
    whole = one.correlation.where(one.n_averaged == one.sizes["animal"])
    z = np.tanh(np.arctanh(whole.where(whole < 1)).mean("animal"))
    xr.testing.assert_allclose(one["mean"].where(z.notnull()), z.where(z.notnull()))


def test_simulated_partners_act_as_one(found):
    contrast = found["homologues"].to_dataset()
    assert float(contrast.homologue_fc) > float(contrast.all_fc) + 0.1


@pytest.mark.usefixtures("without_nulls")
def test_the_same_seed_gives_the_same_numbers(small):
    one, again = (study_overview(small, n_null=5, rank=2, random_state=3) for _ in range(2))
    for name in ("connectivity", "communities", "atlas", "structure_function"):
        assert again[name].to_dataset().equals(one[name].to_dataset()), name


@pytest.mark.usefixtures("without_nulls")
def test_without_connectome_and_event_the_rest_is_still_done_on_the_clock_of_the_session(small):
    alone = small.filter(lambda node: node.path != "/connectome")
    plain = study_overview(alone, event=None, n_null=5, rank=2)
    assert "structure_function" not in plain.children
    assert plain["atlas"].attrs["event"] == ""
    assert float(plain["atlas"]["time"].max()) > 0.95 * float(plain["recordings"]["time"].max())


def test_results_survive_the_store_and_a_report_can_be_made_of_what_was_stored(found, tmp_path):
    back = store.open(store.save(found, tmp_path / "found.zarr")).load()
    for name in found.children:
        xr.testing.assert_identical(back[name].to_dataset(), found[name].to_dataset())
    page = report.write_report(overview_sections(back), tmp_path / "r.html", title="Stored")
    assert page.read_text().count("<figure") >= 5
    assert "Motifs of the dynamic functional connectome" in page.read_text()


def test_names_that_the_connectome_lacks_are_told(small):
    wiring = datasets.load_celegans_connectome("cook2019")
    padded = small.map_over_datasets(
        lambda d: (
            d.assign_coords(node=["VA08" if n == "AVAL" else n for n in d.node.values.tolist()])
            if "time" in d.dims
            else d
        )
    )
    few = study_overview(padded, connectome=wiring, n_null=3, rank=2)
    assert "VA08" in few["structure_function"].attrs["left_out"]
    (section,) = (s for s in overview_sections(few) if s.title == "Structure against function")
    assert "not in the connectome: 'VA08'" in section.text


def test_too_few_animals_are_told(worms):
    with pytest.raises(InputError, match="no two nodes were recorded together in 9 animals"):
        study_overview(worms, min_animals=9)


def test_the_demo_says_that_its_worms_are_simulated(worms, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "make_worm", lambda **_: worms)
    written = write_demo(tmp_path / "demo", simulated=True)
    assert "simulated worms, as asked" in written.summary
    assert "simulated worms, as asked" in written.report.read_text()
    assert sorted(p.name for p in (tmp_path / "demo").iterdir()) == ["atlas.html", "report.html", "results.zarr"]
    assert "<h1>Motifs of the worm around reversals</h1>" in written.atlas.read_text()
    assert set(store.open(written.results).children) >= {"atlas", "connectivity"}


@pytest.mark.realdata
@pytest.mark.usefixtures("without_nulls")
def test_the_demo_runs_on_the_real_worms(data_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("DYNOME_DATA_DIR", str(data_dir))
    monkeypatch.setattr(demonstration, "study_overview", functools.partial(study_overview, n_null=20))
    drawn = [report.Section("Drawn", "of simulated worms, in the test before")]
    monkeypatch.setattr(demonstration, "overview_sections", lambda *_, **__: drawn)
    written = write_demo(tmp_path / "demo")
    assert "real worms" in written.summary
    found = store.open(written.results).load()
    contrast = found["homologues"].to_dataset()
    assert float(contrast.homologue_fc) > 0.5  # the anchor of these data: 0.54 against 0.11
    assert float(contrast.all_fc) < 0.2
    assert int(found["atlas"].to_dataset().n_events.sum()) > 90
    assert float(found["structure_function"].to_dataset().z.max()) > 3


def test_a_demo_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot make the folder"):
        write_demo(tmp_path / "file")
