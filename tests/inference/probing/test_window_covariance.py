"""Covariance over windows of the main components of an embedding."""

import numpy as np
import pytest
import xarray as xr

from dynome.errors import InputError
from dynome.inference import probe, window_covariance


def scans(n: int = 8, n_windows: int = 50, size: tuple[int, ...] = (4, 3), seed: int = 0) -> xr.DataArray:
    x = np.random.default_rng(seed).standard_normal((n, n_windows, *size))
    dims = ("session", "window", *("node", "feature")[: len(size)])
    names = [f"p{k}/ses" for k in range(n)]
    coords = {"session": names, "animal": ("session", [name.split("/")[0] for name in names])}
    return xr.DataArray(x, dims=dims, coords=coords | {"node": list("abcdefgh")[: size[0]]})


def test_all_components_of_one_scan_have_the_identity_as_covariance():
    found = window_covariance(scans(1), n_components=12)
    rows, columns = np.triu_indices(12)
    np.testing.assert_allclose(found[0], rows == columns, atol=1e-10)


def test_it_is_the_covariance_of_principal_components_in_units_of_their_variance():
    x = scans(5, 60, (6,))
    flat = x.to_numpy().reshape(-1, 6)
    size, vectors = np.linalg.eigh(np.cov(flat.T, bias=True))
    z = (x.to_numpy() - flat.mean(0)) @ vectors[:, -2:] / np.sqrt(size[-2:])
    expected = np.stack([np.cov(one.T, bias=True) for one in z])
    found = window_covariance(x, n_components=2).to_numpy()
    np.testing.assert_allclose(found[:, [0, 2]], expected[:, [0, 1], [0, 1]], rtol=1e-9)
    np.testing.assert_allclose(np.abs(found[:, 1]), np.abs(expected[:, 0, 1]), atol=1e-9)


def test_groups_with_equal_means_and_variances_are_told_by_what_goes_together():
    rng = np.random.default_rng(1)
    group = np.arange(40) % 2
    a = rng.standard_normal((40, 100))
    b = np.where(group[:, None] == 1, 1, -1) * a + 0.5 * rng.standard_normal((40, 100))
    names = [f"p{k}" for k in range(40)]
    x = xr.DataArray(np.stack([a, b], -1), dims=("animal", "window", "feature"), coords={"animal": names})
    known = xr.Dataset({"group": ("animal", group)}, {"animal": names})
    how = {"target": "group", "n_permutations": 0, "n_repeats": 2, "random_state": 0}
    by_mean = probe(x, known, **how)
    by_covariance = probe(window_covariance(x), known, **how)
    assert by_covariance["score"].item() > 0.99
    assert by_mean["score"].item() < 0.75


def test_order_of_windows_does_not_matter_and_the_sessions_keep_their_labels():
    x = scans()
    found = window_covariance(x, reference=scans(seed=1))
    turned = window_covariance(x.isel(window=slice(None, None, -1)), reference=scans(seed=1))
    xr.testing.assert_allclose(found, turned)
    assert found["animal"].to_numpy().tolist() == [f"p{k}" for k in range(8)]
    assert found.dims == ("session", "feature")


def test_components_of_a_reference_do_not_depend_on_the_other_scans():
    x, reference = scans(), scans(seed=1)
    alone = window_covariance(x[:2], reference=reference)
    np.testing.assert_allclose(alone, window_covariance(x, reference=reference)[:2])


def test_windows_after_the_end_of_a_shorter_session_do_not_count():
    x = scans()
    padded = xr.where(x["window"] < 30, x, np.nan).transpose(*x.dims)
    reference = scans(seed=1)
    cut = window_covariance(x.isel(window=slice(30)), reference=reference)
    np.testing.assert_allclose(window_covariance(padded, reference=reference), cut)


def test_fewer_components_where_windows_vary_in_fewer_directions():
    flat = scans(size=(4,)) * xr.DataArray([1.0, 1.0, 0.0, 0.0], dims="node")
    assert window_covariance(flat).sizes["feature"] == 3


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda x: x.mean("window"), "expected a dim window"),
        (lambda x: x.isel(window=[0]), "less than two windows"),
        (lambda x: x.where((x["node"] != "a") | (x["session"] != "p1/ses")), "missing or infinite .* 'p1/ses'"),
        (lambda x: x * 0 + 1, "windows do not vary"),
        (lambda x: x.drop_vars(["session", "animal"]), "dim session or animal with labels"),
    ],
)
def test_embeddings_without_a_covariance_are_refused(spoil, message):
    with pytest.raises(InputError, match=message):
        window_covariance(spoil(scans()))


def test_a_reference_with_other_features_is_refused():
    with pytest.raises(InputError, match="same features"):
        window_covariance(scans(), reference=scans(size=(3, 3)))
    with pytest.raises(InputError, match="same labels in the same order"):
        window_covariance(scans(), reference=scans().isel(node=[1, 0, 2, 3]))


def test_no_component_is_no_description():
    with pytest.raises(InputError, match="n_components must be 1"):
        window_covariance(scans(), n_components=0)
