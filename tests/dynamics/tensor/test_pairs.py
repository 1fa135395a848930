"""Evidence for dynamics/tensor/pairs.py: folding and unfolding are inverse, and labels decide."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings

from dynome.dynamics import fold, unfold
from dynome.dynamics.tensor.pairs import pair_coords
from dynome.errors import InputError


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 8), leading=st.integers(0, 2))
def test_unfold_undoes_fold(seed, n, leading):
    rng = np.random.default_rng(seed)
    node = np.array([f"n{k}" for k in range(n)])
    dims = ("component", "animal")[:leading]
    values = rng.random((*range(2, 2 + leading), n * (n - 1) // 2))
    x = xr.DataArray(values, dims=(*dims, "pair"), coords=pair_coords(node), attrs={"units": "1"}, name="a")
    back = unfold(fold(x))
    xr.testing.assert_identical(back, x)


def test_a_subset_of_pairs_folds_by_label_in_any_order():
    x = xr.DataArray([1.0, 2.0, 3.0], dims="pair", coords=pair_coords(np.array(list("abc"))))
    matrix = fold(x.isel(pair=[2, 0]), fill=0.0)
    assert float(matrix.sel(source="c", target="b")) == 3.0
    assert float(matrix.sel(source="b", target="a")) == 1.0
    assert float(matrix.sel(source="a", target="c")) == 0.0


def test_a_directed_matrix_cannot_be_unfolded():
    node = list("ab")
    x = xr.DataArray([[0.0, 1.0], [2.0, 0.0]], dims=("source", "target"), coords={"source": node, "target": node})
    with pytest.raises(InputError, match="only symmetric"):
        unfold(x)


def test_different_labels_cannot_be_unfolded():
    x = xr.DataArray(np.eye(2), dims=("source", "target"), coords={"source": list("ab"), "target": list("ba")})
    with pytest.raises(InputError, match="same labels"):
        unfold(x)


def test_pairs_without_labels_cannot_be_folded():
    with pytest.raises(InputError, match="source and target"):
        fold(xr.DataArray([1.0], dims="pair"))


def test_a_repeated_pair_cannot_be_folded():
    x = xr.DataArray([1.0, 2.0], dims="pair", coords={"source": ("pair", ["a", "b"]), "target": ("pair", ["b", "a"])})
    with pytest.raises(InputError, match="more than once"):
        fold(x)
