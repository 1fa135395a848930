"""Of how many bits the arithmetic of a training step is."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Literal, get_args

import torch

from dynome.errors import InputError

Precision = Literal["float32", "bfloat16"]


def arithmetic(precision: Precision, device: str) -> AbstractContextManager[object]:
    """A block in which the products of a loss are taken in some precision; weights and gradients stay float32.

    Parameters
    ----------
    precision : {"float32", "bfloat16"}
        "bfloat16" rounds the factors of matrix products to 8 bits and leaves sums, norms and exponentials in float32
        (mixed precision [1]_). Its range is that of float32, so that no loss needs to be scaled. It saves time and
        memory on a recent card, and nothing on most CPUs.
    device : str
        Where the network is.

    Raises
    ------
    InputError
        If the precision is unknown, or the device lacks it.

    References
    ----------
    .. [1] Micikevicius et al. (2018), arXiv:1710.03740.

    Examples
    --------
    >>> with arithmetic("bfloat16", "cpu"):
    ...     (torch.ones(2, 2) @ torch.ones(2, 2)).dtype
    torch.bfloat16
    """
    if precision not in get_args(Precision):
        raise InputError(f"precision must be 'float32' or 'bfloat16', got {precision!r}")
    if precision == "float32":
        return nullcontext()
    kind = torch.device(device).type
    if kind == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise InputError(f"{torch.cuda.get_device_name(device)} has no bfloat16; use precision='float32'")
    return torch.autocast(kind, dtype=torch.bfloat16)
