"""(c) Leave-one-subject-out in PyTorch, one fold after another, as its users write it.

With two favours to it: the clips lie on the device from the start, and a batch is one indexing
operation, without a DataLoader's work for each clip.
"""

import numpy as np
import torch
from torch import nn

from . import machine, torch_models
from .workloads import Workload


class TorchLoop:
  """(c) PyTorch, fold by fold."""

  def __init__(self, work: Workload):
    """A model and an optimiser for each fold; all cores, or the GPU where there is one."""
    self.device = torch_device()
    torch.set_num_threads(machine.cores())
    torch.manual_seed(0)
    self.inputs = torch_models.inputs(work, self.device)
    self.labels = torch.tensor(work.split.labels, dtype=torch.long, device=self.device)
    self.trains = [
      torch.tensor(np.flatnonzero(~held), device=self.device) for held in work.split.held_out
    ]
    self.models = [torch_models.build(work, self.device) for _ in self.trains]
    self.optimizers = [torch_models.optimizer(work, model) for model in self.models]
    self.batch_size = work.config.training.batch_size
    self.clips = sum(map(len, self.trains))

  def warm_up(self) -> None:
    """One step of the first fold."""
    self._step(0, self.trains[0][: self.batch_size])
    self._wait()

  def epoch(self) -> None:
    """Every fold through a permutation of its own training clips."""
    for f, trains in enumerate(self.trains):
      order = trains[torch.randperm(len(trains), device=self.device)]
      for batch in order.split(self.batch_size):
        self._step(f, batch)
    self._wait()

  def _step(self, f: int, batch: torch.Tensor) -> None:
    self.models[f].train()
    step(self.models[f], self.optimizers[f], self.inputs[batch], self.labels[batch])

  def _wait(self) -> None:
    if self.device.type == "cuda":
      torch.cuda.synchronize()


def step(
  model: nn.Module, optimizer: torch.optim.Optimizer, inputs: torch.Tensor, labels: torch.Tensor
) -> torch.Tensor:
  """One optimisation step on `inputs` [B, ...] and `labels` [B]; returns the loss."""
  optimizer.zero_grad()
  loss = nn.functional.cross_entropy(model(inputs), labels)
  loss.backward()
  optimizer.step()
  return loss.detach()


def torch_device() -> torch.device:
  """The GPU if PyTorch sees one."""
  return torch.device("cuda" if torch.cuda.is_available() else "cpu")
