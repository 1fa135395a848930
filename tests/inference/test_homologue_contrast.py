"""Evidence for homologue_contrast: planted pairs, the size of the test, labels, real worms, errors."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from dynome import schema
from dynome.connectome import normalize_worm_names
from dynome.dynamics import functional_connectivity
from dynome.errors import InputError, SchemaError
from dynome.inference import homologue_contrast

WORM = ["AVAL", "AVL", "RIMR", "AVAR", "RIML", "AVER", "n17", "AVEL"]


def connectivity(values: np.ndarray, nodes=WORM) -> xr.DataArray:
    coords = {"source": list(nodes), "target": list(nodes)}
    return xr.DataArray(values, dims=("source", "target"), coords=coords, attrs={"units": "1"})


def noise(n: int, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).standard_normal((n, n))
    return (x + x.T) / 2


def test_means_are_over_homologous_pairs_and_over_all_pairs():
    fc = connectivity(noise(8))
    result = homologue_contrast(fc)
    pairs = [("AVAL", "AVAR"), ("RIMR", "RIML"), ("AVER", "AVEL")]
    assert list(zip(result.source.values, result.target.values, strict=True)) == pairs
    assert float(result.homologue_fc) == pytest.approx(np.mean([fc.sel(source=a, target=b) for a, b in pairs]))
    every = [float(fc.sel(source=a, target=b)) for a, b in combinations(WORM, 2)]
    assert float(result.all_fc) == pytest.approx(np.mean(every))
    assert float(result.statistic) == pytest.approx(float(result.homologue_fc) - float(result.all_fc))


def test_planted_homology_is_found_in_any_species():
    nodes = [f"{side}_{k}" for k in range(20) for side in ("lh", "rh")]
    partner = {f"lh_{k}": f"rh_{k}" for k in range(20)}
    values = 0.2 * noise(40)
    for k in range(0, 40, 2):
        values[k, k + 1] = values[k + 1, k] = 0.8
    result = homologue_contrast(connectivity(values, nodes), partner=partner, n_permutations=199)
    assert float(result.p_value) == 1 / 200
    assert float(result.homologue_fc) == pytest.approx(0.8)
    assert float(result.z) > 8
    backwards = homologue_contrast(connectivity(values, nodes), partner={b: a for a, b in partner.items()})
    assert float(backwards.statistic) == float(result.statistic)


def test_under_the_null_p_values_are_as_common_as_they_should_be():
    nodes = [f"{side}_{k}" for k in range(6) for side in ("lh", "rh")]
    partner = {f"lh_{k}": f"rh_{k}" for k in range(6)}
    p = np.array(
        [
            float(homologue_contrast(connectivity(noise(12, s), nodes), partner=partner, n_permutations=19).p_value)
            for s in range(100)
        ]
    )
    assert 0.4 < p.mean() < 0.62
    assert (p <= 0.1).mean() < 0.2


def test_the_order_of_nodes_does_not_matter():
    fc = connectivity(noise(8))
    rng = np.random.default_rng(0)
    other = homologue_contrast(fc.isel(source=rng.permutation(8), target=rng.permutation(8)).transpose())
    for name in ("homologue_fc", "all_fc", "statistic"):
        assert float(other[name]) == pytest.approx(float(homologue_contrast(fc)[name]))


def test_both_directions_are_averaged_and_missing_pairs_left_out():
    values = noise(8)
    values[0, 3], values[3, 0] = 3, 1
    values[2, 4] = np.nan
    result = homologue_contrast(connectivity(values))
    assert result.source.values.tolist() == ["AVAL", "AVER"]
    assert float(result.fc[0]) == 2
    assert np.isfinite(result.null).all()


@pytest.mark.realdata
def test_homologues_of_real_worms_are_active_together(data_dir):
    import h5py

    folder = data_dir / "celegans_calcium_dag2023"
    table = pd.read_csv(folder / "neuropal_labels.csv")
    sure = table[~table["label"].str.contains(r"\?") & (table["LR"] != "missing")]
    for file in sorted(folder.glob("*-data.h5")):
        named = sure[sure["uid"] == file.name.removesuffix("-data.h5")].drop_duplicates("label", keep=False)
        with h5py.File(file) as h5:
            traces, clock = h5["gcamp/trace_array"][:], h5["timing/timestamp_confocal"][:]
        node = normalize_worm_names(named["label"].to_numpy())
        rec = schema.recording(traces[:, named["trace_index_1based"] - 1], time=clock, node=node, units="1")
        result = homologue_contrast(functional_connectivity(rec.activity), n_permutations=199)
        assert float(result.homologue_fc) > 0.4
        assert float(result.all_fc) < 0.2
        assert float(result.p_value) == 1 / 200
        assert result.sizes["pair"] > 30


def test_bad_input_is_refused_with_what_to_do():
    fc = connectivity(noise(8))
    with pytest.raises(InputError, match="n_permutations must be at least 1, got 0"):
        homologue_contrast(fc, n_permutations=0)
    with pytest.raises(InputError, match=r"no homologous pair .* among 'a', 'b', .* pass partner="):
        homologue_contrast(connectivity(noise(8), nodes="abcdefgh"))
    with pytest.raises(InputError, match="found no homologous pair"):
        homologue_contrast(fc, partner={"AVL": "AVL"})
    with pytest.raises(InputError, match=r"found \('lag', 'source', 'target'\); select or average"):
        homologue_contrast(fc.expand_dims("lag"))
    with pytest.raises(InputError, match="found list"):
        homologue_contrast([fc])
    with pytest.raises(InputError, match="source and target must have the same labels"):
        homologue_contrast(fc.isel(source=slice(4)))
    with pytest.raises(SchemaError, match="units"):
        homologue_contrast(fc.drop_attrs())
