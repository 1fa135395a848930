"""The laws of weights, by number. Apart from `laws`, so that names are known without numba."""

from __future__ import annotations

WEIGHT_CODES = {
    "none": 0,
    "exponential": 1,
    "microcanonical": 2,
    "normal": 3,
    "log-normal": 3,
    "poisson": 4,
    "geometric": 5,
}
