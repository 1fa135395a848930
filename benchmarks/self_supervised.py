"""What learning without labels is worth: few labels, what each part of the objective does, and what the graph does.

    OMP_NUM_THREADS=1 python benchmarks/self_supervised.py run   [--seeds 0 1 ...] [--rows full ...] [--out FILE]
    python benchmarks/self_supervised.py table [--out FILE]

Each seed simulates a study of its own (`make_bold`, 48 regions, 400 volumes at 2 s): two groups whose static
connectivity is the same, whatever is computed from pairs of regions is alike, and which differ in the links that are
strong at the same time. A model learns from the scans of 100 people without labels. Then 20 of them (20 draws), or all,
have a label, and 200 *other* people are told apart: area under the ROC curve. The same draws for all rows of a seed.

Probes are one and the same ridge regression on standardized features (penalty half the mean squared length of a
training row), fitted to the labelled people alone. Embeddings of the last layer are read in two ways: their mean over
windows, nodes kept; and the covariance over windows of their 20 main components, found in the 100 people. Correlations
(static, in the tangent space at the mean of the 100 people, mean and deviation over windows) are read as they are.
Static connectivity is also given to a logistic regression whose penalty is chosen by cross-validation. "windows'
covariance" has the covariance over windows of the 20 main components of windowed correlations: a description made for
this kind of difference. Fine-tuned and trained from scratch: `GraphClassifier`, mean readout, 30 epochs.

The settings of "chosen" were chosen on seeds of 100 and more. The other rows change one thing of them.

`run` adds one line of JSON for each seed and row to the file and skips what is there; `table` prints means over seeds
and the paired differences, with sign-flip permutation p-values (all 2^n flips).
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg
import xarray as xr
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import dynome as dy

N_PEOPLE, N_LABELLED, N_TEST, N_DRAWS = 100, 20, 200, 20
N_COMPONENTS = 20
BASE = {
    "hidden": 32, "token_hidden": 64, "n_steps": 400, "n_windows": 5,
    "temporal_weight": 0.0, "spatial_weight": 1.0, "edge_weight": 5.0,
}  # fmt: skip
TIME = {"n_windows": 10, "gap": "pair"}  # terms in time need longer clips
ROWS: dict[str, dict[str, Any]] = {
    "chosen": {},
    "untrained": {"n_steps": 1, "learning_rate": 1e-12, "weight_decay": 0.0},
    "with temporal terms": {"temporal_weight": 0.5, "spatial_weight": 0.5, **TIME},
    "no spatial terms": {"temporal_weight": 1.0, "spatial_weight": 0.0, **TIME},
    "edges as nodes": {"edge_weight": 1.0},
    "no node terms": {"node_weight": 0.0},
    "no edge terms": {"edge_weight": 0.0},
    "MLP decoder": {"decoder": "mlp"},
    "GIN decoder": {"decoder": "gin"},
    "MAE (raw targets)": {"objective": "mae"},
    "GraphMAE": {"objective": "graphmae"},
    "contrastive": {"objective": "contrastive"},
    "empty graph": {"wiring": "empty"},
    "shuffled graph": {"wiring": "shuffled"},
}
PLAIN = ("static FC", "static FC, logistic", "tangent FC", "FC moments", "windows' covariance")
READINGS = {"score": "mean", "covariance": "covariance"}
FINE_TUNED = ("fine-tuned", "from scratch")
Floats = NDArray[np.float64]


class People(NamedTuple):
    """Of one seed."""

    train: xr.DataTree
    test: xr.DataTree
    labels: tuple[NDArray[np.bool_], NDArray[np.bool_]]
    draws: list[NDArray[np.int64]]


def people(seed: int, n_nodes: int) -> People:
    """Those whose scans are learnt from, those to be told apart, and who has a label."""
    data = dy.datasets.make_bold(n_animals=N_PEOPLE + N_TEST, n_nodes=n_nodes, random_state=seed)
    scans, phenotype = dy.study.sessions(data), dy.study.phenotype(data)
    names = list(scans)
    parts = names[:N_PEOPLE], names[N_PEOPLE:]
    train, test = (
        dy.study.build({name: scans[name] for name in part}, phenotype=phenotype.sel(animal=part)) for part in parts
    )
    case = [phenotype["group"].sel(animal=part).to_numpy() == "case" for part in parts]
    draws = []
    for k in range(N_DRAWS):
        rng = np.random.default_rng([seed, k])
        half = [rng.permutation(np.flatnonzero(case[0] == group))[: N_LABELLED // 2] for group in (False, True)]
        draws.append(np.concatenate(half))
    return People(train, test, (case[0], case[1]), draws)


def ridge(x: Floats, y: NDArray[np.bool_], other: Floats) -> Floats:
    """Scores of other rows."""
    mean, sd = x.mean(0), x.std(0)
    sd = np.where(sd > 1e-9, sd, 1.0)
    x, other = (x - mean) / sd, (other - mean) / sd
    gram = x @ x.T
    penalty = 0.5 * np.trace(gram) / len(x) or 1.0  # features that say nothing: chance
    weight = np.linalg.solve(gram + penalty * np.eye(len(x)), np.where(y, 1.0, -1.0))
    return np.asarray(other @ (x.T @ weight))


def logistic(x: Floats, y: NDArray[np.bool_], other: Floats) -> Floats:
    """Scores of other rows."""
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    one = LogisticRegression(max_iter=1000)
    penalties = {"logisticregression__C": np.logspace(-5, 1, 7)}
    model = GridSearchCV(make_pipeline(StandardScaler(), one), penalties, cv=folds, scoring="roc_auc")
    return np.asarray(model.fit(x, y).decision_function(other))


def probed(x: Floats, other: Floats, known: People, fit: Callable[..., Floats] = ridge) -> list[float]:
    """Mean AUROC with few labels, and that with all."""
    y, truth = known.labels
    few = [roc_auc_score(truth, fit(x[draw], y[draw], other)) for draw in known.draws]
    return [float(np.mean(few)), float(roc_auc_score(truth, fit(x, y, other)))]


def plain(row: str, known: People) -> tuple[Floats, Floats]:
    """Descriptions that need no network."""
    parts = [
        [dy.dynamics.standardize(rec.activity, dim="time") for rec in dy.study.sessions(p).values()]
        for p in (known.train, known.test)
    ]
    i, j = np.triu_indices(parts[0][0].sizes["node"], 1)
    if row.startswith("static FC"):
        fc = dy.dynamics.functional_connectivity
        return tuple(np.stack([fc(x).to_numpy()[i, j] for x in part]) for part in parts)  # type: ignore[return-value]
    if row == "tangent FC":
        inside = dy.dynamics.tangent_connectivity(parts[0])
        outside = dy.dynamics.tangent_connectivity(parts[1], reference=inside.reference)
        a, b = np.triu_indices(i.max() + 2)
        return inside.to_numpy()[:, a, b], outside.to_numpy()[:, a, b]
    windows = [
        np.stack([dy.dynamics.dynamic_connectivity(x, window=50, stride=12).to_numpy()[:, i, j] for x in part])
        for part in parts
    ]
    if row == "FC moments":
        return tuple(np.concatenate([w.mean(1), w.std(1)], -1) for w in windows)  # type: ignore[return-value]
    return covariances(windows)


def covariances(parts: list[Floats]) -> tuple[Floats, Floats]:
    """Covariance over windows of the 20 main components, found in the first of two arrays (person, window, feature)."""
    flat = parts[0].reshape(-1, parts[0].shape[-1])
    mean = flat.mean(0)
    size = flat.shape[1]
    values, vectors = scipy.linalg.eigh(np.cov(flat[::4].T), subset_by_index=[size - N_COMPONENTS, size - 1])
    rows, columns = np.triu_indices(N_COMPONENTS)
    found = []
    for part in parts:
        z = (part - mean) @ vectors / np.sqrt(np.where(values > 1e-9, values, np.inf))
        z = z - z.mean(1, keepdims=True)
        found.append((z.mT @ z / z.shape[1])[:, rows, columns])
    return found[0], found[1]


def scored(seed: int, row: str, known: People) -> dict[str, Any]:
    """One row of one seed."""
    told: dict[str, Any] = {"seed": seed, "row": row}
    started = time.process_time()
    if row in PLAIN:
        score = probed(*plain(row, known), known, logistic if row.endswith("logistic") else ridge)
        return told | {"score": score, "seconds": time.process_time() - started}
    model = dy.inference.GraphMaskedAutoencoder(**{**BASE, "random_state": seed, **ROWS.get(row, {})})
    if row in FINE_TUNED:
        encoder = model.fit(known.train) if row == "fine-tuned" else None
        return told | {"score": tuned(encoder, seed, known), "seconds": time.process_time() - started}
    model.fit(known.train)
    seconds, results = time.process_time() - started, model.results_
    found = [model.transform(part).to_numpy() for part in (known.train, known.test)]
    found = [z.reshape(*z.shape[:2], -1).astype(np.float64) for z in found]
    held_out = results["validation"].to_numpy()
    told |= {
        "score": probed(found[0].mean(1), found[1].mean(1), known),
        "covariance": probed(*covariances(found), known),
    }
    told |= {"seconds": seconds, "held_out": [float(held_out[0]), float(held_out.min())]}
    return told | {"effective_rank": float(results["effective_rank"][-1])}


def tuned(encoder: Any, seed: int, known: People, n_draws: int = 2) -> list[float]:
    """AUROC of a classifier trained on the labelled of the first draws; not tried with all labels."""
    own: dict[str, Any] = {"hidden": BASE["hidden"], "timestamp": "none"} if encoder is None else {"encoder": encoder}
    scans, phenotype = dy.study.sessions(known.train), dy.study.phenotype(known.train)
    found = []
    for draw in known.draws[:n_draws]:
        names = np.array(list(scans))[draw].tolist()
        few = dy.study.build({name: scans[name] for name in names}, phenotype=phenotype.sel(animal=names))
        model = dy.inference.GraphClassifier(**own, readout="mean", n_epochs=30, batch_size=5, random_state=seed).fit(
            few, target="group"
        )
        found.append(roc_auc_score(known.labels[1], model.predict_proba(known.test).sel({"class": "case"})))
    return [float(np.mean(found)), float("nan")]


def run(seeds: list[int], rows: list[str], n_nodes: int, out: Path) -> None:
    """Add what is missing to the file."""
    done = {(line["seed"], line["row"]) for line in _lines(out)}
    for seed in seeds:
        if missing := [row for row in rows if (seed, row) not in done]:
            known = people(seed, n_nodes)
            for row in missing:
                line = scored(seed, row, known)
                with out.open("a") as file:
                    file.write(json.dumps(line) + "\n")
                print(line, flush=True)


def _lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []


def sign_flip(difference: np.ndarray) -> float:
    """Share of all flips of signs whose mean is at least as far from 0, two-sided."""
    flips = np.array(list(itertools.product((-1, 1), repeat=difference.size)))
    means = np.abs(flips @ difference)
    return float((means >= abs(difference.sum()) - 1e-12).mean())


def table(out: Path) -> None:
    """Means over seeds, and differences from other rows of the same reading, on the seeds that both have."""
    lines = _lines(out)
    score: dict[tuple[str, str], dict[int, list[float]]] = {}
    for line in lines:
        for key in READINGS:
            if key in line:
                score.setdefault((line["row"], key), {})[line["seed"]] = line[key]
    print(f"{platform.machine()}, Python {platform.python_version()}, dynome {dy.__version__}\n")
    others = ("static FC, logistic", "untrained", "chosen")
    print("| row | read | seeds | AUROC, 20 % | all labels" + "".join(f" | less {o}, 20 % | p" for o in others) + " |")
    print("|" + " --- |" * (5 + 2 * len(others)))
    for (row, key), found in score.items():
        values = np.array(list(found.values()))
        cells = [f"{m:.3f} ± {s:.3f}" for m, s in zip(values.mean(0), values.std(0), strict=True)]
        for other in others:
            cells += _difference(found, score.get((other, "score" if other in PLAIN else key), {}))
        read = "" if row in PLAIN + FINE_TUNED else READINGS[key]
        print(f"| {row} | {read} | {len(found)} | " + " | ".join(cells) + " |")
    pretrained = [line for line in lines if "held_out" in line and line["row"] != "untrained"]
    print("\n| row | CPU s | held-out loss, first to least | effective rank of embeddings |\n| --- | --- | --- | --- |")
    for row in dict.fromkeys(line["row"] for line in pretrained):
        own = [line for line in pretrained if line["row"] == row]
        first, least = np.median([line["held_out"] for line in own], axis=0)
        seconds, rank = (np.median([line[key] for line in own]) for key in ("seconds", "effective_rank"))
        print(f"| {row} | {seconds:.0f} | {first:.2f} to {least:.2f} | {rank:.1f} |")


def _difference(found: dict[int, list[float]], other: dict[int, list[float]]) -> list[str]:
    """Mean paired difference and its p-value; nothing without shared seeds, or of a row from itself."""
    both = sorted(set(found) & set(other))
    if found is other or not both:
        return ["", ""]
    d = np.array([found[k][0] - other[k][0] for k in both])
    return [f"{d.mean():+.3f}", f"{sign_flip(d):.3f}"]


def main() -> None:
    """Run or tabulate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(10)))
    parser.add_argument("--rows", nargs="+", default=[*PLAIN, *ROWS])
    parser.add_argument("--nodes", type=int, default=48)
    parser.add_argument("--out", type=Path, default=Path("self_supervised.jsonl"))
    args = parser.parse_args()
    if args.what == "run":
        run(args.seeds, args.rows, args.nodes, args.out)
    else:
        table(args.out)


if __name__ == "__main__":
    main()
