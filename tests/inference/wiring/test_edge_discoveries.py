"""Evidence for the discoveries of edges: surrogates keep what they should, false discoveries are as few as promised."""

import numpy as np
import pytest
import xarray as xr

from dynome.errors import InputError
from dynome.inference import edge_discoveries, infer_connectivity
from dynome.inference.wiring.samples import joint_sample, read
from dynome.inference.wiring.surrogates import surrogate


def slow(seed: int, n_node: int = 8, n_time: int = 400, coupled: float = 0.0) -> xr.DataArray:
    """Independent slow nodes; with `coupled`, each even one drives the next."""
    rng = np.random.default_rng(seed)
    x = np.zeros((n_time, n_node))
    for t in range(1, n_time):
        x[t] = 0.7 * x[t - 1] + rng.standard_normal(n_node)
        x[t, 1::2] += coupled * x[t - 1, ::2]
    return xr.DataArray(x, dims=("time", "node"), coords={"node": [f"n{k}" for k in range(n_node)]}, name="activity")


def sample(x: xr.DataArray):
    return joint_sample(read({"": x}, None, ""), False, 4, "")


def test_shifted_nodes_keep_their_values_and_neighbours():
    before = sample(slow(0))
    after = surrogate(before, "shift", np.random.default_rng(0))
    shifts = []
    for k in range(8):
        a, b = before.scaled[:, k], after.scaled[:, k]
        shifts.append(int(np.flatnonzero(b == a[0])[0]))
        np.testing.assert_array_equal(np.roll(a, shifts[-1]), b)
    assert np.diff(np.sort([*shifts, min(shifts) + 400])).min() >= 400 // 16 - 1


def test_new_phases_keep_the_spectrum_and_undo_correlations():
    before = sample(slow(0, coupled=1.0))
    after = surrogate(before, "phase", np.random.default_rng(0))
    power = [np.abs(np.fft.rfft(s.scaled, axis=0)) for s in (before, after)]
    np.testing.assert_allclose(power[0][1:-1], power[1][1:-1], rtol=1e-6)
    changed = np.corrcoef(after.scaled.T)[0, 1]
    assert abs(changed) < 0.4 < np.corrcoef(before.scaled.T)[0, 1]


@pytest.mark.parametrize("kind", ["shift", "phase"])
def test_coupled_pairs_are_discovered_and_few_others(kind):
    found = edge_discoveries(slow(1, coupled=0.6), "granger", n_lags=1, surrogates=kind, n_surrogates=20)
    true = np.zeros((8, 8), dtype=bool)
    true[np.arange(0, 8, 2), np.arange(1, 8, 2)] = True
    assert found.discovered.to_numpy()[true].all()
    assert found.discovered.to_numpy()[~true].sum() <= 2
    assert found.estimate.identical(infer_connectivity(slow(1, coupled=0.6), "granger", n_lags=1).rename("estimate"))


@pytest.mark.parametrize("null", ["pooled", "edge"])
def test_p_values_of_uncoupled_nodes_are_uniform(null):
    p = np.concatenate(
        [
            edge_discoveries(slow(k), "lagged_correlation", n_lags=1, n_surrogates=19, null=null).p_value.to_numpy()
            for k in range(10)
        ]
    ).ravel()
    p = p[~np.isnan(p)]
    for level in (0.1, 0.5):
        assert (p <= level).mean() == pytest.approx(level, abs=0.06)


def test_what_has_no_estimate_has_no_p_value():
    x = slow(0)
    x[:, 3] = 1.0
    found = edge_discoveries(x, "correlation", n_surrogates=5)
    for name in ("estimate", "z", "p_value", "q_value"):
        assert found[name].sel(source="n3").isnull().all()
        assert np.isnan(np.diag(found[name])).all()
    assert not found.discovered.sel(target="n3").any()


def test_a_seed_repeats_the_surrogates():
    one, two = (edge_discoveries(slow(0), "correlation", n_surrogates=5, random_state=4) for _ in range(2))
    xr.testing.assert_identical(one, two)


def test_arguments_out_of_range_are_told_at_once():
    with pytest.raises(
        InputError, match=r"surrogates must be(.|\n)*null must be(.|\n)*at least 5, got 1(.|\n)*rate must"
    ):
        edge_discoveries(slow(0), surrogates="noise", null="none", n_surrogates=1, rate=2)
    with pytest.raises(InputError, match="expected one animal, found 2"):
        edge_discoveries({"a": slow(0), "b": slow(1)})
    counts = (slow(0) > 1).astype(int).rename("spike_count")
    with pytest.raises(InputError, match='phases cannot be drawn for spike counts; use surrogates="shift"'):
        edge_discoveries(counts, surrogates="phase")
