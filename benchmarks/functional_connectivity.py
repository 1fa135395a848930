"""Functional connectivity and structure-function nulls beside numpy, pandas, nilearn, scipy and plain loops.

    OMP_NUM_THREADS=1 python benchmarks/functional_connectivity.py

Same arrays, one thread, one process, interleaved rounds; CPU milliseconds, medians; quote the ratios. Ours is the
public function, labels and counts included. Each row first checks that both give the same numbers.
"""

from __future__ import annotations

import platform
import statistics
import time
import warnings
from collections.abc import Callable
from datetime import date
from functools import partial

import dask
import nilearn
import numpy as np
import pandas as pd
import scipy.stats
import sklearn
import xarray as xr
from nilearn.connectome import ConnectivityMeasure
from sklearn.covariance import EmpiricalCovariance

import dynome as dy
from dynome import connectome, device, dynamics, inference, schema

ROUNDS = 5


def activity(n_time: int, n_node: int, gaps: float = 0.0) -> xr.DataArray:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n_time, n_node)) + rng.standard_normal((n_time, 5)) @ rng.standard_normal((5, n_node))
    x[rng.random(x.shape) < gaps] = np.nan
    nodes = [f"N{k}" for k in range(n_node)]
    return schema.recording(x, time=np.arange(n_time) / 2, node=nodes, units="dF/F").activity


def medians(*runs: Callable[[], object]) -> list[float]:
    """CPU milliseconds of each run, in rounds that take turns."""
    took: list[list[float]] = [[] for _ in runs]
    for _ in range(ROUNDS):
        for times, run in zip(took, runs, strict=True):
            began = time.process_time()
            run()
            times.append(1e3 * (time.process_time() - began))
    return [statistics.median(times) for times in took]


def row(what: str, peer: str, ours: Callable[[], object], theirs: Callable[[], object], atol: float = 1e-9) -> None:
    np.testing.assert_allclose(np.asarray(ours()), np.asarray(theirs()), atol=atol)
    own, other = medians(ours, theirs)
    print(f"  {what:44s} {own:9.1f}   {peer:26s} {other:9.1f}   {other / own:6.1f} x")


def nilearn_kind(x: np.ndarray, kind: str, **options: object) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ConnectivityMeasure(kind=kind, **options).fit_transform([x])[0]


def static() -> None:
    print("\none matrix: ms, ms of the peer, ratio")
    for shape in ((800, 146), (234, 419), (5000, 1000)):
        a = activity(*shape)
        x = a.to_numpy()
        empirical = partial(nilearn_kind, x, "correlation", cov_estimator=EmpiricalCovariance())
        correlation = partial(dynamics.functional_connectivity, a)
        row(f"correlation {shape}", "numpy corrcoef", correlation, partial(np.corrcoef, x.T))
        row(f"correlation {shape}", "nilearn, empirical", correlation, empirical)
        inverted = partial(dynamics.functional_connectivity, a, kind="partial correlation")
        shrunk = partial(nilearn_kind, x, "partial correlation")
        row(f"partial correlation, Ledoit-Wolf {shape}", "nilearn", inverted, shrunk)
        spearman = partial(dynamics.functional_connectivity, a, kind="spearman")
        row(f"spearman {shape}", "scipy spearmanr", spearman, partial(scipy_spearman, x))


def scipy_spearman(x: np.ndarray) -> np.ndarray:
    return scipy.stats.spearmanr(x)[0]


def with_gaps() -> None:
    print("\none matrix, 5 % of the samples missing at random, pairwise complete")
    for shape in ((800, 146), (1000, 419)):
        a = activity(*shape, gaps=0.05)
        for kind, method in (("correlation", "pearson"), ("spearman", "spearman")):
            if shape[1] > 200 and kind == "spearman":
                continue
            theirs = partial(pd.DataFrame(a.to_numpy()).corr, method=method)
            row(f"{kind} {shape}", "pandas corr", partial(dynamics.functional_connectivity, a, kind=kind), theirs)


def corrcoef_windows(x: np.ndarray, width: int, step: int) -> np.ndarray:
    return np.stack([np.corrcoef(x[k : k + width].T) for k in range(0, x.shape[0] - width + 1, step)])


def pandas_windows(x: np.ndarray, width: int, step: int) -> np.ndarray:
    frame = pd.DataFrame(x)
    return np.stack([frame[k : k + width].corr(min_periods=3) for k in range(0, x.shape[0] - width + 1, step)])


def our_windows(a: xr.DataArray, width: int, step: int) -> np.ndarray:
    return dynamics.dynamic_connectivity(a, window=width / 2, stride=step / 2).to_numpy()


def windows() -> None:
    print("\nsliding windows")
    for shape, width, step in (((800, 146), 60, 1), ((2000, 100), 100, 2), ((1000, 419), 30, 2)):
        for dtype, atol in ((np.float64, 1e-9), (np.float32, 1e-4)):
            a = activity(*shape).astype(dtype)
            what = f"{shape}, {width} samples every {step}, {np.dtype(dtype).name}"
            theirs = partial(corrcoef_windows, a.to_numpy(), width, step)
            row(what, "loop of numpy corrcoef", partial(our_windows, a, width, step), theirs, atol)
    a = activity(400, 60, gaps=0.05)
    theirs = partial(pandas_windows, a.to_numpy(), 60, 5)
    row("(400, 60), 60 samples every 5, 5 % missing", "loop of pandas corr", partial(our_windows, a, 60, 5), theirs)


def corrcoef_lags(x: np.ndarray, reach: int) -> np.ndarray:
    n_time, n = x.shape
    pasts = [x[max(0, -k) : n_time - max(0, k)] for k in range(-reach, reach + 1)]
    presents = [x[max(0, k) : n_time - max(0, -k)] for k in range(-reach, reach + 1)]
    return np.stack([np.corrcoef(a.T, b.T)[:n, n:] for a, b in zip(pasts, presents, strict=True)])


def lags() -> None:
    print("\nlags")
    for shape, reach in (((800, 146), 20), ((234, 419), 10)):
        a = activity(*shape)
        ours = partial(dynamics.lagged_correlation, a, max_lag=reach / 2)
        row(
            f"{shape}, {reach} lags each way",
            "loop of numpy corrcoef",
            ours,
            partial(corrcoef_lags, a.to_numpy(), reach),
        )


def by_dataset(wiring: xr.Dataset, fc: xr.DataArray) -> float:
    upper = np.triu_indices(fc.shape[0], 1)
    weight = connectome.to_scipy(connectome.rewire(wiring, random_state=0)).toarray()
    return scipy.stats.spearmanr(np.log1p((weight + weight.T)[upper]), fc.to_numpy()[upper])[0]


def nulls() -> None:
    print(
        "\nstructure against function: ms for one null connectome (degrees kept), against Datasets and dense matrices"
    )
    few, many = 2, 12
    for n_node, n_edge in ((300, 4000), (2000, 100_000)):
        rng = np.random.default_rng(0)
        names = np.array([f"N{k}" for k in range(n_node)])
        source, target = names[rng.integers(0, n_node, (2, n_edge))]
        edges = {"source": source, "target": target, "weight": rng.integers(1, 20, n_edge)}
        wiring = connectome.from_edges(edges, node=names.tolist(), units="synapses")
        fc = dynamics.functional_connectivity(activity(200, n_node))
        compare = partial(inference.structure_function, wiring, fc)
        less, more, peer = medians(
            partial(compare, n_null=few), partial(compare, n_null=many), partial(by_dataset, wiring, fc)
        )
        own = (more - less) / (many - few)
        what = f"{n_node} nodes, {n_edge} edges"
        print(f"  {what:44s} {own:9.1f}   {'rewire + scipy spearmanr':26s} {peer:9.1f}   {peer / own:6.1f} x")


def main() -> None:
    found = {"numpy": np, "scipy": scipy, "pandas": pd, "scikit-learn": sklearn, "nilearn": nilearn, "dask": dask}
    versions = ", ".join(f"{name} {module.__version__}" for name, module in found.items())
    print(f"{date.today()}, python {platform.python_version()}, dynome {dy.__version__}, {versions}")
    with device.threads(1), dask.config.set(scheduler="synchronous"):
        for part in (static, with_gaps, windows, lags, nulls):
            part()


if __name__ == "__main__":
    main()
