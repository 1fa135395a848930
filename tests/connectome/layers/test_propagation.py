"""Evidence for connectome/layers/propagation.py and row_loops.py: every kernel is a matrix product, gradients too."""

import numpy as np
import pytest
import torch
from layer_inputs import N, S, edges, features, gradients, graph

from dynome import device
from dynome.connectome import message_graph, propagate
from dynome.connectome.layers import row_loops, thread_shares
from dynome.connectome.layers.propagation import prefers_dense, products_by_torch, summed_by_torch
from dynome.errors import InputError

KERNELS = ("dense", "sparse", "auto")


def matrix_of(found, weight):
    return torch.zeros(N, N, dtype=weight.dtype).index_put((found.target, found.source), weight)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kernel", KERNELS)
def test_messages_and_gradients_are_those_of_a_matrix_product(kernel, dtype):
    found, x = graph(), features(3, dtype=dtype)
    weight = torch.randn(60, dtype=dtype, generator=torch.Generator().manual_seed(1)).requires_grad_()
    own = torch.linspace(-1, 1, N, dtype=dtype).requires_grad_()
    out = propagate(found, x, weight=weight, own=own, kernel=kernel)
    reference = torch.einsum("ij,jsf->isf", matrix_of(found, weight), x) + own.view(-1, 1, 1) * x
    assert out.dtype == dtype
    torch.testing.assert_close(out, reference, atol=1e-5, rtol=1e-5)
    for ours, theirs in zip(gradients(out, x, weight, own), gradients(reference, x, weight, own), strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-4, rtol=1e-5)


@pytest.mark.parametrize("kernel", ["dense", "sparse"])
def test_gradients_agree_with_finite_differences(kernel):
    found = graph(n_edges=20)
    x, weight = features(2, s=2, dtype=torch.float64), torch.ones(20, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, w: propagate(found, x, weight=w, kernel=kernel), (x, weight))


@pytest.mark.parametrize("limits", [(1 << 20, (256, 512)), (1 << 20, (16, 32)), (1, (256, 512))])
@pytest.mark.parametrize("width", [1, 7, 64, 300, 1100])
def test_blocks_of_any_size_give_the_same_sums(monkeypatch, limits, width):
    monkeypatch.setattr(row_loops, "_CACHE", limits[0])
    monkeypatch.setattr(row_loops, "_WIDTH", limits[1])
    found = graph()
    x, g = (features(width, seed, s=1).detach()[:, 0] for seed in (0, 1))
    matrix = matrix_of(found, found.weight[:, 0])
    torch.testing.assert_close(propagate(found, x, kernel="sparse"), matrix @ x, atol=1e-4, rtol=1e-5)
    ends = found.source.numpy(), found.target.numpy()
    products = torch.from_numpy(row_loops.row_products(*ends, x.numpy(), g.numpy()))
    torch.testing.assert_close(products, (x[found.source] * g[found.target]).sum(1), atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("width", [40, 2000])
def test_threads_change_nothing(monkeypatch, width):
    monkeypatch.setattr(thread_shares, "_MANY", 1)
    found, x = graph(), features(width)
    alone = propagate(found, x, kernel="sparse")
    with device.threads(3):
        torch.testing.assert_close(propagate(found, x, kernel="sparse"), alone, atol=0, rtol=0)


def test_operations_of_torch_alone_agree_with_the_loops():
    found, x, g = graph(), *(features(4, seed).detach().flatten(1) for seed in (0, 1))
    weight, own = found.weight[:, 0], torch.rand(N)
    matrix = matrix_of(found, weight) + torch.diag(own)
    torch.testing.assert_close(summed_by_torch(found, x, weight, own, backward=False), matrix @ x, atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(
        summed_by_torch(found, g, weight, own, backward=True), matrix.T @ g, atol=1e-4, rtol=1e-5
    )
    for chunk in (1, 1000, 1 << 24):
        products = products_by_torch(found, x, g, chunk)
        torch.testing.assert_close(products, (x[found.source] * g[found.target]).sum(1))


def test_a_relation_is_a_column_and_none_is_their_sum():
    found, x = graph(), features(2)
    two = found._replace(weight=torch.cat([found.weight, 2 * found.weight], 1), relations=("p", "q"))
    torch.testing.assert_close(propagate(two, x, 1), 2 * propagate(found, x))
    torch.testing.assert_close(propagate(two, x), 3 * propagate(found, x))
    with pytest.raises(InputError, match=r"relation must be below 2 \(p, q\), got 2"):
        propagate(two, x, 2)


def test_messages_lead_from_source_to_target():
    x = torch.tensor([[1.0], [10.0], [100.0]])
    assert propagate(message_graph(([0], [2]), nodes=3), x).flatten().tolist() == [0, 0, 1]


def test_the_kernel_follows_the_density():
    assert not prefers_dense(graph())
    assert prefers_dense(message_graph(edges(0, 200, isolated=False), nodes=N))


def test_nan_stays_with_those_who_receive_it():
    found, x = message_graph(([0, 1], [1, 2]), nodes=4), torch.ones(4, 1)
    x[0] = torch.nan
    assert torch.isnan(propagate(found, x, kernel="sparse")).flatten().tolist() == [False, True, False, False]


def test_wrong_features_are_refused():
    with pytest.raises(InputError, match=r"must be \(node, snapshot, feature\) with 17 nodes, got shape \(3, 2\)"):
        propagate(graph(), torch.zeros(3, 2))
    with pytest.raises(InputError, match="kernel must be one of"):
        propagate(graph(), torch.zeros(N, S, 1), kernel="csr")


def test_a_matrix_that_cannot_fit_is_refused():
    with pytest.raises(InputError, match="dense matrix of 100000 nodes would not fit"):
        propagate(message_graph(([0], [1]), nodes=100_000), torch.zeros(100_000, 1), kernel="dense")


def test_empty_graphs_and_no_snapshots_pass():
    none = np.zeros(0, dtype=int)
    assert propagate(message_graph((none, none), nodes=2), torch.ones(2, 3, 4)).eq(0).all()
    assert propagate(graph(), torch.ones(N, 0, 4)).shape == (N, 0, 4)
