"""Evidence for the carried worm connectome: counts, names, layers, checksums, and the matrices of another lab."""

import gzip
import hashlib
import json
import re
from importlib.resources import files

import numpy as np
import pytest

from dynome import schema
from dynome.connectome.worm_names import normalize_worm_names, worm_neurons
from dynome.datasets import fetch_celegans_connectomes, load_celegans_connectome
from dynome.datasets.carried.celegans_connectome import cells
from dynome.errors import InputError

COUNTS = {  # cells, edges and sum of weights by layer; the counts of the papers' tables in cect 0.3.5
    "cook2019": (473, {"chemical": (4879, 28113), "gap_junction": (2883, 23313)}),
    "witvliet2021": (219, {"chemical": (2186, 7970), "gap_junction": (612, 851)}),
    "white1986": (309, {"chemical": (2386, 7943), "gap_junction": (1144, 1928)}),
    "bentley2016": (237, {"monoaminergic": (1952, 1952)}),
    "ripoll_sanchez2023": (302, {"peptidergic": (31417, 83634)}),
    "randi2023": (181, {"functional": (1150, 192.245)}),
}
DATA = files("dynome.datasets") / "_data"


@pytest.mark.parametrize(("name", "expected"), COUNTS.items(), ids=COUNTS.keys())
def test_counts_are_those_of_the_source(name, expected):
    wiring = schema.validate(load_celegans_connectome(name), "connectome")
    n_cells, layers = expected
    assert wiring.sizes["node"] == n_cells
    for layer, (n_edges, total) in layers.items():
        here = (wiring.edge_type == layer).values
        assert here.sum() == n_edges
        assert wiring.weight.values[here].sum() == pytest.approx(total, abs=1e-3)
    assert wiring.sizes["edge"] == sum(n for n, _ in layers.values())


def test_the_table_is_the_one_its_description_names():
    about = json.loads((DATA / "celegans_connectome.json").read_text())
    table = gzip.decompress((DATA / "celegans_connectome.csv.gz").read_bytes())
    assert hashlib.sha256(table).hexdigest() == about["table_sha256"]
    assert len((DATA / "celegans_connectome.csv.gz").read_bytes()) < 500_000
    assert "MIT License" in (DATA / "LICENSE.cect").read_text()
    for name, (n_cells, layers) in COUNTS.items():
        info = about["datasets"][name]
        assert info["nodes"] == len(info["cells"].split()) == n_cells
        assert info["edges"] == {layer: n for layer, (n, _) in layers.items()}


def test_neurons_have_whites_118_classes_and_a_type():
    neurons = cells().loc[worm_neurons()]
    assert neurons["cell_class"].nunique() == 118
    counts = neurons["cell_type"].value_counts().to_dict()
    assert counts == {"motor": 116, "sensory": 83, "inter": 81, "pharynx": 20, "other": 2}
    assert neurons.loc[["AVAL", "ASEL", "VA8", "MI", "CANL"], "cell_type"].tolist() == [
        "inter", "sensory", "motor", "pharynx", "other",
    ]  # fmt: skip


def test_transmitters_are_those_of_textbook_neurons():
    released = cells()["transmitter"]
    assert released[["AVAL", "AIBL", "DD1", "CEPDL", "RICL"]].tolist() == [
        "acetylcholine", "glutamate", "gaba", "dopamine", "glutamate+octopamine",
    ]  # fmt: skip


@pytest.mark.parametrize("name", COUNTS)
def test_names_are_in_the_one_convention_and_neurons_come_first(name):
    node = load_celegans_connectome(name).node.values
    assert (normalize_worm_names(node) == node).all()
    assert not [n for n in node if re.fullmatch(r"[A-Z]{2}0\d", n)]
    is_neuron = np.isin(node, worm_neurons())
    assert (np.diff(is_neuron.astype(int)) <= 0).all()


def test_gap_junctions_go_both_ways_and_the_outliers_are_kept():
    gap = load_celegans_connectome(layers="gap_junction")
    assert gap.attrs["directed"] == 0
    there = dict(zip(zip(gap.source.values, gap.target.values, strict=True), gap.weight.values, strict=True))
    assert all(there[b, a] == w for (a, b), w in there.items())
    assert there["ALA", "CANL"] == 401
    assert there["ALA", "PVDR"] == 250
    assert gap.weight.quantile([0.5, 0.95]).values.tolist() == [2, 15]


def test_layers_choose_edge_types_or_monoamines_and_keep_the_cells():
    whole = load_celegans_connectome("bentley2016")
    dopamine = load_celegans_connectome("bentley2016", layers=["dopamine"])
    assert dopamine.sizes["node"] == whole.sizes["node"]
    assert set(dopamine.neurotransmitter.values) == {"dopamine"}
    counts = {m: load_celegans_connectome("bentley2016", layers=m).sizes["edge"] for m in ("serotonin", "tyramine")}
    assert counts == {"serotonin": 492, "tyramine": 228}
    chemical = load_celegans_connectome("white1986", layers=["chemical"])
    assert chemical.attrs["directed"] == 1
    assert set(chemical.edge_type.values) == {"chemical"}


def test_functional_responses_keep_their_sign_and_synapses_are_counts():
    responses = load_celegans_connectome("randi2023").weight
    assert responses.min() == pytest.approx(-0.8189, abs=1e-4)
    assert responses.max() == pytest.approx(2.2085, abs=1e-4)
    assert responses.units == "dF/F"
    assert load_celegans_connectome("witvliet2021").weight.dtype.kind == "i"


def test_a_bad_name_or_layer_is_answered_with_a_near_one():
    with pytest.raises(InputError, match=r"no carried connectome is called 'cook2091'; did you mean 'cook2019'\?"):
        load_celegans_connectome("cook2091")
    with pytest.raises(InputError, match=r"'chemica' is not a layer of it; did you mean 'chemical'\?"):
        load_celegans_connectome(layers="chemica")
    with pytest.raises(InputError, match="expected at least one of 'chemical', 'gap_junction', got none"):
        load_celegans_connectome(layers=[])


def test_what_is_returned_can_be_changed_without_harm():
    load_celegans_connectome().weight.values[:] = 0
    assert load_celegans_connectome().weight.sum() > 0


SAME = {
    "chemical_Cook2019": ("cook2019", "chemical"),
    "chemical_WitvlietA_08": ("witvliet2021", "chemical"),
    "electrical_WitvlietA_08": ("witvliet2021", "gap_junction"),
    "chemical_WhiteWhole": ("white1986", "chemical"),
    "electrical_WhiteWhole": ("white1986", "gap_junction"),
    "NPP_RipollSanchez2023_shortRange": ("ripoll_sanchez2023", "peptidergic"),
    "dopamine_Bentley2016": ("bentley2016", "dopamine"),
    "serotonin_Bentley2016": ("bentley2016", "serotonin"),
    "tyramine_Bentley2016": ("bentley2016", "tyramine"),
    "octopamine_Bentley2016": ("bentley2016", "octopamine"),
}


def entries(wiring, among):
    ends = zip(wiring.source.values.tolist(), wiring.target.values.tolist(), wiring.weight.values, strict=True)
    return {(a, b): w for a, b, w in ends if a in among and b in among}


@pytest.mark.realdata
@pytest.mark.parametrize(("matrix", "carried"), SAME.items(), ids=SAME.keys())
def test_the_matrices_of_another_lab_agree_entry_by_entry(data_dir, matrix, carried):
    ours = load_celegans_connectome(carried[0], layers=carried[1])
    theirs = fetch_celegans_connectomes(matrix)
    among = set(ours.node.values) & set(theirs.node.values)
    assert len(among) >= 180
    assert entries(ours, among) == entries(theirs, among)


@pytest.mark.realdata
def test_cooks_gap_junctions_differ_from_the_other_lab_only_where_it_is_documented(data_dir):
    ours = load_celegans_connectome(layers="gap_junction")
    theirs = fetch_celegans_connectomes("electrical_Cook2019")
    among = set(theirs.node.values)
    a, b = entries(ours, among), entries(theirs, among)
    differ = {key: (a.get(key, 0), b.get(key, 0)) for key in a.keys() | b.keys() if a.get(key) != b.get(key)}
    assert differ == {
        ("BDUL", "PLML"): (0, 23), ("PLML", "BDUL"): (0, 23), ("BDUR", "PLMR"): (0, 23), ("PLMR", "BDUR"): (0, 23),
    }  # fmt: skip
