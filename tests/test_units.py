"""Evidence for units.py: one spelling for each unit, symbols kept apart, disagreement told."""

import hypothesis.strategies as st
import pytest
import xarray as xr
from hypothesis import given

from dynome import units
from dynome.errors import UnitsError


def variable(unit):
    return xr.DataArray(0.0, attrs={} if unit is None else {"units": unit})


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Seconds", "s"),
        (" sec ", "s"),
        ("µs", "us"),  # micro sign
        ("μs", "us"),  # Greek mu
        ("MSEC", "ms"),
        ("a.u.", "1"),
        ("", "1"),
        ("AU", "1"),
        ("Hz", "Hz"),
        ("1/s", "Hz"),
        ("Spikes", "count"),
        ("synapse", "synapses"),
        ("dF/F", "dF/F"),
        ("ΔF/F", "ΔF/F"),
    ],
)
def test_spellings_of_one_unit_are_one_unit(written, meant):
    assert units.canonical(written) == meant


@pytest.mark.parametrize("symbol", ["S", "mS", "MS", "Ms", "µS", "uS"])
def test_siemens_and_megaseconds_are_not_seconds(symbol):
    assert units.canonical(symbol) == symbol
    with pytest.raises(UnitsError, match=rf"expected a unit of time \(s, ms, us, min\), got '{symbol}'"):
        units.seconds_per(symbol)


@given(st.text(max_size=6))
def test_a_canonical_unit_stays_as_it_is(unit):
    assert units.canonical(units.canonical(unit)) == units.canonical(unit)


@pytest.mark.parametrize(("unit", "seconds"), [("s", 1), ("ms", 1e-3), ("microseconds", 1e-6), ("minute", 60)])
def test_units_of_time_have_their_length(unit, seconds):
    assert units.seconds_per(unit) == seconds


@pytest.mark.parametrize("unit", [None, 5, ["s"]])
def test_what_is_no_text_is_no_unit(unit):
    assert units.of(variable(unit)) is None


def test_spellings_agree_and_units_do_not():
    assert units.agree([variable("s"), variable("sec")], "clocks") == "s"
    assert units.agree([], "clocks") is None
    with pytest.raises(UnitsError, match="activities must share one unit, found '1', 'dF/F'; convert them"):
        units.agree([variable("dF/F"), variable("a.u.")], "activities")
    with pytest.raises(UnitsError, match="found 'dF/F', None"):
        units.agree([variable("dF/F"), variable(None)], "activities")
