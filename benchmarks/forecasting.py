"""Does the wiring matter? Forecasts of real worms and of activity that a connectome made, against null connectomes.

    OMP_NUM_THREADS=1 DYNOME_DATA_DIR=... python benchmarks/forecasting.py worms [--nulls 20] [--split by_animal]
    OMP_NUM_THREADS=1 python benchmarks/forecasting.py simulated [--nulls 100]

**worms**: the four freely moving worms of Dag et al. (2023), 1.66 Hz, named neurons, on the connectome of Cook et al.
(2019), chemical synapses and gap junctions. Context 16 bins, horizons 1, 3, 10, 32.

**simulated**: `make_rate_network`, whose activity nothing but the wiring and private noise makes: short recordings of
several animals, each of which shows 80 % of the nodes; new animals are forecast. Measured wiring against
degree-preserving nulls, `--nulls` of them, for the graph network and for the ridge regression on the wiring.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from datetime import date

import numpy as np
import pandas as pd
import xarray as xr

import dynome as dy


def networks(seed: int, **sizes: object) -> list[tuple[str, object]]:
    """The graph network with several layers, and without messages."""
    gnn = dy.inference.ConnectomeGNN
    return [
        *((f"GNN {layer}", gnn(layer=layer, random_state=seed, **sizes)) for layer in ("gat", "signed", "sage")),
        ("GNN no messages", gnn(layer="none", random_state=seed, **sizes)),
    ]


def linear() -> list[tuple[str, object]]:
    """Models without a network."""
    dynamics = dy.dynamics
    return [
        ("persistence", dynamics.Persistence()),
        ("mean", dynamics.MeanForecast()),
        ("AR", dynamics.AR()),
        ("ridge VAR", dynamics.RidgeVAR()),
        ("ridge VAR, wiring", dynamics.RidgeVAR(support=True)),
    ]


def worms(split: str, nulls: int, seed: int) -> xr.DataTree:
    """The table of the real worms."""
    study = dy.datasets.fetch_celegans_calcium()
    wiring = dy.datasets.load_celegans_connectome("cook2019")
    fractions = (0.7, 0.1, 0.2) if split == "by_time" else (0.5, 0.25, 0.25)
    task = dy.inference.forecasting_task(
        study, wiring, context=16, horizons=(1, 3, 10, 32), split=split, fractions=fractions, random_state=seed
    )
    infer = dy.inference
    if nulls:
        gnn = infer.ConnectomeGNN(layer="signed", hidden=16, n_layers=1, random_state=seed)
        models = [("ridge VAR", dy.dynamics.RidgeVAR()), ("ridge VAR, wiring", dy.dynamics.RidgeVAR(support=True))]
        models = [*models, ("GNN signed, small", gnn)]
        return infer.compare_forecasts(models, task, nulls=nulls, null=["degree", "empty"], random_state=seed)
    others = [
        ("GNN signed, small", infer.ConnectomeGNN(layer="signed", hidden=16, n_layers=1, random_state=seed)),
        ("ConnectomeRNN", infer.ConnectomeRNN(random_state=seed)),
        ("GRU, no graph", infer.RecurrentForecaster(random_state=seed)),
        ("transformer, no graph", infer.TransformerForecaster(random_state=seed)),
    ]
    return infer.compare_forecasts([*linear(), *networks(seed), *others], task, random_state=seed)


def simulated(nulls: int, seed: int) -> xr.DataTree:
    """The table of a network whose wiring is all there is to know."""
    study = dy.datasets.make_rate_network(n_animals=8, n_times=200, random_state=seed)
    task = dy.inference.forecasting_task(
        study, context=8, horizons=(1, 2, 4, 8), split="by_animal", fractions=(0.4, 0.1, 0.5), random_state=seed
    )
    gnn = dy.inference.ConnectomeGNN(layer="signed", hidden=16, n_layers=1, random_state=seed)
    models = [*linear(), ("GNN signed", gnn)]
    return dy.inference.compare_forecasts(models, task, nulls=nulls, random_state=seed)


def printed(table: xr.DataTree) -> None:
    """The tree as Markdown tables."""
    scores = table.scores.to_dataset()
    rows = {}
    for model in scores.model.values.tolist():
        one = scores.sel(model=model, metric="skill")
        rows[model] = {
            f"skill {h}": f"{float(one.score.sel(horizon=h)):.3f} ({float(one.low.sel(horizon=h)):.3f}, "
            f"{float(one.high.sel(horizon=h)):.3f})"
            for h in one.horizon.values.tolist()
        }
        rows[model]["seconds"] = f"{float(scores.seconds.sel(model=model)):.0f}"
    told("## Skill by horizon", pd.DataFrame(rows).T)
    pairs = table.pairs.to_dataset()
    best = [m for m in pairs.model.values.tolist() if m.startswith(("GNN", "Connectome"))]
    told(
        "## Mean skill less that of the ridge VAR",
        pd.DataFrame(
            {
                m: {
                    "difference": f"{float(pairs.mean_difference.sel(model=m, reference='ridge VAR')):.3f}",
                    "interval over animals": f"{float(pairs.mean_low.sel(model=m, reference='ridge VAR')):.3f} to "
                    f"{float(pairs.mean_high.sel(model=m, reference='ridge VAR')):.3f}",
                }
                for m in best
            }
        ).T,
    )
    if "differences" in table.children:
        d = table.differences.to_dataset()
        rows = {}
        for model in d.model.values.tolist():
            for null in d.null.values.tolist():
                one = d.sel(model=model, null=null)
                rows[f"{model}, {null}"] = {
                    "difference": f"{float(one.mean_difference):.4f}",
                    "interval over animals": f"{float(one.mean_low):.4f} to {float(one.mean_high):.4f}",
                    "p over nulls": f"{float(one.mean_p_value):.4f}",
                    "best null": f"{float(table.nulls.mean_score.sel(model=model, null=null).max()):.4f}",
                }
        told("## Measured wiring less null connectomes", pd.DataFrame(rows).T)


def told(title: str, frame: pd.DataFrame) -> None:
    """One Markdown table."""
    lines = [title, "", "| model | " + " | ".join(frame.columns) + " |", "| --- " * (len(frame.columns) + 1) + "|"]
    lines += [
        f"| {name} | " + " | ".join(map(str, row)) + " |"
        for name, row in zip(frame.index, frame.to_numpy(), strict=True)
    ]
    sys.stdout.write("\n".join([*lines, "", ""]))
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["worms", "simulated"])
    parser.add_argument("--nulls", type=int, default=0)
    parser.add_argument("--split", default="by_time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", help="folder for the tree and the figure")
    given = parser.parse_args()
    began, cpu = time.perf_counter(), time.process_time()
    split = given.split if given.what == "worms" else "by_animal"
    table = worms(split, given.nulls, given.seed) if given.what == "worms" else simulated(given.nulls, given.seed)
    sys.stdout.write(
        f"# {given.what}, {split}, seed {given.seed}\n\n"
        f"{date.today()}, {platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}; "
        f"{time.process_time() - cpu:.0f} s of CPU, {time.perf_counter() - began:.0f} s by the clock\n\n"
    )
    printed(table)
    if given.out:
        dy.store.save(table, f"{given.out}/{given.what}.zarr", overwrite=True)
        dy.viz.plot_forecasts(table).figure.savefig(f"{given.out}/{given.what}.png", dpi=150)


if __name__ == "__main__":
    main()
