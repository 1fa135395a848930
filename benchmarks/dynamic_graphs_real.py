"""Real scans: is a drug told from placebo, is an outcome foreseen, are people found again.

    OMP_NUM_THREADS=1 DYNOME_DATA_DIR=... python benchmarks/dynamic_graphs_real.py WHAT
        [--steps 40] [--epochs 10] [--hidden 16] [--repeats 5] [--seed 0]

**drug**: 9 people, the scan after placebo against the scan after psilocybin, one person held out at a time; plain
descriptions of 90 regions. Once as the scans are, and once less what each person's four scans have in common (this
needs no labels, but four scans of the person who is held out).

**outcome**: 20 patients, six outcomes (symptoms and functioning, after 6 and 12 months and as slopes), 5 folds; plain
descriptions of 419 regions.

**drug-networks**, **outcome-networks**: the same with small networks, on every second of 90 and every eighth of 419
regions. Models without labels learn from all scans of people who are not held out.

**fingerprints**: the same person in two scans.

Everything is fitted within the training part; CPU seconds of one thread.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import xarray as xr

import dynome as dy
from dynome.inference import GraphClassifier, GraphMaskedAutoencoder, GraphRegressor

WINDOW, STRIDE = 50.0, 12.0
OUTCOMES = [
    f"{scale}_{what}" for scale in ("bprs", "sofas") for what in ("change_6_months", "change_12_months", "slope")
]


def autoencoder(options: argparse.Namespace) -> GraphMaskedAutoencoder:
    """A small encoder that learns without labels."""
    return GraphMaskedAutoencoder(
        hidden=options.hidden, n_layers=2, window=WINDOW, stride=STRIDE, n_steps=options.steps, token_hidden=32,
        n_windows=12, n_masks=2, batch_size=4, validation=0.0, device="cpu", random_state=options.seed,
    )  # fmt: skip


def show(table: xr.Dataset, title: str) -> None:
    """Rows of a comparison as Markdown."""
    print(f"\n### {title}\n")
    print("| | score | 95 % | p | less static FC | 95 % | p |\n|---|---|---|---|---|---|---|")
    for name in table.representation.to_numpy():
        r = table.sel(representation=name).squeeze()
        p = "" if np.isnan(r.p_value) else f"{float(r.p_value):.3f}"
        row = f"| {name} | {float(r.score):.2f} | {float(r.score_low):.2f} to {float(r.score_high):.2f} | {p} |"
        if np.isnan(r.difference_p_value):
            print(row + " | | |")
            continue
        ends = f"{float(r.difference_low):+.2f} to {float(r.difference_high):+.2f}"
        print(row + f" {float(r.difference):+.2f} | {ends} | {float(r.difference_p_value):.3f} |", flush=True)


def timed(work: Callable[[], xr.Dataset], title: str) -> None:
    began = time.process_time()
    show(work(), title)
    print(f"\nCPU s {time.process_time() - began:.0f}", flush=True)


def people_of_the_drug(step: int = 1) -> xr.DataTree:
    """The study of psilocybin, where only two scans of each person have a value of "drug"."""
    people = dy.datasets.fetch_human_psilocybin()
    recordings = {path: r.isel(node=slice(None, None, step)) for path, r in dy.study.sessions(people).items()}
    scans = [path.split("/")[1] for path in recordings]
    drug = [scan if scan in ("placebo", "psilocybin") else "" for scan in scans]
    return dy.study.build(recordings, phenotype=pd.DataFrame({"drug": drug}, index=list(recordings)))


def drug(options: argparse.Namespace) -> None:
    """Drug against placebo, by plain descriptions."""
    people = people_of_the_drug()
    shared = {"cv": "animal", "window": WINDOW, "stride": STRIDE, "random_state": options.seed}
    timed(lambda: dy.inference.compare_representations(people, "drug", **shared), "drug, 90 regions")
    timed(lambda: without_person(people, shared), "drug, 90 regions, less the mean of the four scans of a person")


def drug_networks(options: argparse.Namespace) -> None:
    """Drug against placebo, by networks."""
    network = autoencoder(options)
    models = {
        "JEMA": network,
        "classifier from scratch": GraphClassifier(
            hidden=options.hidden, n_layers=2, timestamp="none", window=WINDOW, stride=STRIDE,
            n_epochs=options.epochs, device="cpu", random_state=options.seed,
        ),
    }  # fmt: skip
    shared = {"cv": "animal", "window": WINDOW, "stride": STRIDE, "random_state": options.seed}
    controls = ("untrained", "empty")
    people = people_of_the_drug(2)
    timed(
        lambda: dy.inference.compare_representations(people, "drug", models=models, controls=controls, **shared),
        "drug, networks, 45 regions",
    )


def without_person(people: xr.DataTree, shared: dict[str, object]) -> xr.Dataset:
    """Plain descriptions, less their mean over the scans of the person."""
    found = {n: x.groupby("animal") - x.groupby("animal").mean() for n, x in descriptions(people).items()}
    return dy.inference.compare_representations(
        people, "drug", models=found, baselines=("static FC",), **shared  # type: ignore[arg-type]
    )  # fmt: skip


def descriptions(people: xr.DataTree) -> dict[str, xr.DataArray]:
    """Static connectivity, and mean and spread over windows of the connectivity, of every scan."""
    from dynome.inference.dynamic_graphs.scans import scans_of
    from dynome.inference.dynamic_graphs.settings import GraphSettings
    from dynome.inference.probing.representations import described

    scans = scans_of(people, GraphSettings(WINDOW, STRIDE))
    animal = ("session", [scan.animal for scan in scans.scans])
    names = {"static FC of the scan": "static FC", "FC moments of the scan": "FC moments"}
    return {name: described(b, scans)([]).assign_coords(animal=animal) for name, b in names.items()}  # type: ignore[arg-type]


def patients_at_first(step: int = 1) -> xr.DataTree:
    """The first scan of every patient."""
    patients = dy.datasets.fetch_human_psychosis()
    first = {k: v for k, v in dy.study.sessions(patients).items() if k.endswith("ses-1")}
    kept = {k: v.isel(node=slice(None, None, step)) for k, v in first.items()}
    return dy.study.build(kept, phenotype=dy.study.phenotype(patients))


def outcome(options: argparse.Namespace) -> None:
    """Outcomes that are known not to be foreseen, by plain descriptions."""
    patients = patients_at_first()
    print("\n### six outcomes, 419 regions\n")
    print("| | outcome | patients | r | 95 % | p | q | error (of the training mean) |\n|" + "---|" * 8)
    began = time.process_time()
    for name, embedding in descriptions(patients).items():
        table = dy.inference.probe(
            embedding, patients, target=OUTCOMES, n_repeats=options.repeats, random_state=options.seed
        )
        for outcome in OUTCOMES:
            r = table.sel(phenotype=outcome).squeeze()
            print(
                f"| {name} | {outcome} | {int(r.n_animals)} | {float(r.score):+.2f} | {float(r.score_low):+.2f} to "
                f"{float(r.score_high):+.2f} | {float(r.p_value):.2f} | {float(r.q_value):.2f} | {float(r.mae):.2f} "
                f"({float(r.mae_chance):.2f}) |", flush=True,
            )  # fmt: skip
    print(f"\nCPU s {time.process_time() - began:.0f}", flush=True)


def outcome_networks(options: argparse.Namespace) -> None:
    """One outcome, by networks."""
    few = patients_at_first(8)
    models = {
        "JEMA": autoencoder(options),
        "regression from scratch": GraphRegressor(
            hidden=options.hidden, n_layers=2, timestamp="none", window=WINDOW, stride=STRIDE,
            n_epochs=options.epochs, device="cpu", random_state=options.seed,
        ),
    }  # fmt: skip
    timed(
        lambda: dy.inference.compare_representations(
            few,
            "bprs_change_6_months",
            models=models,
            controls=("untrained", "empty"),
            window=WINDOW,
            stride=STRIDE,
            random_state=options.seed,
        ),
        "change of symptoms after 6 months, networks, 53 regions",
    )


def fingerprints(options: argparse.Namespace) -> None:
    """The same people in two scans."""
    people = dy.datasets.fetch_human_psilocybin()
    found = descriptions(people)
    found["JEMA (learnt from the same scans)"] = autoencoder(options).fit(people).transform(people, pool=("window",))
    pairs = [("pre_1", "pre_2"), ("placebo", "psilocybin"), ("pre_1", "placebo"), ("pre_1", "psilocybin")]
    print("\n### psilocybin, 9 people (chance 0.11)\n")
    print("| | scans | found, forward | backward | 95 % | p | same less other | 95 % | p |\n|" + "---|" * 9)
    for name, embedding in found.items():
        for first, second in pairs:
            one, two = (
                embedding.isel(session=embedding.session.str.endswith("/" + which)) for which in (first, second)
            )
            r = dy.inference.fingerprint(one, two, random_state=options.seed)
            print(
                f"| {name} | {first}, {second} | {float(r.rate[0]):.2f} | {float(r.rate[1]):.2f} | "
                f"{float(r.rate_low.min()):.2f} to {float(r.rate_high.max()):.2f} | {float(r.rate_p_value.max()):.4f} "
                f"| {float(r.differential):.2f} | {float(r.differential_low):.2f} to {float(r.differential_high):.2f} "
                f"| {float(r.differential_p_value):.4f} |", flush=True,
            )  # fmt: skip
    patients = dy.datasets.fetch_human_psychosis()
    print("\n### psychosis: the second scans of two patients among the first scans of twenty\n")
    for name, embedding in descriptions(patients).items():
        x = embedding - embedding.mean("feature")
        x = x / np.sqrt((x**2).sum("feature"))
        first, second = (x.isel(session=x.session.str.endswith(s)) for s in ("ses-1", "ses-2"))
        for path in second.session.to_numpy():
            like = first @ second.sel(session=path)
            own = like.sel(session=path.split("/")[0] + "/ses-1")
            rank = int((like > own).sum()) + 1
            others = like.where(like != own)
            told = f"own scan is number {rank} of {like.size} (r {float(own):.2f}; next {float(others.max()):.2f})"
            print(f"- {name}, {path}: {told}")


WORKS = {
    "drug": drug, "drug-networks": drug_networks, "outcome": outcome, "outcome-networks": outcome_networks,
    "fingerprints": fingerprints,
}  # fmt: skip

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=list(WORKS))
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--hidden", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    WORKS[chosen.what](chosen)
