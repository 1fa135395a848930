"""Synthetic people, removal of confounds, and completion: how good, on people and recordings that were not fitted.

Run with ``DYNOME_DATA_DIR`` set or with a network: ``python benchmarks/generation.py`` prints the tables of
``benchmarks/results/generation.md``.
"""

from __future__ import annotations

import sys
import time
import warnings

import numpy as np
import pandas as pd
import xarray as xr
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import cross_val_predict

from dynome import device, study
from dynome.datasets import fetch_human_fc_age, make_bold
from dynome.inference import (
    ConnectivityGaussian,
    ConnectivityVAE,
    GraphMaskedAutoencoder,
    compare_distributions,
    completion_scores,
)
from dynome.inference.generation.log_correlation import log_vectors

CONDITIONS = ("log_age", "sex")
SPLITS, LEFT_OUT = 4, 60


def people() -> xr.DataArray:
    """The 155 people, with the logarithm of age."""
    fc = fetch_human_fc_age()
    return fc.assign_coords(log_age=("animal", np.log(fc["age"].to_numpy()), {"units": "1"}))


def split(fc: xr.DataArray, seed: int) -> tuple[xr.DataArray, xr.DataArray]:
    """People to fit to, and others, of ages within theirs."""
    order = np.random.default_rng(seed).permutation(fc.sizes["animal"])
    train, other = fc[np.sort(order[LEFT_OUT:])], fc[np.sort(order[:LEFT_OUT])]
    age = other["log_age"]
    return train, other[((age >= train["log_age"].min()) & (age <= train["log_age"].max())).to_numpy()]


def vectors(fc: xr.DataArray) -> np.ndarray:
    """Log-correlations."""
    return log_vectors(fc.to_numpy())


def accuracy(fc: xr.DataArray, target: np.ndarray) -> float:
    """Correlation of left-out predictions of a ridge regression."""
    told = cross_val_predict(RidgeCV(np.logspace(-1, 4, 8)), vectors(fc), target, cv=10)
    return float(np.corrcoef(told, target)[0, 1])


def naive(model: ConnectivityVAE, conditions: xr.DataArray, seed: int) -> xr.DataArray:
    """The usual mistake: the network's mean for latent numbers from a standard normal, without noise."""
    from dynome.inference.generation import conditions as told
    from dynome.inference.generation.connectivity_model import _population
    from dynome.inference.generation.log_correlation import correlations_of

    results, n = model.results_, conditions.sizes["animal"]
    fitted = _population(results)
    values = told.conditions_of(model.conditions, conditions, n, "")
    columns = told.columns(told.from_text(results.attrs["design"]), values, n)
    latent = np.random.default_rng(seed).standard_normal((n, model.n_latent))
    scores = model._decoded(latent, model._scaled(fitted, columns))
    matrices = correlations_of(fitted.expected(columns) + scores @ fitted.loadings, conditions.sizes["source"])
    return conditions.copy(data=matrices)


def synthetic_people(fc: xr.DataArray) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Distribution of synthetic against left-out people, and density of left-out people."""
    rows, scores = [], []
    for seed in range(SPLITS):
        train, other = split(fc, seed)
        drawn = {
            "people fitted, drawn again": train[np.random.default_rng(seed).integers(train.sizes["animal"], size=60)]
        }
        for kind in (ConnectivityGaussian, ConnectivityVAE):
            began = time.process_time()
            model = kind(CONDITIONS, random_state=seed, **({"device": "cpu"} if kind is ConnectivityVAE else {})).fit(
                train
            )
            seconds = time.process_time() - began
            drawn[kind.__name__] = model.sample(conditions=other, random_state=seed)
            row = {"model": kind.__name__, "split": seed, "log_density": model.score(other), "fit_cpu_s": seconds}
            for name, v in (("raw", other), ("harmonized", model.harmonize(other))):
                row[f"age_r_{name}"] = accuracy(v, other["log_age"].to_numpy())
            clean = model.harmonize(train)
            ridge = RidgeCV(np.logspace(-1, 4, 8)).fit(vectors(clean), train["log_age"])
            told = ridge.predict(vectors(model.harmonize(other)))
            row["age_r_decoder_of_fitted"] = (
                float(np.corrcoef(told, other["log_age"])[0, 1]) if told.std() > 1e-9 else 0.0
            )
            c = np.column_stack([train["log_age"], train["sex"] == "M"]).astype(float)
            before, after = (vectors(v) - vectors(v).mean(axis=0) for v in (train, clean))
            z = (c - c.mean(axis=0)) / c.std(axis=0)
            row["edge_r_before"], row["edge_r_after"] = (
                float(np.abs(z.T @ (v / v.std(axis=0)) / len(z)).max()) for v in (before, after)
            )
            own = before - z @ np.linalg.lstsq(z, before, rcond=None)[0]
            row["own_kept_r"] = float(np.corrcoef(own.ravel(), after.ravel())[0, 1])
            many = model.sample(train.sizes["animal"], random_state=seed)
            tstr = RidgeCV(np.logspace(-1, 4, 8)).fit(vectors(many), many["log_age"])
            row["train_on_synthetic_r"] = float(np.corrcoef(tstr.predict(vectors(other)), other["log_age"])[0, 1])
            real = RidgeCV(np.logspace(-1, 4, 8)).fit(vectors(train), train["log_age"])
            row["train_on_real_r"] = float(np.corrcoef(real.predict(vectors(other)), other["log_age"])[0, 1])
            scores.append(row)
        drawn["VAE as usual (no noise, normal prior)"] = naive(model, other, seed)
        drawn["other people (real)"] = train
        for name, synthetic in drawn.items():
            found = compare_distributions(
                other, synthetic, conditions=CONDITIONS, n_permutations=199, random_state=seed
            )
            row = {"sample": name, "split": seed, "novelty": float(found["novelty"])}
            row["slope_agreement_age"] = float(found["slope_agreement"].sel(effect="log_age"))
            for statistic in found["statistic"].to_numpy():
                at = found.sel(statistic=statistic)
                row[f"{statistic}"] = float(at["value"])
                row[f"{statistic} p<.05"] = float(at["p_value"] < 0.05)
            rows.append(row)
    return pd.DataFrame(rows), pd.DataFrame(scores)


def bent() -> pd.DataFrame:
    """Simulated people whose differences are not Gaussian: what the network is for."""
    from dynome.inference.generation.log_correlation import correlations_of

    def made(n: int, seed: int) -> xr.DataArray:
        rng, fixed = np.random.default_rng(seed), np.random.default_rng(99)
        mean, slope, first, second = 0.12 * fixed.standard_normal((4, 45))
        age, z = rng.uniform(5, 35, n), rng.standard_normal((n, 1))
        x = mean + (age[:, None] - 20) / 10 * slope + z * first + 0.8 * (z**2 - 1) * second
        names = [f"r{k}" for k in range(10)]
        coords = {"source": names, "target": names, "age": ("animal", age)}
        matrices = correlations_of(x + 0.1 * rng.standard_normal(x.shape), 10)
        return xr.DataArray(matrices, coords, ("animal", "source", "target"), attrs={"units": "1"})

    rows = []
    for seed in range(3):
        train, other = made(400, seed), made(200, 100 + seed)
        other = other[((other["age"] >= train["age"].min()) & (other["age"] <= train["age"].max())).to_numpy()]
        for model in (
            ConnectivityGaussian(("age",), random_state=seed),
            ConnectivityVAE(("age",), learning_rate=1e-2, device="cpu", random_state=seed),
        ):
            model.fit(train)
            drawn = model.sample(conditions=other, random_state=seed)
            found = compare_distributions(other, drawn, n_permutations=199, random_state=seed)
            at = found.sel(statistic="classifier")
            rows.append({
                "model": type(model).__name__, "log_density": model.score(other), "classifier": float(at["value"]),
                "classifier p<.05": float(at["p_value"] < 0.05),
                "mmd p<.05": float(found["p_value"].sel(statistic="mmd") < 0.05),
            })  # fmt: skip
    return pd.DataFrame(rows)


def completed() -> pd.DataFrame:
    """Hidden windows and regions of simulated animals that were not fitted."""
    recordings = study.sessions(make_bold(n_animals=24, n_nodes=32, n_times=300, random_state=0))
    names = list(recordings)
    train, other = ({k: recordings[k] for k in part} for part in (names[:16], names[16:]))
    regions = next(iter(train.values()))["node"].to_numpy().tolist()
    rows = []
    for objective in ("jema", "mae"):
        model = GraphMaskedAutoencoder(
            objective, hidden=32, n_layers=2, n_steps=300, learning_rate=3e-3, device="cpu", random_state=0
        ).fit(train)
        for hidden, what in (
            ("10 windows in a row", {"windows": range(15, 25)}),
            ("6 of 32 regions", {"nodes": regions[2:8]}),
        ):
            found = completion_scores(model, other, reference=train, **what).mean("session")
            for method, at in found.to_dataframe().iterrows():
                told = f"model ({objective})" if method == "model" else method
                rows.append({"hidden": hidden, "method": told, "auroc": at["auroc"], "brier": at["brier"]})
    return pd.DataFrame(rows).drop_duplicates(["hidden", "method"]).sort_values(["hidden", "method"])


def main(parts: list[str]) -> None:
    """Print the tables of some parts, or of all."""
    warnings.simplefilter("ignore", FutureWarning)
    tables: list[tuple[str, pd.DataFrame]] = []
    with device.threads(1):
        if "real" in parts:
            rows, scores = synthetic_people(people())
            tables += [
                ("Left-out people against samples", rows.drop(columns="split").groupby("sample").mean().T.round(3)),
                ("Models", scores.drop(columns="split").groupby("model").mean().T.round(3)),
                ("Density: autoencoder less Gaussian, by split", _difference(scores).round(2)),
            ]
        if "bent" in parts:
            tables.append(("Bent populations (simulated)", bent().groupby("model").mean().T.round(3)))
        if "completion" in parts:
            tables.append(("Completion (simulated)", completed().round(3).set_index(["hidden", "method"])))
    for title, table in tables:
        print(f"\n## {title}\n\n{table.to_string()}")


def _difference(scores: pd.DataFrame) -> pd.DataFrame:
    wide = scores.pivot(index="split", columns="model", values="log_density")
    return (wide["ConnectivityVAE"] - wide["ConnectivityGaussian"]).rename("nats a person").to_frame().T


if __name__ == "__main__":
    main(sys.argv[1:] or ["real", "bent", "completion"])
