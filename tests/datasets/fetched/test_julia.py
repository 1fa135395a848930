"""Evidence for fetched/julia.py: dictionaries of dictionaries come back as Python, on files made here."""

import h5py
import numpy as np
import pytest

from dynome.datasets.fetched.julia import julia_value
from dynome.errors import FormatError

PAIR = np.dtype([("first", h5py.ref_dtype), ("second", h5py.ref_dtype)])
TUPLE = np.dtype([("1", h5py.ref_dtype), ("2", "<i8")])


class Writer:
    """Writes values the way JLD2 does: every part is a data set of its own, found by reference."""

    def __init__(self, file):
        self.file, self.count = file, 0

    def put(self, value):
        self.count += 1
        name = f"part{self.count}"
        if isinstance(value, dict):
            pairs = []
            for key, item in value.items():
                pair = np.zeros((), PAIR)
                pair["first"], pair["second"] = self.put(key).ref, self.put(item).ref
                pairs.append(self.file.create_dataset(f"{name}_{len(pairs)}", data=pair).ref)
            return self.file.create_dataset(name, data=np.array(pairs, h5py.ref_dtype))
        if isinstance(value, tuple):
            stored = np.zeros((), TUPLE)
            stored["1"], stored["2"] = self.put(value[0]).ref, value[1]
            return self.file.create_dataset(name, data=stored)
        if value is None:
            return self.file.create_dataset(name, data=h5py.Empty("V1"))
        return self.file.create_dataset(name, data=value)


@pytest.fixture
def file(tmp_path):
    with h5py.File(tmp_path / "x.jld2", "w") as stored:
        yield stored


def store(file, value):
    file.create_dataset("value", data=Writer(file).put(value).ref, dtype=h5py.ref_dtype)


def test_nested_dictionaries_tuples_vectors_and_nothing_come_back(file):
    value = {"worm": ({3: {"label": "AVAL", "roi": [12, 13], "note": None}}, 7), "other": {}}
    store(file, {k: v for k, v in value.items() if v})
    assert julia_value(file, "value") == {"worm": value["worm"]}


def test_keys_and_fields_lead_to_a_part(file):
    store(file, {"worm": ({3: "AVAL"}, 7)})
    assert julia_value(file, "value", "worm", "1") == {3: "AVAL"}
    assert julia_value(file, "value", "worm", "2") == 7


def test_what_is_missing_is_named(file):
    store(file, {"worm": ({3: "AVAL"}, 7)})
    with pytest.raises(FormatError, match="expected a Julia value 'labels'"):
        julia_value(file, "labels")
    with pytest.raises(FormatError, match="expected 'fly' in the Julia value 'value', found 'worm'"):
        julia_value(file, "value", "fly")
    with pytest.raises(FormatError, match="expected 'x' in the Julia value 'value', found no parts"):
        julia_value(file, "value", "worm", "2", "x")


def test_a_circle_of_references_is_refused(file):
    loop = file.create_dataset("loop", (), h5py.ref_dtype)
    loop[()] = loop.ref
    with pytest.raises(FormatError, match="circle"):
        julia_value(file, "loop")
    nest = file.create_dataset("nest", (1,), h5py.ref_dtype)
    nest[0] = nest.ref
    with pytest.raises(FormatError, match="nested too deeply"):
        julia_value(file, "nest")
