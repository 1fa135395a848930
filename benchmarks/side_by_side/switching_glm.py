"""Switching Poisson GLMs: the EM of dynome beside dynamax, and beside a plain numpy EM. Likelihood against CPU time.

    python benchmarks/side_by_side/switching_glm.py

5 states, 20 nodes, 20 couplings and a bias, softplus, 10 trials of 500 bins. Every method runs in a process of its own
on one core with one thread, from the same start; rounds take turns. Compiling is told apart. The training likelihood
after every iteration is evaluated by one function for all, outside of the time. Writes
benchmarks/results/switching_glm.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.special import gammaln

RESULT = Path(__file__).parents[1] / "results" / "switching_glm.md"
N_STATE, N_NODE, N_TRIAL, N_BIN = 5, 20, 10, 500
ROUNDS, SECONDS, MOST_ITER = 3, 5.2, 120  # CPU seconds of a run, and iterations
TIMES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
GAPS = (300, 100, 30, 10)  # nats below the best

METHODS = {
    "dynome float64": ("ours", "float64"),
    "dynome float32": ("ours", "float32"),
    "numpy EM, one Fisher step": ("numpy_em",),
    "dynamax f32, 50 Adam steps (its default)": ("dynamax", "float32", 50, 0.01, False),
    "dynamax f32, 50 Adam steps, as its tutorials write it": ("dynamax", "float32", 50, 0.01, True),
    "dynamax f32, 10 Adam steps": ("dynamax", "float32", 10, 0.01, False),
    "dynamax f32, 50 Adam steps, rate 0.05": ("dynamax", "float32", 50, 0.05, False),
    "dynamax f64, 50 Adam steps": ("dynamax", "float64", 50, 0.01, False),
}


class State(NamedTuple):
    coefficient: np.ndarray
    transition: np.ndarray
    initial: np.ndarray


class Method(NamedTuple):
    """One EM iteration, on whatever the method keeps, and its parameters."""

    begin: Any
    step: Callable[[Any], Any]
    read: Callable[[Any], State]


class Task(NamedTuple):
    y: np.ndarray
    x: np.ndarray
    starts: np.ndarray
    start: State
    truth: State
    constant: np.ndarray


def task() -> Task:
    """Simulated counts, their features, and a start away from the truth."""
    from dynome.datasets import make_switching_glm
    from dynome.dynamics.glm.designs import Design
    from dynome.dynamics.glm.histories import ExponentialHistory

    data = make_switching_glm(N_STATE, N_NODE, N_TRIAL, N_BIN, link="softplus", random_state=0)
    y = data.spike_count.to_numpy().reshape(-1, N_NODE).astype(float)
    starts = np.arange(N_TRIAL + 1) * N_BIN
    x = Design(y, ExponentialHistory(5).kernels(), np.zeros((y.shape[0], 0)), starts).block(0, y.shape[0])
    rng = np.random.default_rng(1)
    coefficient = 0.3 * rng.standard_normal((N_STATE, N_NODE, x.shape[1]))
    coefficient[:, :, 0] += np.log(np.expm1(y.mean(axis=0)))
    sticky = np.full((N_STATE, N_STATE), 0.02 / (N_STATE - 1)) + (0.98 - 0.02 / (N_STATE - 1)) * np.eye(N_STATE)
    uniform = np.full(N_STATE, 1 / N_STATE)
    bias = np.broadcast_to(data.bias.to_numpy(), (N_STATE, N_NODE))[:, :, None]
    truth = State(np.concatenate([bias, data.coupling.to_numpy()], axis=2), data.transition.to_numpy(), uniform)
    return Task(y, x, starts, State(coefficient, sticky, uniform), truth, -gammaln(y + 1).sum(axis=1))


def evidence(work: Task, state: State) -> float:
    """Marginal log likelihood, in nats, in double precision: the same judge for all."""
    from dynome.dynamics.hmm.smoothing import smooth

    mu = np.logaddexp(0, np.einsum("tp,snp->tsn", work.x, state.coefficient.astype(float), optimize=True))
    logp = (work.y[:, None, :] * np.log(mu) - mu).sum(axis=2) + work.constant[:, None]
    transition, initial = (np.asarray(a, float) / a.sum(axis=-1, keepdims=True) for a in state[1:])
    return float(smooth(logp, transition, initial, work.starts).evidence.sum())


def ours(work: Task, dtype: str) -> Method:
    from dynome.dynamics.glm.designs import Design
    from dynome.dynamics.glm.histories import ExponentialHistory
    from dynome.dynamics.glm.passes import Problem
    from dynome.dynamics.hmm.chain import Chain
    from dynome.dynamics.switching.em import Parameters, maximized
    from dynome.dynamics.switching.emissions import Emissions
    from dynome.dynamics.switching.priors.plain import NoPrior
    from dynome.dynamics.switching.processes import PlainProcess

    nothing = np.zeros((work.y.shape[0], 0))
    design = Design(work.y, ExponentialHistory(5).kernels(), nothing, work.starts, np.dtype(dtype))
    problem = Problem(design, work.y, "poisson", "softplus", np.ones(work.start.coefficient.shape[1:], bool))
    emissions, prior = Emissions(problem, work.starts, N_NODE, 1), NoPrior()
    belief = prior.start(emissions.coupling(work.start.coefficient), emissions.edges)
    chain = PlainProcess(Chain(work.start.transition, work.start.initial))
    at = Parameters(work.start.coefficient, np.ones((N_STATE, N_NODE)), chain, belief)
    begin = (at, None) if design.block(0, 1).size and problem.constant.size else None  # made for the others too

    def step(kept: Any) -> Any:
        at, found = kept
        found = emissions.evaluate(at.coefficient, at.dispersion, None) if found is None else found
        smoothed = at.process.smooth(found.log_likelihood, work.starts)
        at = at._replace(process=at.process.updated(smoothed))
        at, _, found = maximized(emissions, prior, at, smoothed.probability, learning=False)
        return at, found

    return Method(begin, step, lambda kept: State(kept[0].coefficient, *kept[0].process.chain))


def numpy_em(work: Task) -> Method:
    """What one writes in an afternoon: loops over bins (all trials at once), einsum, no safeguards."""
    y, x = work.y, work.x

    def step(at: State) -> State:
        eta = np.einsum("tp,snp->tsn", x, at.coefficient, optimize=True)
        mu = np.logaddexp(0, eta)
        logp = (y[:, None] * np.log(mu) - mu).sum(axis=2).reshape(N_TRIAL, N_BIN, N_STATE)
        gamma, pairs = forward_backward(np.exp(logp - logp.max(axis=2, keepdims=True)), at)
        slope = 1 / (1 + np.exp(-eta))
        weight = gamma.reshape(-1, N_STATE)[:, :, None]
        score = np.einsum("tsn,tp->snp", weight * (y[:, None] / mu - 1) * slope, x, optimize=True)
        kept = weight * slope**2 / mu
        information = np.stack([[(x * k[:, None]).T @ x for k in kept[:, s].T] for s in range(N_STATE)])
        step = np.linalg.solve(information + 1e-9 * np.eye(x.shape[1]), score[..., None])[..., 0]
        first = gamma[:, 0].sum(axis=0)
        return State(at.coefficient + step, pairs / pairs.sum(axis=1, keepdims=True), first / first.sum())

    return Method(work.start, step, lambda at: at)


def forward_backward(likelihood: np.ndarray, at: State) -> tuple[np.ndarray, np.ndarray]:
    alpha, scale = np.empty_like(likelihood), np.empty(likelihood.shape[:2])
    for t in range(N_BIN):
        a = (at.initial if t == 0 else alpha[:, t - 1] @ at.transition) * likelihood[:, t]
        scale[:, t] = a.sum(axis=1)
        alpha[:, t] = a / scale[:, t, None]
    beta, pairs = np.ones_like(likelihood), np.zeros((N_STATE, N_STATE))
    for t in range(N_BIN - 2, -1, -1):
        b = likelihood[:, t + 1] * beta[:, t + 1] / scale[:, t + 1, None]
        pairs += alpha[:, t].T @ b * at.transition
        beta[:, t] = b @ at.transition.T
    return alpha * beta, pairs


def dynamax(work: Task, dtype: str, n_steps: int, rate: float, plainly: bool) -> Method:
    """Its HMM with emissions of ours; `plainly` as its own models write them, else vectorised by hand."""
    import jax

    jax.config.update("jax_enable_x64", dtype == "float64")
    import jax.numpy as jnp
    import optax
    import tensorflow_probability.substrates.jax.distributions as tfd
    from dynamax.hidden_markov_model.models import logreg_hmm as model
    from dynamax.hidden_markov_model.models.abstractions import HMM
    from dynamax.hidden_markov_model.models.initial import StandardHMMInitialState
    from dynamax.hidden_markov_model.models.transitions import StandardHMMTransitions
    from dynamax.parameters import ParameterProperties

    class Emissions(model.LogisticRegressionHMMEmissions):
        emission_shape = (N_NODE,)

        def log_prior(self, params: Any) -> float:
            return 0.0

        def distribution(self, params: Any, state: Any, inputs: Any) -> tfd.Distribution:
            eta = params.weights[state] @ inputs + params.biases[state]
            return tfd.Independent(tfd.Poisson(rate=jax.nn.softplus(eta)), 1)

        if not plainly:

            def _compute_conditional_logliks(self, params: Any, emissions: Any, inputs: Any = None) -> Any:
                eta = jnp.einsum("tp,snp->tsn", inputs, params.weights) + params.biases
                mu = jax.nn.softplus(eta)
                return (emissions[:, None] * jnp.log(mu) - mu).sum(axis=2)

    parts = (
        StandardHMMInitialState(N_STATE, initial_probs_concentration=1.0001),
        StandardHMMTransitions(N_STATE, concentration=1.0001),
        Emissions(N_STATE, N_NODE, m_step_optimizer=optax.adam(rate), m_step_num_iters=n_steps),
    )
    hmm: Any = type("PoissonGLM", (HMM,), {"inputs_shape": (N_NODE,)})(N_STATE, *parts)
    a, kind = work.start, model.ParamsLogisticRegressionHMM
    (first, first_props), (move, move_props) = (
        parts[0].initialize(jax.random.PRNGKey(0), initial_probs=jnp.asarray(a.initial)),
        parts[1].initialize(jax.random.PRNGKey(0), transition_matrix=jnp.asarray(a.transition)),
    )
    of_emissions = model.ParamsLogisticRegressionHMMEmissions
    emitted = of_emissions(jnp.asarray(a.coefficient[:, :, 1:]), jnp.asarray(a.coefficient[:, :, 0]))
    params = kind(first, move, emitted)
    props = kind(first_props, move_props, of_emissions(ParameterProperties(), ParameterProperties()))
    y, x = (jnp.asarray(z.reshape(N_TRIAL, N_BIN, -1), dtype) for z in (work.y, work.x[:, 1:]))

    @jax.jit
    def em_step(params: Any, memory: Any) -> Any:
        stats, _ = jax.vmap(lambda e, i: hmm.e_step(params, e, i))(y, x)
        return hmm.m_step(params, props, stats, memory)

    def read(kept: Any) -> State:
        params = jax.tree.map(np.asarray, kept[0])
        coefficient = np.concatenate([params.emissions.biases[:, :, None], params.emissions.weights], axis=2)
        return State(coefficient, params.transitions.transition_matrix, params.initial.probs)

    begin = jax.block_until_ready((params, hmm.initialize_m_step_state(params, props)))
    return Method(begin, lambda kept: jax.block_until_ready(em_step(*kept)), read)


def timed(name: str) -> dict[str, Any]:
    """CPU seconds and evidence after every iteration of a method, compiled before."""
    work, (kind, *options) = task(), METHODS[name]
    began = time.process_time()
    method = {"ours": ours, "numpy_em": numpy_em, "dynamax": dynamax}[kind](work, *options)
    method.step(method.step(method.begin))
    compiling = time.process_time() - began
    at, took, found = method.begin, [0.0], [evidence(work, work.start)]
    while took[-1] < SECONDS and len(took) < MOST_ITER:
        began = time.process_time()
        at = method.step(at)
        took.append(took[-1] + time.process_time() - began)
        found.append(evidence(work, method.read(at)))
    return {"compiling": compiling, "took": took, "evidence": found, "truth": evidence(work, work.truth)}


def alone(name: str) -> dict[str, Any]:
    """The same in a process of its own, on one core with one thread."""
    threads = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
    flags = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    environment = {**os.environ, **threads, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, __file__, "--run", name]
    out = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    return json.loads(out.splitlines()[-1])


def iteration(run: dict[str, Any]) -> float:
    """CPU milliseconds an EM iteration."""
    return 1e3 * statistics.median(np.diff(run["took"]))


def reached(run: dict[str, Any], time_or_level: float, *, level: bool) -> float:
    """Seconds until a likelihood is reached, or the likelihood after so many seconds."""
    took, found = np.array(run["took"]), np.maximum.accumulate(run["evidence"])
    if level:
        return float(took[np.argmax(found >= time_or_level)]) if found[-1] >= time_or_level else np.inf
    return float(found[took <= time_or_level][-1])


def report(runs: dict[str, list[dict[str, Any]]]) -> str:
    own, truth = runs["dynome float64"], next(iter(runs.values()))[0]["truth"]
    best = max(max(r["evidence"]) for r in own)
    lines = [
        "| method | CPU ms an EM iteration | ratio | CPU s before the first (imports apart, compiling) |",
        "|---|---|---|---|",
    ]
    base = statistics.median(iteration(r) for r in own)
    for name, found in runs.items():
        each = statistics.median(iteration(r) for r in found)
        compiling = statistics.median(r["compiling"] for r in found)
        lines.append(f"| {name} | {each:.1f} | {each / base:.1f} | {compiling:.1f} |")
    lines += [
        "",
        "Training log likelihood (nats), less that of the generating parameters, after CPU seconds of iterations:",
        "",
    ]
    lines += ["| method | " + " | ".join(f"{t:g} s" for t in TIMES) + " | end |", "|---" * (len(TIMES) + 2) + "|"]
    for name, found in runs.items():
        cells = [statistics.median(reached(r, t, level=False) for r in found) - truth for t in TIMES]
        cells.append(statistics.median(max(r["evidence"]) for r in found) - truth)
        lines.append(f"| {name} | " + " | ".join(f"{c:.0f}" for c in cells) + " |")
    lines += [
        "",
        f"CPU seconds until the training likelihood is so many nats below the best of dynome ({best - truth:.0f}):",
        "",
    ]
    lines += ["| method | " + " | ".join(f"{g} nats" for g in GAPS) + " |", "|---" * (len(GAPS) + 1) + "|"]
    for name, found in runs.items():
        cells = [statistics.median(reached(r, best - g, level=True) for r in found) for g in GAPS]
        lines.append(f"| {name} | " + " | ".join(f"> {SECONDS:g}" if np.isinf(c) else f"{c:.2f}" for c in cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--run", choices=METHODS)
    name = parser.parse_args().run
    if name:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        print(json.dumps(timed(name)))
        return
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in METHODS}
    for k in range(ROUNDS):
        for name, found in runs.items():
            found.append(alone(name))
            print(f"{name:60s} {iteration(found[-1]):8.1f} ms, {max(found[-1]['evidence']):.1f}", flush=True)
        packages = ", ".join(f"{p} {version(p)}" for p in ("numpy", "numba", "jax", "dynamax"))
        cores = f"{os.cpu_count()} cores, one used, among other work"
        head = f"{date.today()}, {cores}, python {platform.python_version()}, {packages}. Medians of {k + 1} rounds."
        what = str(__doc__).split("\n\n", 2)[2]
        RESULT.write_text(f"# Switching GLMs beside dynamax\n\n{head}\n{what}\n{report(runs)}\n")
    print(report(runs))


if __name__ == "__main__":
    main()
