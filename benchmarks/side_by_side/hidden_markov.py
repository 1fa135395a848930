"""Hidden Markov models beside hmmlearn: the same data, start and number of EM iterations.

    OMP_NUM_THREADS=1 python benchmarks/side_by_side/hidden_markov.py

CPU milliseconds an EM iteration (E-step and M-step), one thread, least of interleaved rounds; maximum likelihood in
both, and the log likelihoods of all iterations must agree. hmmlearn runs its quicker implementation ("scaling").
"""

from __future__ import annotations

import time

import hmmlearn.hmm
import numpy as np

from dynome.dynamics.hmm.chain import Chain, sticky, updated_chain
from dynome.dynamics.hmm.emissions.choice import Form, observed_as, pooled
from dynome.dynamics.hmm.fitting import Options, climbed

ROUNDS = 3
N_ITER = 5
N_STATE = 5


def study(observation, n_node, n_bin, n_sequence=20, seed=0):
    """Observations from states that overlap, so that EM has work to do."""
    rng = np.random.default_rng(seed)
    state = np.zeros(n_bin, dtype=int)
    move = np.cumsum(sticky(N_STATE, 0.97), axis=1)
    for t in range(1, n_bin):
        state[t] = (rng.random() > move[state[t - 1]]).sum()
    if observation == "poisson":
        y = rng.poisson(rng.gamma(2, 0.3, (N_STATE, n_node))[state]).astype(float)
    else:
        mixing = np.eye(n_node) + 0.3 * rng.standard_normal((N_STATE, n_node, n_node)) / np.sqrt(n_node)
        noise = rng.standard_normal((n_bin, n_node))
        y = 0.5 * rng.standard_normal((N_STATE, n_node))[state]
        for s in range(N_STATE):
            y[state == s] += noise[state == s] @ mixing[s].T
    return y, np.arange(n_sequence + 1) * (n_bin // n_sequence), rng.dirichlet(np.full(N_STATE, 0.5), n_bin)


def theirs(y, starts, emission, form):
    lengths = np.diff(starts)
    shared = {"n_iter": N_ITER, "tol": -np.inf, "init_params": "", "implementation": "scaling"}
    if form.observation == "poisson":
        model = hmmlearn.hmm.PoissonHMM(N_STATE, **shared)
        model.lambdas_ = emission.rate.copy()
    else:
        kind = {"diagonal": "diag", "full": "full"}[form.covariance]
        model = hmmlearn.hmm.GaussianHMM(N_STATE, kind, covars_prior=0.0, covars_weight=0.0, **shared)
        model.means_ = emission.mean.copy()
        model.covars_ = (emission.variance if kind == "diag" else emission.covariance).copy()
    model.n_features = y.shape[1]
    model.startprob_, model.transmat_ = np.full(N_STATE, 1 / N_STATE), sticky(N_STATE, 0.9)
    began = time.process_time()
    model.fit(y, lengths)
    return time.process_time() - began, np.array(model.monitor_.history)


def ours(y, starts, emission, form):
    options = Options(N_STATE, 1, N_ITER, -np.inf, 1.0, 0.0)
    chain = Chain(sticky(N_STATE, 0.9), np.full(N_STATE, 1 / N_STATE))
    began = time.process_time()
    data = observed_as(form, y)
    fit = climbed(data, starts, emission, chain, options)
    fit.emission.updated(data, fit.posterior.probability)  # hmmlearn ends with an M-step
    updated_chain(fit.posterior.transitions, fit.posterior.probability[starts[:-1]].sum(axis=0))
    return time.process_time() - began, fit.history


def compare(form, n_node, n_bin):
    y, starts, weight = study(form.observation, n_node, n_bin)
    data = observed_as(form, y)
    emission = pooled(form, data, N_STATE, 0.0).updated(data, weight)
    times = {theirs: [], ours: []}
    histories = {}
    for _ in range(ROUNDS):
        for run in times:
            seconds, histories[run] = run(y, starts, emission, form)
            times[run].append(1e3 * seconds / N_ITER)
    gap = np.abs(histories[ours] / histories[theirs] - 1).max()
    peer, own = (min(times[run]) for run in (theirs, ours))
    law = form.observation if form.observation == "poisson" else f"gaussian {form.covariance}"
    print(f"{law:<18} {n_node:>5} {n_bin:>7} {peer:>10.2f} {own:>10.2f} {peer / own:>7.1f} x {gap:>11.0e}", flush=True)


def main():
    print(f"S = {N_STATE}, 20 sequences, {N_ITER} EM iterations; CPU ms an iteration, least of {ROUNDS} rounds")
    print(f"{'law':<18} {'nodes':>5} {'bins':>7} {'hmmlearn':>10} {'dynome':>10} {'ratio':>9} {'disagreement':>13}")
    for n_node, n_bin in ((20, 20_000), (100, 20_000)):
        compare(Form("poisson", "diagonal", "state"), n_node, n_bin)
    for n_node, n_bin in ((20, 20_000), (100, 20_000)):
        compare(Form("gaussian", "diagonal", "state"), n_node, n_bin)
    for n_node, n_bin in ((5, 10_000), (20, 10_000), (50, 10_000), (100, 10_000)):
        compare(Form("gaussian", "full", "state"), n_node, n_bin)


if __name__ == "__main__":
    main()
