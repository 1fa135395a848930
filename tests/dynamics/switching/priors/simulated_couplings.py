"""Couplings of known classes, under a likelihood that is exactly quadratic."""

import numpy as np


def wiring(seed, n_state=5, n_node=20, n_basis=1, noise=0.3, share=0.2, tables=False):
    """Classes (state, target, source), couplings, and what an exactly quadratic likelihood says of them."""
    rng = np.random.default_rng(seed)
    table = rng.dirichlet([share, 2 - 2 * share, share], size=(n_node, n_node))
    draw = rng.random((n_state, n_node, n_node, 1))
    classes = (draw > table.cumsum(-1)[..., :2]).sum(-1) - 1
    strength = np.log1p(3 * rng.random(classes.shape))
    true = (classes * strength)[..., None] * np.ones(n_basis)
    information = rng.gamma(3, 1 / 3, true.shape) / noise**2
    estimate = true + rng.normal(size=true.shape) / np.sqrt(information)
    return (classes, true, estimate, information, *([table] if tables else []))


def fitted(prior, estimate, information, free=None, prior_class=None, n_iter=25, n_told=8):
    free = np.ones(estimate.shape[1:3], dtype=bool) if free is None else free
    belief, coupling = prior.start(estimate, free, prior_class), np.zeros_like(estimate)
    for k in range(n_iter):
        quadratic = prior.quadratic(coupling, belief)
        total = information + quadratic.precision
        coupling = (information * estimate + quadratic.precision * quadratic.mean) / total
        belief = prior.refined(coupling, 1 / total if k < n_told else None, belief)
    return coupling, belief


def balanced(classes, found):
    off = ~np.eye(classes.shape[1], dtype=bool)
    return np.mean([(found[:, off][classes[:, off] == c] == c).mean() for c in (-1, 0, 1)])


def hard_classes(prior, belief):
    return np.nan_to_num(prior.labelled(belief)["edge_class_posterior"][1]).argmax(-1) - 1
