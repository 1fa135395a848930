"""Preprocessing of real recordings (Dag et al. 2023): jittered clocks, real identities, and what must survive."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from dynome import schema, study
from dynome.dynamics import (
    align_animals,
    derivative,
    detrend,
    dff,
    is_regular,
    resample,
    sampling_interval,
    smooth,
    standardize,
)

pytestmark = pytest.mark.realdata


@pytest.fixture(scope="module")
def worms(data_dir: Path) -> xr.DataTree:
    """Four worms with the names that are certain; all other traces are unlabelled."""
    h5py = pytest.importorskip("h5py")
    folder = data_dir / "celegans_calcium_dag2023"
    names = pd.read_csv(folder / "neuropal_labels.csv")
    recordings = {}
    for path in sorted(folder.glob("*-data.h5")):
        animal = path.name.removesuffix("-data.h5")
        with h5py.File(path) as file:
            activity = file["gcamp/trace_array_original"][:]
            time = file["timing/timestamp_confocal"][:]
            velocity = file["behavior/velocity"][:]
        labels = np.array([f"trace{k}" for k in range(activity.shape[1])], dtype="<U16")
        sure = names[(names.uid == animal) & ~names.label.str.contains("?", regex=False) & (names.LR != "missing")]
        sure = sure[~sure.label.duplicated(keep=False) & ~sure.trace_index_1based.duplicated(keep=False)]
        labels[sure.trace_index_1based - 1] = sure.label
        rec = schema.recording(
            activity, time=time, node=labels, units="1", covariates={"velocity": ("time", velocity, {"units": "mm/s"})}
        )
        recordings[animal] = rec.assign_coords(labelled=("node", ~np.char.startswith(labels, "trace")))
    return study.build(recordings)


def homologues(x: xr.DataArray) -> tuple[float, float]:
    """Mean correlation of left with right homologues, and of all pairs."""
    nodes = x.node.values.tolist()
    r = pd.DataFrame(x.to_numpy(), columns=nodes).corr().to_numpy()
    pairs = [(nodes.index(n), nodes.index(n[:-1] + "R")) for n in nodes if n.endswith("L") and n[:-1] + "R" in nodes]
    return float(np.mean([r[i, j] for i, j in pairs])), float(r[np.triu_indices(len(nodes), 1)].mean())


def test_the_clocks_jitter_and_come_out_even(worms):
    for rec in study.sessions(worms).values():
        assert not is_regular(rec)
        assert sampling_interval(rec) == pytest.approx(0.6016, abs=2e-4)
        out = resample(rec, rate=2.0)
        assert is_regular(out)
        assert out.activity.notnull().all()
        assert float(out.time[0]) == float(rec.time[0])
        lost = np.abs(rec.activity.mean("time") - out.activity.mean("time")) / rec.activity.std("time")
        assert float(lost.max()) < 0.02


def test_left_and_right_homologues_stay_alike_through_preprocessing(worms):
    before, after, everyone = [], [], []
    for rec in study.sessions(worms).values():
        known = rec.isel(node=rec.labelled.to_numpy())
        chain = standardize(smooth(detrend(resample(known, rate=2.0)), width=0.5), fit_time=None)
        before.append(homologues(known.activity)[0])
        after.append(homologues(chain.activity)[0])
        everyone.append(homologues(chain.activity)[1])
    assert np.mean(after) > np.mean(before) - 0.05
    assert np.mean(after) > 0.45
    assert np.mean(after) > np.mean(everyone) + 0.3


def test_animals_are_aligned_on_certain_names(worms):
    out = align_animals(worms, min_animals=3)
    assert out.sizes["animal"] == 4
    assert 40 < out.sizes["node"] < 140
    assert not any(name.startswith("trace") for name in out.node.values)
    there = out.activity.notnull().any("time").sum("animal")
    assert int(there.min()) >= 3
    pooled = standardize(out.stack(sample=("animal", "time")).activity.unstack("sample"))
    assert np.isfinite(pooled.where(out.activity.notnull(), 0)).all()


def test_raw_traces_have_a_baseline_and_finite_derivatives(worms):
    for rec in study.sessions(worms).values():
        out = derivative(dff(rec, percentile=20, window=120.0), width=1.0)
        assert out.activity.attrs["units"] == "dF/F/s"
        assert np.isfinite(out.activity).all()
