"""Evidence for connectome/worm_names.py: one name for one cell, and no guess where the name leaves a choice."""

import json

import numpy as np
import pandas as pd
import pytest

from dynome.connectome import homologue, is_ambiguous, normalize_worm_names, worm_class, worm_neurons


def test_there_are_302_neurons_in_118_classes():
    neurons = worm_neurons()
    assert neurons.size == np.unique(neurons).size == 302
    assert np.unique(worm_class(neurons)).size == 118  # White et al. 1986


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("VA08", "VA8"),
        ("VB02", "VB2"),
        ("VC06", "VC6"),
        ("VD01", "VD1"),
        ("DA09", "DA9"),
        ("DB01", "DB1"),
        ("DD06", "DD6"),
        ("AS01", "AS1"),
        ("CP07", "CP7"),
        ("VA12", "VA12"),
        ("VB10", "VB10"),
        ("va08", "VA8"),
        ("avaL", "AVAL"),
        (" AVAL ", "AVAL"),
        ("IL2 DL", "IL2DL"),
        ("I1L", "I1L"),
        ("m1", "M1"),
        ("AWCON", "AWCON"),
        ("AWC-off", "AWCOFF"),
        ("AWC(ON)", "AWCON"),
        ("MDL08", "MDL08"),
        ("MDL8", "MDL08"),
        ("BWM-DL08", "MDL08"),
        ("dBWML1", "MDL01"),
        ("vBWMR24", "MVR24"),
        ("SIBV?", "SIBV?"),
        ("vb02 ?", "VB2?"),
        ("pm3VL", "pm3VL"),
        ("exc_cell", "exc_cell"),
        ("CEPshVR", "CEPshVR"),
        ("g1AL", "g1AL"),
        ("n017", "n017"),
        ("17", "17"),
        ("", ""),
    ],
)
def test_a_cell_has_one_name_however_it_is_written(written, name):
    assert normalize_worm_names([written]).tolist() == [name]
    assert normalize_worm_names([name]).tolist() == [name]


def test_canonical_names_stay():
    np.testing.assert_array_equal(normalize_worm_names(worm_neurons()), worm_neurons())
    assert not is_ambiguous(worm_neurons()).any()


def test_a_mapping_says_which_side_the_on_cell_is_where_that_is_known():
    aliases = {"AWC-ON": "AWCL", "awcoff": "awcR"}
    assert normalize_worm_names(["AWCON", "AWCOFF", "VA08"], aliases=aliases).tolist() == ["AWCL", "AWCR", "VA8"]


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("AVAL", "AVA"),
        ("VA08", "VA"),
        ("VD13", "VD"),
        ("IL2DL", "IL2"),
        ("RMDVL", "RMD"),
        ("RMEV", "RME"),
        ("SABD", "SAB"),
        ("SAADL", "SAA"),
        ("AVL", "AVL"),
        ("AQR", "AQR"),
        ("M2L", "M2"),
        ("AWCON", "AWC"),
        ("AVA", "AVA"),
        ("SIBV?", "SIB"),
        ("AVAL?", "AVA"),
        ("AV?", "AV?"),
        ("MDL08", "MDL08"),
    ],
)
def test_the_class_of_a_neuron(label, name):
    assert worm_class([label]).tolist() == [name]


def test_homologues_are_partners_and_share_a_class():
    neurons = worm_neurons()
    partner = homologue(neurons)
    paired = partner != ""
    np.testing.assert_array_equal(homologue(partner[paired]), neurons[paired])
    np.testing.assert_array_equal(worm_class(partner[paired]), worm_class(neurons[paired]))
    assert not (partner == neurons).any()
    assert paired.sum() == 302 - 75 - 26 - 3  # numbered motor neurons, single cells, RMED RMEV SABD
    assert {"AVL", "VA8", "RMED", "SABD", "AQR", "PVR", "M1"} <= set(neurons[~paired])


def test_homologues_of_muscles_and_of_the_asymmetric_pair():
    assert homologue(["MDL08", "dBWMR1", "AWCON", "AWCOFF", "AVAL?", "pm3VL"]).tolist() == [
        "MDR08",
        "MDL01",
        "AWCOFF",
        "AWCON",
        "",
        "",
    ]


@pytest.mark.parametrize("label", ["AVA", "IL2V", "VB", "SIBV?", "AVAL?", "VB1/VB2", "?", "", "ava", "AWC"])
def test_names_that_leave_a_choice_are_ambiguous(label):
    assert is_ambiguous([label]).tolist() == [True]


@pytest.mark.parametrize("label", ["AVL", "VA08", "AWCON", "MDL08", "pm3VL", "int", "n017", "17", "hyp"])
def test_names_of_one_cell_and_of_no_neuron_are_not_ambiguous(label):
    assert is_ambiguous([label]).tolist() == [False]


def test_empty_lists_of_labels_stay_empty():
    for rule in (normalize_worm_names, worm_class, homologue, is_ambiguous):
        assert rule([]).size == 0


@pytest.mark.realdata
def test_the_names_of_the_matrices_become_the_302_neurons(data_dir):
    matrix = pd.read_csv(data_dir / "celegans_connectomes" / "chemical_Cook2019.csv.gz", index_col=0)
    assert set(normalize_worm_names(matrix.index)) == set(worm_neurons())


@pytest.mark.realdata
def test_every_neuron_of_the_functional_atlas_is_known(data_dir):
    import gzip

    with gzip.open(data_dir / "celegans_connectomes" / "WormNeuroAtlasFuncReader.json.gz", "rt") as file:
        names = json.load(file)["nodes"]
    assert set(normalize_worm_names(names)) <= set(worm_neurons())


@pytest.mark.realdata
def test_classes_agree_with_those_that_the_labellers_gave(data_dir):
    table = pd.read_csv(data_dir / "celegans_calcium_dag2023" / "neuropal_labels.csv")
    given = table.neuron_class.replace("VB02", "VB")  # the only motor neuron, written with its number
    np.testing.assert_array_equal(worm_class(table.label), given)
    np.testing.assert_array_equal(is_ambiguous(table.label), table.label.str.contains("?", regex=False))
