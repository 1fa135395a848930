"""Messages that keep excitation and inhibition apart."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dynome.connectome.layers.convolutions import mapped_sum
from dynome.connectome.layers.linear_maps import linear
from dynome.connectome.layers.message_graphs import MessageGraph
from dynome.connectome.layers.propagation import Kernel, check_features


class SignedLayer(nn.Module):
    r"""One linear map for excitatory inputs, one for inhibitory ones, one for those of unknown sign, one for the node.

    Parameters
    ----------
    n_in, n_out : int
        Features per node before and after.
    generator : torch Generator or None
        Source of the first weights.
    kernel : {"auto", "dense", "sparse"}
        See `propagate`.

    Notes
    -----
    :math:`h_i = \sum_{c \in \{+, -, ?\}} W_c \sum_{e \in c} |w_e| x_{j(e)} / \sum_e |w_e| + W_s x_i + b`. All are
    divided by the same total, which keeps the balance of excitation and inhibition. A pair that several relations
    connect counts in the class of each. Gap junctions have no sign: they are in the third class.

    Examples
    --------
    >>> from dynome.connectome import message_graph
    >>> graph = message_graph(([0, 1], [2, 2], [2.0, -1.0]), nodes=3)
    >>> SignedLayer(4, 8)(graph, torch.zeros(3, 5, 4)).shape
    torch.Size([3, 5, 8])
    """

    def __init__(
        self, n_in: int, n_out: int, *, generator: torch.Generator | None = None, kernel: Kernel = "auto"
    ) -> None:
        super().__init__()
        self.kernel = kernel
        self.excitatory, self.inhibitory, self.unsigned = (linear(n_in, n_out, generator, bias=False) for _ in range(3))
        self.own = linear(n_in, n_out, generator)

    def forward(self, graph: MessageGraph, x: Tensor) -> Tensor:
        """Features (N, S, n_in) to (N, S, n_out)."""
        check_features(graph, x)
        size = graph.weight.abs().to(x.dtype)
        total = size.new_zeros(graph.n_nodes).index_add(0, graph.target, size.sum(1))
        share = size / torch.where(total == 0, 1, total)[graph.target].unsqueeze(1)
        out: Tensor = self.own(x)
        for sign, linear_map in ((1, self.excitatory), (-1, self.inhibitory), (0, self.unsigned)):
            weight = (share * (graph.sign == sign)).sum(1)
            if bool(weight.any()):
                out = out + mapped_sum(graph, x, weight, None, linear_map, self.kernel)
        return out
