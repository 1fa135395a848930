"""People are found again where their scans are alike, and only there."""

import numpy as np
import pytest
import xarray as xr
from scipy.stats import pearsonr

from dynome.errors import InputError
from dynome.inference import fingerprint


def scans(n=10, p=60, noise=0.5, seed=0, person=1.0):
    """Two scans of everybody."""
    rng = np.random.default_rng(seed)
    who = person * rng.normal(size=(n, p))
    found = []
    for which in ("one", "two"):
        paths = [f"p{k}/{which}" for k in range(n)]
        values = who + noise * rng.normal(size=(n, p))
        found.append(xr.DataArray(values, dims=("session", "feature"), coords={"session": paths}))
    return found


def test_the_same_people_are_found_in_any_order():
    one, two = scans()
    found = fingerprint(one, two.isel(session=np.random.default_rng(1).permutation(10)), random_state=0)
    assert found.rate.values.tolist() == [1.0, 1.0]
    assert float(found.differential) > 0.5
    assert float(found.differential_low) > 0 < float(found.differential_p_value) < 0.01
    assert (found.rate_p_value < 0.01).all()
    assert (found.rate_low < 1).all()  # ten of ten is not certainty


def test_similarity_is_the_correlation_of_features():
    one, two = scans(3)
    found = fingerprint(one, two, random_state=0)
    assert found.similarity.sel(first="p0", second="p2").item() == pytest.approx(pearsonr(one[0], two[2])[0])
    own = np.diag(found.similarity)
    others = found.similarity.values[~np.eye(3, dtype=bool)]
    assert float(found.differential) == pytest.approx(own.mean() - others.mean())


def test_scans_of_nobody_in_particular_are_at_chance():
    low, p = [], []
    for seed in range(25):
        found = fingerprint(*scans(seed=seed, person=0.0), n_permutations=200, random_state=seed)
        low.append((found.rate_low <= 0.1).all() and found.differential_low <= 0 <= found.differential_high)
        p.append(float(found.differential_p_value))
    assert np.mean(low) > 0.68  # 0.9 expected: ten people are few
    assert np.mean(np.array(p) < 0.1) < 0.25


def test_ties_share():
    same = xr.DataArray(np.tile(np.arange(5.0), (4, 1)), dims=("animal", "f"), coords={"animal": list("abcd")})
    found = fingerprint(same, same, random_state=0)
    assert found.rate.values.tolist() == [0.25, 0.25]
    assert (found.rate_p_value == 1).all()
    assert float(found.differential) == pytest.approx(0, abs=1e-12)


def test_two_people_show_nothing():
    one, two = scans(2, noise=0.01)
    found = fingerprint(one, two, n_permutations=999, random_state=0)
    assert found.rate.values.tolist() == [1, 1]
    assert (found.rate_p_value > 0.4).all()


def test_those_in_one_set_only_are_named():
    one, two = scans(5)
    found = fingerprint(one.isel(session=slice(4)), two.isel(session=slice(1, None)), random_state=0)
    assert found["first"].values.tolist() == ["p1", "p2", "p3"]
    assert found.attrs["left_out"] == ["p0", "p4"]
    assert found.attrs["chance"] == pytest.approx(1 / 3)


def matrices(n=8, n_node=7, seed=0):
    """Symmetric connectivity of two scans of everybody, and an embedding of regions."""
    nodes, found = [f"R{k}" for k in range(n_node)], []
    for one in scans(n, n_node * n_node, seed=seed):
        z = one.values.reshape(n, n_node, n_node)
        found.append(
            xr.DataArray(
                z + z.swapaxes(1, 2),
                dims=("session", "source", "target"),
                coords={"session": one.session, "source": nodes, "target": nodes},
            )
        )
    return found


@pytest.mark.parametrize("dims", [("source",), ("target",), ("source", "target")])
def test_regions_are_joined_by_label(dims):
    one, two = matrices()
    expected = fingerprint(one, two, random_state=0)
    for other in (two.isel({d: slice(None, None, -1) for d in dims}), two.transpose("target", "session", "source")):
        xr.testing.assert_allclose(fingerprint(one, other, random_state=0), expected)
        np.testing.assert_allclose(fingerprint(other, one, random_state=0).rate, expected.rate[::-1])


def test_embeddings_are_joined_by_label_and_dim():
    one, two = (m.rename(source="node", target="feature").isel(feature=slice(4)) for m in matrices())
    expected = fingerprint(one, two, random_state=0)
    assert (expected.rate > 0.9).all()
    other = two.isel(node=[3, 1, 0, 2, 6, 5, 4]).transpose("feature", "node", "session")
    xr.testing.assert_allclose(fingerprint(one, other, random_state=0), expected)
    windows = [x.expand_dims(window=n) for x, n in ((one, 2), (other, 3))]
    xr.testing.assert_allclose(fingerprint(*windows, random_state=0), expected)


def test_regions_that_differ_are_told():
    one, two = matrices()
    with pytest.raises(InputError, match=r"source: 'R6' in first only, 'X' in second only; .*\n.*target: "):
        fingerprint(one, two.assign_coords(source=[*two.source.values[:-1], "X"], target=list("abcdefg")))
    with pytest.raises(InputError, match="target: 'R6' in first only"):
        fingerprint(one, two.isel(target=slice(6)))
    with pytest.raises(InputError, match="source has labels in first only"):
        fingerprint(one, two.drop_vars("source"))
    with pytest.raises(InputError, match="dims 'source', 'target' in first, 'source', 'node' in second"):
        fingerprint(one, two.rename(target="node"))
    with pytest.raises(InputError, match="source of second has 'R0' more than once"):
        fingerprint(one, two.assign_coords(source=["R0", *two.source.values[:-1]]))
    with pytest.raises(InputError, match="of one are symmetric"):
        fingerprint(one, two.where(two.source != "R1", 0.5))
    pairs = [
        m.isel(source=0).drop_vars("target").assign_coords(region=("target", order))
        for m, order in ((one, list("abcdefg")), (two, list("gfedcba")))
    ]
    with pytest.raises(InputError, match="region along target differs"):
        fingerprint(*pairs)


def test_bad_input_is_told():
    one, two = scans(3)
    with pytest.raises(InputError, match="several scans of 'p0'"):
        fingerprint(one.assign_coords(session=["p0/a", "p0/b", "p1/a"]), two)
    with pytest.raises(InputError, match="60 of feature in first, 59 in second"):
        fingerprint(one, two.isel(feature=slice(59)))
    with pytest.raises(InputError, match="at least 2 animals must be in both, found 0"):
        fingerprint(one, two.assign_coords(session=["x", "y", "z"]))
    with pytest.raises(InputError, match="do not vary"):
        fingerprint(one * 0 + 0.1, two)
    with pytest.raises(InputError, match="n_permutations"):
        fingerprint(one, two, n_permutations=0)
