"""Evidence for the limits of a session: threads and memory, put back afterwards."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

from dynome.batch.limits import UNITS, bytes_of, limited
from dynome.errors import InputError


def blas_threads():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_threads_are_limited_within_and_as_before_after():
    before = blas_threads()
    with limited(2, None):
        assert set(blas_threads()) == {2}
        with limited(1, None):  # a second session at the same time shares what the first set
            assert set(blas_threads()) == {2}
    assert blas_threads() == before


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limit of data is Linux's")
def test_a_session_that_wants_more_memory_than_it_may_have_gets_an_error_and_not_the_machine():
    with limited(1, 200_000_000), pytest.raises(MemoryError):
        np.ones(100_000_000)
    assert np.ones(50_000_000).size  # the limit is gone


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limit of data is Linux's")
def test_sessions_in_threads_may_have_as_much_each():
    entered, done = threading.Event(), threading.Event()

    def other():
        with limited(1, 200_000_000):
            entered.set()
            done.wait(10)

    thread = threading.Thread(target=other)
    thread.start()
    entered.wait(10)
    with limited(1, 200_000_000):
        assert np.ones(35_000_000).size  # 280 MB of the 400 MB that two may have
    done.set()
    thread.join()


@given(st.integers(1, 999), st.sampled_from(sorted(UNITS)), st.sampled_from(["", "B", "b"]), st.booleans())
def test_amounts_of_memory_are_read_as_they_are_written(number, unit, byte, space):
    expected = number * UNITS[unit]
    text = f"{number}{' ' * space}{unit}{byte}"
    if expected < 1e6:
        with pytest.raises(InputError, match="at least a megabyte"):
            bytes_of(text)
    else:
        assert bytes_of(text) == bytes_of(text.upper()) == expected


@pytest.mark.parametrize("odd", ["", "GB", "-1GB", "1e9", True, "1 parsec", "nan"])
def test_what_is_no_amount_of_memory_is_told(odd):
    with pytest.raises(InputError, match="memory must be None or at least a megabyte"):
        bytes_of(odd)


def test_libraries_that_the_first_session_imports_are_limited_as_in_all_that_follow():
    told = """
from dynome.batch.limits import limited
with limited(1, None):
    import torch
    import numba
    print(torch.get_num_threads(), numba.get_num_threads())
print(torch.get_num_threads(), numba.get_num_threads())
"""
    free = {k: v for k, v in os.environ.items() if not k.endswith("NUM_THREADS")}
    run = [sys.executable, "-c", told]
    found = subprocess.run(
        run, env={**free, "NUMBA_NUM_THREADS": "3", "OMP_NUM_THREADS": "3"}, capture_output=True, text=True
    )
    assert found.stdout.splitlines()[0] == "1 1", found.stderr
    assert found.stdout.splitlines()[1].endswith(" 3")
