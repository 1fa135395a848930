"""How scans become graphs and how graphs are encoded: plain values that models share and store."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, get_args

from dynome.errors import Problems

Unit = Literal["s", "samples"]
Closed = Literal["inclusive", "stagin"]
Wiring = Literal["observed", "empty", "shuffled"]
Timestamp = Literal["none", "sinusoidal", "gru"]


class GraphSettings(NamedTuple):
    """How a scan becomes a sequence of graphs.

    Attributes
    ----------
    window, stride : float
        Width of a window, and from one start to the next.
    unit : {"s", "samples"}
        Of `window` and `stride`.
    closed : {"inclusive", "stagin"}
        Whether the last whole window counts when it ends on the last sample; STAGIN [1]_ drops it.
    density : float
        Share of all entries of a window's correlation matrix, diagonal included, that become edges.
    wiring : {"observed", "empty", "shuffled"}
        Controls: "empty" keeps self loops only, "shuffled" gives each node the neighbours of another one, drawn anew
        for each window.

    References
    ----------
    .. [1] Kim, Ye & Kim (2021), NeurIPS, arXiv:2105.13495.
    """

    window: float = 50.0
    stride: float = 12.0
    unit: Unit = "s"
    closed: Closed = "inclusive"
    density: float = 0.3
    wiring: Wiring = "observed"


class EncoderSettings(NamedTuple):
    """Shape of a graph encoder.

    Attributes
    ----------
    hidden, n_layers : int
        Features of a node, and layers.
    timestamp : {"none", "sinusoidal", "gru"}
        What a node is told about the time of its window: nothing; seconds since the start; the state at the end of the
        window of a recurrent network that reads all regions from the start of the recording.
    """

    hidden: int = 64
    n_layers: int = 4
    timestamp: Timestamp = "none"


def add_graph_problems(settings: GraphSettings, problems: Problems) -> None:
    """Note everything that is wrong with graph settings, before any scan is known."""
    for name in ("window", "stride"):
        add_positive(problems, name, getattr(settings, name))
    add_choice(problems, "unit", settings.unit, get_args(Unit))
    add_choice(problems, "closed", settings.closed, get_args(Closed))
    add_choice(problems, "wiring", settings.wiring, get_args(Wiring))
    density = settings.density
    if not _is_number(density) or not 0 < density < 1:
        problems.add(f"density must be between 0 and 1, got {density!r}")


def add_encoder_problems(settings: EncoderSettings, problems: Problems) -> None:
    """Note everything that is wrong with encoder settings."""
    add_count(problems, "hidden", settings.hidden)
    add_count(problems, "n_layers", settings.n_layers)
    add_choice(problems, "timestamp", settings.timestamp, get_args(Timestamp))


def add_positive(problems: Problems, name: str, value: Any) -> None:
    """Note a value that is no positive finite number."""
    if not _is_number(value) or not 0 < value < float("inf"):
        problems.add(f"{name} must be a positive number, got {value!r}")


def add_count(problems: Problems, name: str, value: Any, least: int = 1) -> None:
    """Note a value that is no integer of at least `least`."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < least:
        problems.add(f"{name} must be an integer of at least {least}, got {value!r}")


def add_share(problems: Problems, name: str, value: Any) -> None:
    """Note a value that is not from 0 to below 1."""
    if not _is_number(value) or not 0 <= value < 1:
        problems.add(f"{name} must be at least 0 and below 1, got {value!r}")


def add_choice(problems: Problems, name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Note a value that is none of the choices."""
    if value not in choices:
        problems.add(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool | str) and hasattr(value, "__float__")
