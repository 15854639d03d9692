"""The benchmark's own proof, at small size: mer_jax and PyTorch compute the same thing."""

import numpy as np
import pytest

from . import workloads

torch = pytest.importorskip("torch", reason="the extra `peers` is not installed")

from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from . import flops, parity, torch_models  # noqa: E402  they need PyTorch


@pytest.fixture(scope="module", params=workloads.WORKLOADS)
def work(request) -> workloads.Workload:
  return workloads.make(request.param, quick=True)


def test_all_contenders_compute_the_same(work):
  deviations = parity.prove(work)
  assert set(deviations) == set(parity.TOLERANCE)
  assert deviations["gradients"] > 0  # two programs never round alike everywhere


def slower_optimizer(work, model):
  optimizer = torch.optim.SGD(model.parameters(), lr=work.config.optimizer.learning_rate / 2)
  for group in optimizer.param_groups:
    group["momentum"] = work.config.optimizer.momentum
  return optimizer


def other_gates(name, tree):
  found = CONVERTED(name, tree)
  size = len(found["lstm.bias_ih_l0"]) // 4
  order = np.r_[0:size, size * 2 : size * 3, size : size * 2, size * 3 : size * 4]
  return found | {"lstm.bias_ih_l0": found["lstm.bias_ih_l0"][order]}


def channels_first_flattening(name, layer, kernel, tree):
  return kernel.T


CONVERTED = torch_models.converted


@pytest.mark.parametrize(
  ("function", "replacement"),
  [
    ("optimizer", slower_optimizer),
    ("converted", other_gates),
    ("_dense", channels_first_flattening),
  ],
)
def test_a_difference_is_noticed(monkeypatch, function, replacement):
  work = workloads.make("parallel_cnn_lstm", quick=True)
  monkeypatch.setattr(torch_models, function, replacement)
  with pytest.raises(parity.ParityError, match="do not compute the same"):
    parity.prove(work)


def test_operations_are_those_that_pytorch_counts(work):
  """Forward and backward; PyTorch does not count the LSTM, which it runs as one operation."""
  counter = FlopCounterMode(display=False)
  model = torch_models.build(work, torch.device("cpu"))
  clips = torch_models.inputs(work, torch.device("cpu"))[:4]
  with counter:
    model(clips).sum().backward()
  own = [p for p in flops.products(work) if not p.layer.startswith("lstm")]
  counted = sum(2 * p.pairs * (2 if p.of_data else 3) for p in own)
  assert counter.get_total_flops() == 4 * counted
  assert flops.per_clip(work) >= counted


@pytest.mark.parametrize("tree", [{}, {"tail": {"kernel": np.ones((2, 3)), "bias": np.ones(3)}}])
def test_parameters_that_do_not_fit_are_refused(work, tree):
  model = torch_models.build(work, torch.device("cpu"))
  with pytest.raises(ValueError, match="do not fit"):
    torch_models.load(work.name, model, tree)
