"""Similarity matrices and point partitions of labelled draws, whatever sampled them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.errors import InputError, Problems
from dynome.inference.biclustering.partitions import least_variation, maxpear, similarity, uncertainty
from dynome.schema import CHAIN, DRAW

Loss = Literal["pear", "vi"]


def similarity_matrix(draws: xr.DataArray, *, over: str | Sequence[str] = (CHAIN, DRAW)) -> xr.DataArray:
    """Share of draws in which two items carry one label: the posterior similarity matrix.

    Parameters
    ----------
    draws : (chain, draw, item) integers
        Cluster of each node, or state of each bin, in each draw; the item dim may have any name. Only which labels are
        equal within a draw matters. -1 and NaN are refused.
    over : str or sequence of str
        Dims of the draws.

    Returns
    -------
    (item, other_item) float32, dimensionless
        Symmetric, 1 on the diagonal. Memory: 4 bytes times the number of items squared.

    Raises
    ------
    InputError
        If there is not one item dim, or a label is missing.

    Examples
    --------
    >>> draws = xr.DataArray([[0, 0, 1], [1, 1, 1]], dims=("draw", "node"), coords={"node": list("abc")})
    >>> similarity_matrix(draws, over=["draw"]).sel(node="a").to_numpy().tolist()
    [1.0, 1.0, 0.5]
    """
    values, dim = _partitions(draws, over, "cannot compare items")
    coords = {n: c for n, c in draws.coords.items() if set(c.dims) <= {dim}}
    other = f"other_{dim}"
    if dim in coords:
        coords[other] = (other, draws[dim].to_numpy())
    about = {"units": "1", "long_name": "share of draws that join two items", "n_draws": values.shape[0]}
    return xr.DataArray(similarity(values), dims=(dim, other), coords=coords, name="similarity", attrs=about)


def point_partition(
    draws: xr.DataArray, loss: Loss = "pear", *, over: str | Sequence[str] = (CHAIN, DRAW)
) -> xr.Dataset:
    r"""One partition that stands for many draws, with any number of clusters.

    Parameters
    ----------
    draws : (chain, draw, item) integers
        As `similarity_matrix` takes them.
    loss : {"pear", "vi"}
        The largest posterior expected adjusted Rand index, or the least expected variation of information. The second
        tends to fewer clusters where the draws disagree.
    over : str or sequence of str
        Dims of the draws.

    Returns
    -------
    Dataset
        ``label (item)``, 0, 1, ... by size; ``uncertainty (item)``: 1 minus the overlap (Jaccard index) of an item's
        cluster in a draw with that in the partition, mean over draws; 0 for one that always has the same company. The
        attribute ``expected_adjusted_rand`` or ``expected_variation_bits`` says how well the partition stands for the
        draws.

    Raises
    ------
    InputError
        If the loss is unknown, there is not one item dim, or a label is missing.

    Notes
    -----
    With :math:`\pi_{ij}` the similarity and :math:`I_{ij}` whether the partition joins two items, the first maximises

    .. math:: \frac{\sum I\pi - \sum I \sum\pi / \binom{n}{2}}
        {\frac{1}{2}(\sum I + \sum\pi) - \sum I \sum\pi / \binom{n}{2}}

    over pairs (Fritsch and Ickstadt 2009, doi:10.1214/09-BA414), starting at the cuts of the average-linkage tree, all
    of them. The second follows Wade and Ghahramani (2018, doi:10.1214/17-BA1073). Both searches are greedy and
    repeatable: for up to 7 items they find the best of all partitions in our tests; nothing is proven for more.

    Examples
    --------
    >>> draws = xr.DataArray([[0, 0, 1, 1], [1, 1, 0, 0], [0, 0, 0, 1]], dims=("draw", "node"))
    >>> point_partition(draws, over=["draw"]).label.to_numpy().tolist()
    [0, 0, 1, 1]
    """
    if loss not in ("pear", "vi"):
        raise InputError(f'loss must be "pear" or "vi", got {loss!r}')
    values, dim = _partitions(draws, over, "cannot choose a partition")
    found = maxpear(values) if loss == "pear" else least_variation(values)
    told = "expected_adjusted_rand" if loss == "pear" else "expected_variation_bits"
    about = {"units": "1"}
    return xr.Dataset(
        {
            "label": (dim, found.labels, about | {"long_name": "cluster"}),
            "uncertainty": (dim, uncertainty(values, found.labels), about | {"long_name": "change of company"}),
        },
        coords={n: c for n, c in draws.coords.items() if set(c.dims) <= {dim}},
        attrs={told: found.value, "loss": loss, "n_draws": values.shape[0]},
    )


def _partitions(draws: xr.DataArray, over: str | Sequence[str], subject: str) -> tuple[NDArray[np.int64], str]:
    """(draw, item) labels without gaps, and the name of the item dim."""
    problems = Problems(subject)
    over = (over,) if isinstance(over, str) else over
    missing = [d for d in over if d not in draws.dims]
    items = [str(d) for d in draws.dims if d not in over]
    if missing or len(items) != 1:
        problems.add(
            f"expected the dims {', '.join(over)} and one of items, found {', '.join(map(str, draws.dims)) or 'none'}; "
            "name the dims of the draws by over=..., and stack several dims of items into one"
        )
        problems.fail(InputError)
    values = draws.transpose(*over, *items).to_numpy().reshape(-1, draws.sizes[items[0]])
    if not values.size:
        problems.add("expected at least one draw of one item, found none")
    elif values.dtype.kind == "f" and not (np.isfinite(values) & (values == np.round(values))).all():
        problems.add("labels must be integers, found NaN or fractions; drop items without a label first")
    elif values.dtype.kind not in "iuf":
        problems.add(f"labels must be integers, found {values.dtype}")
    elif (negative := int((values < 0).sum())) > 0:
        problems.add(f"{negative} labels are negative (-1 is padding); drop those items first")
    problems.raise_if_any(InputError)
    _, codes = np.unique(values, return_inverse=True)
    return codes.reshape(values.shape).astype(np.int64), items[0]
