"""Evidence for device.py: a device that is named exists, and thread limits end where they began."""

from __future__ import annotations

import sys
import types

import pytest

from dynome import device
from dynome.errors import InputError


def fake_torch(monkeypatch, *, cards=0, metal=False):
    """A torch that sees other hardware than this machine has."""
    torch = types.ModuleType("torch")
    torch.cuda = types.SimpleNamespace(is_available=lambda: cards > 0, device_count=lambda: cards)
    torch.backends = types.SimpleNamespace(mps=types.SimpleNamespace(is_available=lambda: metal))
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setattr(device, "find_spec", lambda name: object())


@pytest.mark.parametrize(
    ("cards", "metal", "expected"), [(0, False, "cpu"), (2, False, "cuda"), (0, True, "mps"), (1, True, "cuda")]
)
def test_auto_is_cuda_then_mps_then_cpu(monkeypatch, cards, metal, expected):
    fake_torch(monkeypatch, cards=cards, metal=metal)
    assert device.resolve() == expected
    assert device.resolve("cpu") == "cpu"


def test_one_card_of_several_can_be_named(monkeypatch):
    fake_torch(monkeypatch, cards=2)
    assert device.resolve("cuda:1") == "cuda:1"


@pytest.mark.parametrize("name", ["cuda:2", "cuda:", "cuda:x", "mps", "cpu:1"])
def test_a_device_that_is_not_there_is_refused_with_those_that_are(monkeypatch, name):
    fake_torch(monkeypatch, cards=2)
    with pytest.raises(InputError, match=rf"'{name}' is not available here \(found: cpu, cuda, cuda:0, cuda:1\)"):
        device.resolve(name)


@pytest.mark.parametrize("name", ["gpu", "", "CUDA", None, 0])
def test_an_unknown_device_is_refused(name):
    with pytest.raises(InputError, match="device must be 'auto', 'cpu', 'cuda', 'cuda:N' or 'mps'"):
        device.resolve(name)


def test_without_torch_everything_runs_on_the_cpu(monkeypatch):
    monkeypatch.setattr(device, "find_spec", lambda name: None)
    assert device.resolve() == "cpu"
    with pytest.raises(InputError, match=r"'cuda' is not available here \(found: cpu\)"):
        device.resolve("cuda")


def blas_threads():
    from threadpoolctl import threadpool_info

    return [pool["num_threads"] for pool in threadpool_info()]


@pytest.fixture
def two_threads():
    """Two threads for everything, whatever this machine has."""
    from threadpoolctl import threadpool_limits

    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    with threadpool_limits(2):
        torch.set_num_threads(2)
        yield torch
    torch.set_num_threads(before)


def test_threads_are_limited_inside_the_block_and_restored_after_an_error(two_threads):
    def limited():
        with device.threads(1):
            assert set(blas_threads()) == {1}
            assert two_threads.get_num_threads() == 1
            raise RuntimeError("boom")

    before = blas_threads()
    assert 2 in before  # numpy brings a BLAS whose threads can be counted
    with pytest.raises(RuntimeError, match="boom"):
        limited()
    assert blas_threads() == before
    assert two_threads.get_num_threads() == 2


def test_torch_is_not_loaded_for_the_sake_of_its_threads(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    with device.threads(1):
        assert "torch" not in sys.modules


@pytest.mark.parametrize("n", [0, -3])
def test_less_than_one_thread_is_refused(n):
    with pytest.raises(InputError, match=f"threads must be at least 1, got {n}"), device.threads(n):
        pass
