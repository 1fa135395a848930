"""Forward-backward beside dynamax, hmmlearn, ssm and the plain loop: CPU time and distance from extended precision.

    python benchmarks/side_by_side/forward_backward.py    # writes benchmarks/results/forward_backward.md

Needs the `bench` extra. ssm is on no registry: set SSM_MESSAGES to the path of its `ssm/messages.py`, or that row is
left out. One core and one thread for all, rounds interleaved, the least CPU time of each: other work may run here.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

import importlib.util
import itertools
import platform
import time
from collections.abc import Callable
from datetime import date
from importlib.metadata import version
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from dynamax.hidden_markov_model.inference import hmm_smoother, hmm_two_filter_smoother
from hmmlearn import _hmmc

from dynome.dynamics.hmm.smoothing import smooth

RESULT = Path(__file__).parents[1] / "results" / "forward_backward.md"
N_BIN, N_STATE, STAY, ROUNDS = 100_000, 5, 0.98, 15
TRIALS, LENGTH = 1_000, 500

Outcome = tuple[np.ndarray, np.ndarray, float]


def observations(n_bin: int) -> np.ndarray:
    """Log likelihoods about 300 nats below zero, as of 120 neurons, that tell states apart by 2 nats a bin."""
    rng = np.random.default_rng(0)
    state = np.cumsum(rng.random(n_bin) < 1 - STAY) % N_STATE
    values = rng.standard_normal((n_bin, N_STATE)) - 300
    values[np.arange(n_bin), state] += 2
    return values


P = np.full((N_STATE, N_STATE), (1 - STAY) / (N_STATE - 1))
np.fill_diagonal(P, STAY)
FIRST = np.full(N_STATE, 1 / N_STATE)


def dynome(values: np.ndarray) -> Outcome:
    found = smooth(values, P, FIRST, np.array([0, len(values)]))
    return found.probability, found.transitions, float(found.evidence[0])


def loop(values: np.ndarray) -> Outcome:
    """The textbook in numpy, one bin after another."""
    top = values.max(1, keepdims=True)
    e = np.exp(values - top)
    alpha, c = np.empty_like(e), np.empty(len(e))
    for t in range(len(e)):
        v = (alpha[t - 1] @ P if t else FIRST) * e[t]
        c[t] = v.sum()
        alpha[t] = v / c[t]
    joint, beta = np.zeros_like(P), np.ones(N_STATE)
    for t in range(len(e) - 1, 0, -1):
        step = e[t] * beta / c[t]
        joint += alpha[t - 1][:, None] * P * step
        alpha[t] *= beta
        beta = P @ step
    alpha[0] *= beta
    return alpha, joint, float(np.log(c).sum() + top.sum())


def hmmlearn_scaling(values: np.ndarray) -> Outcome:
    top = values.max(1, keepdims=True)
    e = np.exp(values - top)
    log_p, forward, scale = _hmmc.forward_scaling(FIRST, P, e)
    backward = _hmmc.backward_scaling(FIRST, P, e, scale)
    joint = _hmmc.compute_scaling_xi_sum(forward, P, backward, e)
    posterior = forward * backward
    return posterior / posterior.sum(1, keepdims=True), joint, float(log_p + top.sum())


def hmmlearn_log(values: np.ndarray) -> Outcome:
    log_p, forward = _hmmc.forward_log(FIRST, P, values)
    backward = _hmmc.backward_log(FIRST, P, values)
    joint = np.exp(_hmmc.compute_log_xi_sum(forward, P, backward, values))
    posterior = forward + backward
    posterior = np.exp(posterior - posterior.max(1, keepdims=True))
    return posterior / posterior.sum(1, keepdims=True), joint, float(log_p)


def of_dynamax(smoother: Callable, dtype: type) -> Callable[[np.ndarray], Outcome]:
    run = jax.jit(lambda a, b, c: (lambda r: (r.smoothed_probs, r.trans_probs, r.marginal_loglik))(smoother(a, b, c)))
    held: dict[int, list] = {}

    def outcome(values: np.ndarray) -> Outcome:
        if id(values) not in held:  # the copy into jax is not counted
            held[id(values)] = [jnp.asarray(x, dtype) for x in (FIRST, P, values)]
        probability, joint, evidence = jax.block_until_ready(run(*held[id(values)]))
        return np.asarray(probability), np.asarray(joint), float(evidence)

    return outcome


def of_ssm() -> dict[str, Callable[[np.ndarray], Outcome]]:
    path = os.environ.get("SSM_MESSAGES")
    if not path:
        return {}
    spec = importlib.util.spec_from_file_location("ssm_messages", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def outcome(values: np.ndarray) -> Outcome:
        probability, joint, evidence = module.hmm_expected_states(FIRST, P[None], values)
        return probability, joint[0], float(evidence)

    return {"ssm (numba, logarithms), float64": outcome}


def least(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Least CPU seconds of each, over interleaved rounds; slow ones run once a third round."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()  # compile
    for k in range(rounds):
        for name, run in runs.items():
            if k and k % 3 and found[name][0] > 0.5:
                continue
            began = time.process_time()
            run()
            found[name].append(time.process_time() - began)
    return {name: min(seconds) for name, seconds in found.items()}


def extended(values: np.ndarray) -> np.ndarray:
    """Posterior in long double."""
    e = np.exp(values.astype(np.longdouble) - values.max(1, keepdims=True))
    p, out, c = P.astype(np.longdouble), np.empty_like(e), np.empty(len(e), np.longdouble)
    for t in range(len(e)):
        v = (out[t - 1] @ p if t else FIRST.astype(np.longdouble)) * e[t]
        c[t] = v.sum()
        out[t] = v / c[t]
    message = np.ones_like(v)
    for t in range(len(e) - 1, -1, -1):
        out[t] *= message
        message = p @ (e[t] * message / c[t])
    return out


def one_session() -> list[str]:
    values = observations(N_BIN)
    near = values - values.max(1, keepdims=True)  # what single precision can hold
    single = near.astype(np.float32)
    cases: dict[str, tuple[Callable, np.ndarray]] = {
        "dynome, float64": (dynome, values),
        "dynome, float32": (dynome, single),
        "dynamax hmm_smoother, float32": (of_dynamax(hmm_smoother, jnp.float32), near),
        "dynamax two-filter smoother, float32": (of_dynamax(hmm_two_filter_smoother, jnp.float32), near),
        "hmmlearn C++, scaling, float64": (hmmlearn_scaling, values),
        "hmmlearn C++, logarithms, float64": (hmmlearn_log, values),
        **{name: (run, values) for name, run in of_ssm().items()},
        "plain loop in numpy, float64": (loop, values),
    }
    seconds = least({name: (lambda r=run, v=x: r(v)) for name, (run, x) in cases.items()}, ROUNDS)
    truth = extended(values)
    reference = seconds["dynamax hmm_smoother, float32"]
    rows = []
    for name, (run, x) in cases.items():
        error = float(np.abs(run(x)[0] - truth).max())
        rows.append(f"| {name} | {1e3 * seconds[name]:.1f} | {seconds[name] / reference:.2f} | {error:.0e} |")
    return rows


def many_trials() -> list[str]:
    values = observations(TRIALS * LENGTH)
    starts = np.arange(TRIALS + 1) * LENGTH
    cuts = list(itertools.pairwise(starts))
    together = jax.jit(jax.vmap(lambda c: hmm_smoother(jnp.asarray(FIRST), jnp.asarray(P), c)))
    held = jnp.asarray(values.reshape(TRIALS, LENGTH, N_STATE) + 300, jnp.float32)
    seconds = least(
        {
            "dynome, all trials in one call": lambda: smooth(values, P, FIRST, starts),
            "dynome, a loop of calls": lambda: [dynome(values[a:b]) for a, b in cuts],
            "hmmlearn C++, scaling, a loop of calls": lambda: [hmmlearn_scaling(values[a:b]) for a, b in cuts],
            "dynamax hmm_smoother, float32, vmap (equal lengths only)": lambda: jax.block_until_ready(together(held)),
        },
        9,
    )
    reference = seconds["dynome, all trials in one call"]
    return [f"| {name} | {1e3 * s:.1f} | {s / reference:.1f} |" for name, s in seconds.items()]


def main() -> None:
    session, trials = one_session(), many_trials()
    packages = ", ".join(f"{n} {version(n)}" for n in ("numpy", "numba", "jax", "dynamax", "hmmlearn"))
    text = f"""# Forward-backward

{date.today()}, {os.cpu_count()}-core virtual machine, Python {platform.python_version()}, {packages}.
One core, one thread, CPU milliseconds, the least of {ROUNDS} interleaved rounds; the machine was shared, so read the
ratios. Made by `python benchmarks/side_by_side/forward_backward.py`.

One session of {N_BIN:,} bins and {N_STATE} states: posterior, summed transitions, evidence. Log likelihoods lie 300
nats below zero; those in float32 had the best state of each bin taken out first (300 in float32 is good to 3e-5 only).
Error: largest of a posterior probability, against long double.

| | CPU ms | of dynamax float32 | error |
|---|---|---|---|
{chr(10).join(session)}

{TRIALS:,} trials of {LENGTH} bins:

| | CPU ms | of one call |
|---|---|---|
{chr(10).join(trials)}
"""
    RESULT.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
