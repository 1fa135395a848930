"""Evidence for study.py and the schema of studies: parts keep their order and their place, disagreements are told."""

import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from strategies import connectomes, recordings

from dynome import connectome, schema, study
from dynome.errors import SchemaError


def recording(n=3, *, node=("AVAL", "AVAR"), units="dF/F", **options):
    return schema.recording(np.ones((n, len(node))), time=np.arange(n), node=list(node), units=units, **options)


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_recordings_come_back_in_their_order_as_they_were(data):
    names = data.draw(st.lists(st.sampled_from(["w9", "w10", "Z", "a", "2022-07-26-31"]), min_size=1, unique=True))
    nested = data.draw(st.booleans())
    node = ["AVAL", "AVAR"]
    parts = {f"{n}/s1" if nested else n: data.draw(recordings(node=node, units="1")) for n in names}
    wiring, truth = data.draw(connectomes(node=node)), xr.Dataset({"planted": 1})
    built = study.build(parts, wiring, truth=truth, attrs={"paper": "x"})
    found = study.sessions(built)
    assert list(found) == list(parts)
    assert all(found[name].identical(parts[name]) for name in parts)
    assert study.connectome(built).identical(wiring)
    assert built.attrs == {"paper": "x"}


def test_one_animal_of_a_study_is_a_study():
    built = study.build({"w1/a": recording(), "w1/b": recording(4), "w2/a": recording()})
    assert list(study.sessions(built["w1"])) == ["a", "b"]
    schema.validate(built["w1"])


def test_a_study_without_connectome_says_how_to_add_one():
    with pytest.raises(SchemaError, match=r"no /connectome; add one with study.build\(recordings, connectome=...\)"):
        study.connectome(study.build({"w1": recording()}))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({}, "needs at least one recording below /{animal} or /{animal}/{session}, found none"),
        ({"connectome": recording()}, "'connectome' begins with a reserved name; rename the animal"),
        ({"truth/s1": recording()}, "'truth/s1' begins with a reserved name"),
        ({"": recording()}, 'recordings are named "animal" or "animal/session", found \'\''),
        ({"w1/..": recording()}, "found 'w1/..'; rename it"),
        ({3: recording()}, "found 3; rename it"),
        ({"w1/s1/run2": recording()}, "/w1/s1/run2: recordings belong at /{animal} or /{animal}/{session}"),
        ({"w1": recording().activity}, "w1 must be a Dataset, found DataArray"),
        ({"w1": recording(), "w1/s1": recording(4)}, "an animal with sessions has no other recording of its own"),
    ],
)
def test_what_makes_no_study_is_told(parts, message):
    with pytest.raises(SchemaError, match=message):
        study.build(parts)


WIRING = connectome.from_edges({"source": ["AVAL"], "target": ["AVAR"]}, node=["AVAL", "AVAR"])


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ([[recording()]], "found a list"),
        ([recording()], "found a Dataset"),
        ([WIRING, {"w1": recording()}], "found a Dataset, a connectome, which is the second argument"),
        ([recording(), {"w1": WIRING}], "found a Dataset before a dict; the connectome is the second argument"),
    ],
)
def test_recordings_without_a_name_are_refused(given, found):
    with pytest.raises(SchemaError, match=rf'recordings must be named, {found}; pass {{"animal": recording}}'):
        study.build(*given)


def test_problems_are_told_with_their_place_all_at_once():
    late = recording().assign_coords(time=("time", [0.0, 0.0, np.nan], {"units": "s"}))
    silent = recording(spike_count=np.ones((3, 2)))
    silent["activity"][:, 1] = np.nan
    one_way = xr.Dataset(
        {n: ("edge", [v]) for n, v in [("source", "AVAL"), ("target", "AVAR"), ("edge_type", "gap_junction")]}
        | {"weight": ("edge", [1], {"units": "1"})},
        coords={"node": ["AVAL", "AVAR"]},
        attrs={"directed": 1},
    )
    with pytest.raises(SchemaError) as caught:
        study.build({"late": late, "silent": silent}, one_way, attrs={"lab": None})
    for problem in (
        "attrs['lab'] of the study",
        "/late: time must be finite",
        "/silent: activity is NaN at all times for 1 nodes: 'AVAR'",
        "/connectome: gap junctions",
    ):
        assert problem in str(caught.value)


@pytest.mark.parametrize("name", ["activity", "velocity"])
def test_units_agree_throughout_a_study(name):
    def one(unit):
        velocity = {"velocity": ("time", [1.0, 2, 3], {"units": unit if name == "velocity" else "mm/s"})}
        return recording(units=unit if name == "activity" else "dF/F", covariates=velocity)

    study.build({"w1": one("Hz"), "w2": one("1/s")})  # two spellings of one unit
    with pytest.raises(SchemaError, match=rf"{name} must have one unit, found 'Hz' in /w1, 'mV' in /w2; convert"):
        study.build({"w1": one("Hz"), "w2": one("mV")})


@settings(max_examples=10, deadline=None)
@given(wiring=connectomes(node=["VA08", "VB01"]))
def test_a_recording_without_a_node_of_the_connectome_is_told_with_names_of_both(wiring):
    with pytest.raises(
        SchemaError,
        match=r"/w2: shares no node label with /connectome \(recording: 'VA8', 'VB1'; connectome: 'VA08', 'VB01'\)",
    ) as caught:
        study.build({"w1": recording(node=["VA08", "VB1"]), "w2": recording(node=["VA8", "VB1"])}, wiring)
    assert "/w1" not in str(caught.value)


def test_labels_that_cannot_be_compared_are_told_as_what_they_are():
    wiring = xr.Dataset(coords={"node": [1, 2]}, attrs={"directed": 1})
    with pytest.raises(
        SchemaError, match=r"(?s)/w1: node labels must be strings.*/connectome: expected dims node and edge"
    ):
        study.build({"w1": recording().assign_coords(node=[1.5, 2.5])}, wiring)


def test_a_study_can_be_given_a_connectome():
    from dynome import datasets

    wiring = datasets.load_celegans_connectome("cook2019")
    worms = datasets.make_worm(n_animals=2, duration=60, random_state=0)
    alone = worms.filter(lambda node: node.path != "/connectome")
    both = study.build(alone, connectome=wiring, attrs={"lab": "ours"})
    assert list(study.sessions(both)) == list(study.sessions(worms))
    xr.testing.assert_identical(study.connectome(both), wiring)
    assert both.attrs["lab"] == "ours"
