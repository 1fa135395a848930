"""What `make_switching_glm` takes: names of laws and links, and every argument that is out of range."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from dynome.errors import Problems

Observation = Literal["poisson", "bernoulli", "negative_binomial", "gaussian"]
Link = Literal["sigmoid", "softplus", "exp", "identity"]
Initial = Literal["uniform", "first"]

links: dict[str, tuple[Link, ...]] = {  # the first is the default
    "poisson": ("sigmoid", "softplus", "exp"),
    "bernoulli": ("sigmoid",),
    "negative_binomial": ("softplus", "exp", "sigmoid"),
    "gaussian": ("identity",),
}


def add_size_problems(numbers: dict[str, int], problems: Problems, least: int = 1) -> None:
    """Sizes are whole numbers from `least` on."""
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            problems.add(f"{name} must be a whole number >= {least}, got {value!r}")


def add_law_problems(observation: str, link: str | None, dispersion: float | None, problems: Problems) -> None:
    """The law is known, takes the link, and has a dispersion if one is given."""
    if observation not in links:
        problems.add(f"observation must be one of {', '.join(links)}, got {observation!r}")
    elif link is not None and link not in links[observation]:
        problems.add(f"link of {observation} must be one of {', '.join(links[observation])}, got {link!r}")
    add_dispersion_problems(observation, dispersion, problems)


def add_dispersion_problems(observation: str, dispersion: float | None, problems: Problems) -> None:
    """A dispersion is positive, and given only to laws that have one."""
    if dispersion is not None and not 0 < dispersion < np.inf:
        problems.add(f"dispersion must be positive and finite, got {dispersion:g}")
    if dispersion is not None and observation in ("poisson", "bernoulli"):
        problems.add(f"{observation} observations have no dispersion; leave it out")


def add_edge_problems(
    class_probability: tuple[float, float, float],
    strength: float | None,
    bias: tuple[float, float],
    problems: Problems,
) -> None:
    """Classes, strengths and offsets of edges and nodes are in range."""
    share = np.asarray(class_probability, dtype=np.float64)
    if share.shape != (3,) or not (share > 0).all() or not np.isclose(share.sum(), 1):
        problems.add(
            f"class_probability must be three positive numbers (inhibitory, none, excitatory) that sum to 1, got "
            f"{class_probability}"
        )
    if strength is not None and not 0 <= strength < np.inf:
        problems.add(f"strength must be zero or more and finite, got {strength:g}")
    span = np.asarray(bias, dtype=np.float64)
    if span.shape != (2,) or not np.isfinite(span).all() or span[0] > span[1]:
        problems.add(f"bias must be a range (low, high), got {bias}")


def add_state_problems(
    effects: dict[str, float], stay: float, initial: str, dwell_phases: int, problems: Problems
) -> None:
    """States last, begin and answer to the stimulus as they can."""
    for name, value in effects.items():
        if not 0 <= value < np.inf:
            problems.add(f"{name} must be zero or more and finite, got {value:g}")
    if not 0 <= stay < 1:
        problems.add(f"stay must be at least 0 and less than 1, got {stay:g}")
    elif dwell_phases * (1 - stay) > 1:
        problems.add(f"{dwell_phases} phases take as many bins; stay must be at least {1 - 1 / dwell_phases:g}")
    if initial not in get_args(Initial):
        problems.add(f"initial must be one of {', '.join(get_args(Initial))}, got {initial!r}")
    if effects["transition_effect"] and dwell_phases > 1:
        problems.add("transition_effect needs dwell_phases=1: a stimulus does not act on phases")
