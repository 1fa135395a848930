"""Transfer entropy: what the past of the source tells of the target beyond the target's own past."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dynome.errors import InputError
from dynome.inference.wiring.regressions import gaussian_transfer_entropy
from dynome.inference.wiring.samples import Sample
from dynome.inference.wiring.words import discrete_transfer_entropy

Law = Literal["gaussian", "discrete"]


def transfer_entropy(
    sample: Sample,
    *,
    law: Law | None = None,
    n_lags: int = 3,
    n_past: int | None = None,
    n_levels: int | None = None,
    conditional: bool | None = None,
) -> NDArray[np.float64]:
    """Transfer entropy in nats, (source, target).

    Parameters
    ----------
    sample : Sample
    law : {"gaussian", "discrete"} or None
        None: discrete for counts, Gaussian otherwise.
    n_lags : int
        Bins of the source's past: taken together (Gaussian), or one at a time, of which the largest counts (discrete).
    n_past, n_levels : int or None
        Discrete only: bins of the target's past (None: 2), and levels (None: 2).
    conditional : bool or None
        Gaussian only: given the past of all other nodes too (None: no).
    """
    chosen = law or ("discrete" if sample.counts else "gaussian")
    own: dict[str, dict[str, Any]] = {
        "discrete": {"n_past": n_past, "n_levels": n_levels},
        "gaussian": {"conditional": conditional},
    }
    if chosen not in own:
        raise InputError(f"law of transfer_entropy must be 'gaussian' or 'discrete', got {law!r}")
    given = {k: v for options in own.values() for k, v in options.items() if v is not None}
    if foreign := [k for k in given if k not in own[chosen]]:
        raise InputError(f"transfer_entropy of {chosen} activity has no use for {', '.join(foreign)}; set law=")
    function = discrete_transfer_entropy if chosen == "discrete" else gaussian_transfer_entropy
    found: NDArray[np.float64] = function(sample, n_lags=n_lags, **given)
    return found
