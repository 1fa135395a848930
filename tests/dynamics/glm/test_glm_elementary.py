"""Evidence for dynamics/glm/elementary.py: agreement with numpy's extended precision over the whole domain."""

import numpy as np
import pytest
from numba import njit

from dynome.dynamics.glm import elementary

RANGES = {  # of decimal exponents or values, for float64 and float32
    "exp": ((-700, 700), (-87, 88)),
    "log": ((-307, 308), (-37, 38)),
    "log1p": ((0, 1), (0, 1)),
}


@njit
def exponentials(x, out):
    for i in range(x.size):
        out[i] = elementary.exp(x[i])


@njit
def logarithms(x, out):
    for i in range(x.size):
        out[i] = elementary.log(x[i])


@njit
def shifted_logarithms(x, out):
    for i in range(x.size):
        out[i] = elementary.log1p(x[i])


@njit
def shifted_logarithms_with_reciprocals(x, out, inverse):
    for i in range(x.size):
        out[i], inverse[i] = elementary.log1p_and_reciprocal(x[i])


LOOPS = {"exp": exponentials, "log": logarithms, "log1p": shifted_logarithms}


def arguments(name: str, dtype: type) -> np.ndarray:
    rng = np.random.default_rng(0)
    low, high = RANGES[name][dtype == np.float32]
    x = rng.uniform(low, high, 100_000)
    if name == "log":
        x = np.r_[10.0**x, rng.uniform(0.4, 2.5, 100_000), 1.0]
    if name == "log1p":
        x = np.r_[x, 10.0 ** rng.uniform(-30, 0, 100_000), 0.0, 1.0]
    return x.astype(dtype)


def units_in_the_last_place(got: np.ndarray, expected: np.ndarray) -> float:
    return float(np.max(np.abs(got - expected) / np.spacing(np.abs(expected).astype(got.dtype))))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", list(LOOPS))
def test_the_error_is_a_few_units_in_the_last_place(name, dtype):
    x = arguments(name, dtype)
    got = np.empty_like(x)
    LOOPS[name](x, got)
    assert units_in_the_last_place(got, getattr(np, name)(x.astype(np.longdouble))) < 5


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_reciprocal_comes_with_the_logarithm(dtype):
    x = arguments("log1p", dtype)
    got, inverse = np.empty_like(x), np.empty_like(x)
    shifted_logarithms_with_reciprocals(x, got, inverse)
    exact = x.astype(np.longdouble)
    assert units_in_the_last_place(got, np.log1p(exact)) < 5
    assert units_in_the_last_place(inverse, 1 / (1 + exact)) < 5


@pytest.mark.parametrize("name", ["exp", "log1p"])
def test_what_is_not_a_number_stays_so(name):
    x = np.full(9, np.nan)
    LOOPS[name](x, x)
    assert np.isnan(x).all()


@pytest.mark.parametrize("name", list(LOOPS))
def test_outside_of_compiled_code_they_are_numpy(name):
    assert getattr(elementary, name)(0.5) == getattr(np, name)(0.5)


def test_outside_of_compiled_code_the_reciprocal_is_numpy():
    assert elementary.log1p_and_reciprocal(1.0) == (np.log(2), 0.5)
