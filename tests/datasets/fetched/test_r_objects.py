"""Evidence for fetched/r_objects.py: lists and arrays of R come back, anything else or cut short is refused."""

import gzip
import struct

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from dynome.datasets.fetched.r_objects import r_value
from dynome.errors import FormatError

SYMBOLS = {}


def word(n):
    return struct.pack(">i", n)


def text(value):
    encoded = value.encode()
    return word(9) + word(len(encoded)) + encoded


def attributes(**named):
    out = b"".join(word(0x402) + word(1) + text(tag) + item for tag, item in named.items())
    return out + word(254)


def strings(values, attrs=b""):
    return word(16 | (0x200 if attrs else 0)) + word(len(values)) + b"".join(map(text, values)) + attrs


def numbers(values, attrs=b""):
    array = np.asarray(values)
    kind, dtype = (13, ">i4") if array.dtype.kind == "i" else (14, ">f8")
    return word(kind | (0x200 if attrs else 0)) + word(array.size) + array.astype(dtype).tobytes(order="F") + attrs


def matrix(values):
    array = np.asarray(values)
    return numbers(array.ravel(order="F"), attributes(dim=numbers(np.array(array.shape))))


def a_list(**items):
    return word(0x200 | 19) + word(len(items)) + b"".join(items.values()) + attributes(names=strings(list(items)))


def rds(item, version=3):
    encoding = word(5) + b"UTF-8" if version == 3 else b""
    return b"X\n" + word(version) + word(0x40103) + word(0x30500) + encoding + item


EXAMPLE = rds(
    a_list(spikes=matrix([[1, 2, 3], [4, 5, 6]]), name=strings(["Cori", "æ"]), none=word(254), x=numbers([0.5]))
)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("packed", [False, True])
def test_a_named_list_of_matrices_and_strings_comes_back(version, packed):
    content = rds(a_list(a=matrix(np.arange(6).reshape(2, 3)), b=strings(["x"]), c=word(254)), version)
    value = r_value(gzip.compress(content) if packed else content)
    np.testing.assert_array_equal(value["a"], np.arange(6).reshape(2, 3))
    assert (value["b"], value["c"]) == (["x"], None)


def test_symbols_are_remembered_for_later_items():
    item = attributes(dim=numbers(np.array([1, 2])))
    again = word(0x402) + word(0x1FF) + numbers(np.array([2, 1])) + word(254)
    first = numbers(np.array([1, 2]), item)
    second = numbers(np.array([3, 4]), again)
    one, two = r_value(rds(word(19) + word(2) + first + second))
    assert (one.shape, two.shape) == ((1, 2), (2, 1))


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, len(EXAMPLE) - 1))
def test_a_file_cut_anywhere_is_refused(cut):
    with pytest.raises(FormatError):
        r_value(EXAMPLE[:cut])


def test_functions_and_environments_are_refused():
    for kind in (3, 4, 6, 25, 238):
        with pytest.raises(FormatError, match=f"type {kind} are not read; only lists, numbers and strings"):
            r_value(rds(word(kind) + word(0)))


def test_what_is_not_rds_is_said_so():
    with pytest.raises(FormatError, match="expected an RDS file in binary XDR form"):
        r_value(b"RDX3\n")
    with pytest.raises(FormatError, match="version 2 or 3 of the RDS format, got 9"):
        r_value(rds(b"", version=9))


def test_endless_nesting_is_refused():
    with pytest.raises(FormatError, match="nested too deeply"):
        r_value(rds((word(19) + word(1)) * 500))
