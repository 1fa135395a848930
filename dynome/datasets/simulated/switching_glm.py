"""Populations whose couplings switch between states: spikes or traces, and everything behind them."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import seeds
from dynome.datasets.simulated import switching_arguments as checks
from dynome.datasets.simulated.switching_arguments import Initial, Link, Observation, links
from dynome.datasets.simulated.switching_truth import Truth, calming, draw_truth
from dynome.errors import InputError, Problems
from dynome.schema import ACTIVITY, LAG, NODE, SESSION, SOURCE, SPIKE_COUNT, STATE, TARGET, TIME

Floats = NDArray[np.float64]

EDGE_CLASSES = ("inhibitory", "none", "excitatory")

_dispersions = {"poisson": 1.0, "bernoulli": 1.0, "negative_binomial": 0.5, "gaussian": 1.0}
_bin = 0.02  # seconds
_block = 50  # bins for which the stimulus keeps its value


def make_switching_glm(
    n_states: int = 5,
    n_nodes: int = 20,
    n_sessions: int = 50,
    n_time: int = 2000,
    *,
    observation: Observation = "poisson",
    link: Link | None = None,
    dispersion: float | None = None,
    n_lags: int = 5,
    decay: float = 1.0,
    class_probability: tuple[float, float, float] = (0.1, 0.8, 0.1),
    strength: float | None = None,
    bias: tuple[float, float] = (-0.05, 0.05),
    state_bias: float = 0.0,
    stay: float = 0.98,
    initial: Initial = "uniform",
    dwell_phases: int = 1,
    stimulus_effect: float = 0.0,
    transition_effect: float = 0.0,
    random_state: int | None = None,
) -> xr.Dataset:
    r"""Sessions of a population whose directed couplings switch between hidden states, with the truth.

    Licence BSD-3-Clause; simulated after the description of the synthetic study of Li et al. [1]_. The default is
    theirs: 5 states, 20 neurons, 50 sessions of 2,000 bins, Poisson counts through a sigmoid (at most one spike a bin
    on average), couplings through 5 lags, edges of three classes, about 78 % of them absent, and states that last 50
    bins on average.

    Parameters
    ----------
    n_states, n_nodes, n_sessions, n_time : int
        Sizes; `n_time` counts bins a session.
    observation : {"poisson", "bernoulli", "negative_binomial", "gaussian"}
        Law of an observation given its mean.
    link : {"sigmoid", "softplus", "exp", "identity"} or None
        From the linear predictor to the mean. None: sigmoid for Poisson and Bernoulli, softplus for the negative
        binomial, identity for the Gaussian.
    dispersion : float or None
        Variance of the Gaussian (None: 1); alpha of the negative binomial, whose variance is
        :math:`\mu + \alpha \mu^2` (None: 0.5). The other laws have none.
    n_lags : int
        Bins that the history reaches back.
    decay : float
        Decay of the history's weights a bin.
    class_probability : tuple of float
        Mean probabilities of the edge classes inhibitory, none and excitatory.
    strength : float or None
        Factor on the strengths. None: 1 with the sigmoid. With other links one that keeps activity from running away:
        in no state is the spectral radius of the couplings above 0.7, or the excitation of a node above 0.25 (exp).
    bias : tuple of float
        Range from which the offset of each node is drawn.
    state_bias : float
        Half the range of what each state adds to the offset of each node.
    stay : float
        Probability to stay in a state for another bin; other states are equally probable.
    initial : {"uniform", "first"}
        Law of the state of the first bin. ``"first"`` is a step from the first state, as sessions began in the
        study's published code.
    dwell_phases : int
        Phases of a state, each of which lasts a geometric time: dwell times are negative binomial with the same mean.
    stimulus_effect : float
        Half the range of the effects of a stimulus on the linear predictor. The stimulus is +1 or -1 in blocks of 50
        bins.
    transition_effect : float
        Effect of the stimulus on the log odds of the states that are entered: from minus this (first state) to plus
        this (last state), in equal steps.
    random_state : int or None
        Seed. A session's numbers do not depend on how many sessions there are.

    Returns
    -------
    Dataset
        * ``spike_count (session, time, node)``, whole numbers; with ``"gaussian"`` ``activity`` in place of it;
        * ``true_state (session, time)``: 0, 1, ...;
        * ``coupling (state, target, source)`` and ``weight (state, target, source, lag)``, which sums to it;
        * ``bias (node)``, or ``(state, node)`` if `state_bias` is not 0; ``transition (state, next_state)``;
          ``initial (state)``; ``dispersion (state, node)`` where the law has one;
        * ``edge_class_probability (target, source, edge_class)``, what the states have in common, and
          ``edge_sign (state, target, source)``: -1, 0 or 1, drawn from it;
        * with a stimulus, ``stimulus (session, time)``, ``covariate_weight (state, node, covariate)`` and
          ``transition_weight (next_state, covariate)``.

        A node may be coupled to itself, as any other pair. Bins last 20 ms. The path of the states is called
        ``true_state`` because ``state`` is the dimension of the parameters.

    Raises
    ------
    InputError
        With every argument that is out of range; or if the activity ran away.

    See Also
    --------
    wiring_from_truth : A connectome, right or partly wrong, for a fit to lean on.

    Notes
    -----
    .. math::
        x_{tn} \mid z_t, x_{<t} \sim \mathrm{Poisson}\Big(\sigma\big(b_n + \sum_{m} W_{z_t}[n, m]
        \sum_{\ell=1}^{L} \phi_\ell\, x_{t-\ell, m}\big)\Big), \qquad \phi_\ell \propto e^{-\ell}

    with silence before the first bin. For each ordered pair :math:`A_0 \sim \mathrm{Dirichlet}(2 \cdot (0.1, 0.8,
    0.1))`; in each state the edge has class :math:`a_s \sim A_0` and strength :math:`\log(1 + 3u)`, u uniform. The
    study draws relaxed classes at temperature 0.2 and takes the largest entry, which is a draw from :math:`A_0` at any
    temperature.

    References
    ----------
    .. [1] Li, Kim, Rodgers, Choi & Wu, ICLR 2024, arXiv:2310.15263.

    Examples
    --------
    >>> data = make_switching_glm(n_states=2, n_nodes=4, n_sessions=3, n_time=100, random_state=0)
    >>> dict(data.spike_count.sizes), data.coupling.dims
    ({'session': 3, 'time': 100, 'node': 4}, ('state', 'target', 'source'))
    """
    problems = Problems("cannot make a switching GLM")
    sizes = {"n_states": n_states, "n_nodes": n_nodes, "n_sessions": n_sessions, "n_time": n_time, "n_lags": n_lags}
    checks.add_size_problems({**sizes, "dwell_phases": dwell_phases}, problems)
    checks.add_law_problems(observation, link, dispersion, problems)
    checks.add_edge_problems(class_probability, strength, bias, problems)
    effects = {"state_bias": state_bias, "stimulus_effect": stimulus_effect, "transition_effect": transition_effect}
    checks.add_state_problems({**effects, "decay": decay}, stay, initial, dwell_phases, problems)
    problems.raise_if_any(InputError)
    from dynome.datasets.simulated import switching_kernels as kernels

    chosen = link if link is not None else links[observation][0]
    seed = seeds.resolve(random_state)
    rng = seeds.generator(seed, "switching_glm")
    truth = draw_truth(rng, n_states, n_nodes, class_probability, n_lags, decay, bias, state_bias, stay, initial)
    factor = calming(truth.coupling, chosen) if strength is None else float(strength)
    truth = truth._replace(
        coupling=truth.coupling * factor,
        drive=rng.uniform(-stimulus_effect, stimulus_effect, (n_states, n_nodes)),
        tilt=transition_effect * (np.linspace(-1, 1, n_states) if n_states > 1 else np.zeros(1)),
    )
    spread = _dispersions[observation] if dispersion is None else float(dispersion)
    law, code = (getattr(kernels, name.upper()) for name in (observation, chosen))
    y = np.empty((n_sessions, n_time, n_nodes))
    state = np.empty((n_sessions, n_time), dtype=np.int64)
    stimulus = np.zeros((n_sessions, n_time))
    for k in range(n_sessions):
        own = seeds.generator(seed, "switching_glm", k)
        if stimulus_effect or transition_effect:
            stimulus[k] = np.repeat(own.choice([-1.0, 1.0], -(-n_time // _block)), _block)[:n_time]
        state[k] = kernels.walk_states(
            n_time, truth.transition, truth.initial, dwell_phases, truth.tilt, stimulus[k], own.random((n_time, 2))
        )
        noise, gain = _luck(own, (n_time, n_nodes), observation, spread)
        y[k], sound = kernels.walk_activity(
            state[k], truth.coupling, truth.history, truth.bias, truth.drive, stimulus[k], law, code, gain, noise
        )
        if sound < n_time:
            raise InputError(
                f"the activity of session {k} ran away at bin {sound}: excitation feeds itself; pass a smaller "
                f"strength (it was {factor:g}), a lower bias, or a link with an upper limit"
            )
    data = _labelled(truth, y, state, observation, n_states, n_nodes)
    data.attrs |= {"name": "make_switching_glm", "observation": observation, "link": chosen}
    data.attrs |= {"decay": float(decay), "strength": factor}
    data.attrs |= {"dwell_phases": dwell_phases, "bin_width": _bin, "random_state": seed, "node_kind": "neuron"}
    if not state_bias:
        data["bias"] = data.bias.isel({STATE: 0}, drop=True)
    if observation in ("gaussian", "negative_binomial"):
        data["dispersion"] = ((STATE, NODE), np.full((n_states, n_nodes), spread), {"units": "1"})
    return _with_stimulus(data, truth, stimulus) if stimulus_effect or transition_effect else data


def _luck(
    rng: np.random.Generator, shape: tuple[int, int], observation: Observation, dispersion: float
) -> tuple[Floats, Floats]:
    """Noise, and factors on the means: a negative binomial count is a Poisson count whose mean varies."""
    if observation == "gaussian":
        return np.sqrt(dispersion) * rng.standard_normal(shape), np.ones((1, 1))
    varied = observation == "negative_binomial"
    return rng.random(shape), rng.gamma(1 / dispersion, dispersion, shape) if varied else np.ones((1, 1))


def _labelled(
    truth: Truth, y: Floats, state: NDArray[np.int64], observation: Observation, n_states: int, n_nodes: int
) -> xr.Dataset:
    """Data and parameters with names and units."""
    n_sessions, n_time = state.shape
    node = [f"node_{k + 1:0{len(str(n_nodes))}d}" for k in range(n_nodes)]
    pair, plain = (STATE, TARGET, SOURCE), {"units": "1"}
    name, values, unit = (ACTIVITY, y, "1") if observation == "gaussian" else (SPIKE_COUNT, y.astype(np.int64), "count")
    return xr.Dataset(
        {
            name: ((SESSION, TIME, NODE), values, {"units": unit}),
            "true_state": ((SESSION, TIME), state, plain),
            "weight": ((*pair, LAG), truth.coupling[..., None] * truth.history, plain),
            "coupling": (pair, truth.coupling, plain | {"long_name": "sum of the weights over lags"}),
            "edge_sign": (pair, truth.sign, plain),
            "edge_class_probability": ((TARGET, SOURCE, "edge_class"), truth.probability, plain),
            "bias": ((STATE, NODE), truth.bias, plain),
            "transition": ((STATE, "next_state"), truth.transition, plain),
            "initial": (STATE, truth.initial, plain),
        },
        coords={
            SESSION: [f"session_{k + 1:0{len(str(n_sessions))}d}" for k in range(n_sessions)],
            TIME: (TIME, np.arange(n_time) * _bin, {"units": "s"}),
            NODE: node,
            TARGET: node,
            SOURCE: node,
            STATE: np.arange(n_states),
            "next_state": np.arange(n_states),
            LAG: (LAG, np.arange(1, truth.history.size + 1) * _bin, {"units": "s"}),
            "edge_class": list(EDGE_CLASSES),
        },
    )


def _with_stimulus(data: xr.Dataset, truth: Truth, stimulus: Floats) -> xr.Dataset:
    plain = {"units": "1"}
    return data.assign(
        stimulus=((SESSION, TIME), stimulus, plain),
        covariate_weight=((STATE, NODE, "covariate"), truth.drive[..., None], plain),
        transition_weight=(("next_state", "covariate"), truth.tilt[:, None], plain),
    ).assign_coords(covariate=["stimulus"])
