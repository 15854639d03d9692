"""The same two systems in PyTorch, and what of the JAX parameters goes where in them."""

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from .workloads import Workload

# Keras' momentum .99 is PyTorch's .01.
BATCH_NORM = {"eps": 1e-3, "momentum": 0.01}


class ParallelCnnLstm(nn.Module):
  """Frames [B, T, H, W] -> logits [B, K]; mer_jax.models.ParallelCnnLstm at its defaults."""

  def __init__(self, frames: int, size: int, config: Any, classes: int):
    """The sizes of `config`, a config's section `model`."""
    super().__init__()
    widths = (frames, *config.channels)
    self.convolutions = nn.Sequential()
    for inward, outward in itertools.pairwise(widths):
      self.convolutions.extend([nn.Conv2d(inward, outward, 3, padding=1), nn.ReLU()])
      self.convolutions.append(nn.MaxPool2d(2))
    side = size // 2 ** len(config.channels)
    self.cnn_dense = nn.Linear(side * side * widths[-1], config.cnn_features)
    self.lstm = nn.LSTM(size * size, config.lstm_features, batch_first=True)
    # PyTorch adds two biases that always get the same gradient: together they would learn at twice
    # the rate. The second one stays zero.
    second = self.lstm.get_parameter("bias_hh_l0")
    nn.init.zeros_(second)
    second.requires_grad_(False)
    self.head = nn.Linear(config.cnn_features + config.lstm_features, config.head_features)
    self.dropout = nn.Dropout(config.dropout)
    self.logits = nn.Linear(config.head_features, classes)

  def forward(self, frames: torch.Tensor) -> torch.Tensor:
    """The frames are the channels of the CNN's image and the steps of the LSTM's sequence."""
    cnn = torch.relu(self.cnn_dense(self.convolutions(frames).flatten(1)))
    states, _ = self.lstm(frames.flatten(2))
    fused = torch.relu(self.head(torch.cat([cnn, states[:, -1]], dim=1)))
    return self.logits(self.dropout(fused))


class Ststnet(nn.Module):
  """Flow image [B, 3, H, W] -> logits [B, K]; the streams as one convolution, as in mer_jax."""

  def __init__(self, size: int, config: Any, classes: int):
    """The sizes of `config`, a config's section `model`."""
    super().__init__()
    filters = sum(config.streams)
    self.streams = nn.Conv2d(3, filters, 3, padding=1)
    self.norm = nn.BatchNorm2d(filters, **BATCH_NORM)
    self.max_pool = nn.MaxPool2d(3, padding=1)
    self.dropout = nn.Dropout(config.dropout)
    self.avg_pool = nn.AvgPool2d(2)
    side = (size + 2) // 3 // 2
    self.logits = nn.Linear(side * side * filters, classes)

  def forward(self, image: torch.Tensor) -> torch.Tensor:
    """Convolution, ReLU, batch norm, pooling, dropout, pooling, one dense layer."""
    x = self.max_pool(self.norm(torch.relu(self.streams(image))))
    return self.logits(self.avg_pool(self.dropout(x)).flatten(1))


def build(work: Workload, device: torch.device) -> nn.Module:
  """A fresh module for `work`, with PyTorch's own initial values."""
  config, classes = work.config.model, len(work.split.class_names)
  if work.name == "ststnet":
    return Ststnet(work.arrays["image"].shape[1], config, classes).to(device)
  frames, size = work.arrays["frames"].shape[1:3]
  return ParallelCnnLstm(frames, size, config, classes).to(device)


def inputs(work: Workload, device: torch.device) -> torch.Tensor:
  """The inputs of all clips in PyTorch's layout, channels first."""
  if work.name == "ststnet":
    array = work.arrays["image"].transpose(0, 3, 1, 2)
  else:
    array = work.arrays["frames"][..., 0]
  return torch.tensor(np.ascontiguousarray(array), device=device)


def optimizer(work: Workload, model: nn.Module) -> torch.optim.Optimizer:
  """PyTorch's optimiser with the hyper-parameters of the config."""
  config = work.config.optimizer
  trained = [p for p in model.parameters() if p.requires_grad]
  if config.name == "sgd":
    return torch.optim.SGD(trained, lr=config.learning_rate, momentum=config.momentum)
  return torch.optim.Adam(trained, lr=config.learning_rate, betas=(config.momentum, 0.999))


def converted(name: str, tree: Mapping[str, Any]) -> dict[str, np.ndarray]:
  """Parameters of the JAX model `name`, or their gradients, by PyTorch's names in its layout."""
  found = {}
  # mer_jax has the normalisation within the layer that it normalises.
  inner = {key: leaf for leaves in tree.values() for key, leaf in leaves.items() if key == "norm"}
  for layer, leaves in {**tree, **inner}.items():
    if layer == "lstm":  # both order the gates input, forget, cell, output
      found["lstm.weight_ih_l0"] = np.asarray(leaves["kernel"]).T
      found["lstm.weight_hh_l0"] = np.asarray(leaves["recurrent"]).T
      found["lstm.bias_ih_l0"] = np.asarray(leaves["bias"])
    elif layer == "norm":
      found["norm.weight"] = np.asarray(leaves["scale"])
      found["norm.bias"] = np.asarray(leaves["bias"])
    else:
      place = _place(layer)
      kernel = np.asarray(leaves["kernel"])
      if kernel.ndim == 4:  # [height, width, in, out] -> [out, in, height, width]
        found[f"{place}.weight"] = kernel.transpose(3, 2, 0, 1)
      else:
        found[f"{place}.weight"] = _dense(name, layer, kernel, tree)
      found[f"{place}.bias"] = np.asarray(leaves["bias"])
  return found


def load(name: str, model: nn.Module, params: Mapping[str, Any]) -> None:
  """Puts the parameters of the JAX model `name` into `model`."""
  weights = {key: torch.tensor(value) for key, value in converted(name, params).items()}
  missing, unexpected = model.load_state_dict(weights, strict=False)
  own = [key for key in missing if "running" not in key and "num_batches" not in key]
  if unexpected or own not in ([], ["lstm.bias_hh_l0"]):
    raise ValueError(f"The parameters do not fit: missing {own}, unexpected {unexpected}.")


def _place(layer: str) -> str:
  # A convolution, its ReLU and its pooling are three entries of the sequence.
  return f"convolutions.{3 * (int(layer[4:]) - 1)}" if layer.startswith("conv") else layer


def _dense(name: str, layer: str, kernel: np.ndarray, tree: Mapping[str, Any]) -> np.ndarray:
  """[in, out] -> [out, in]; behind an image, `in` counts (h, w, c) here and (c, h, w) there."""
  convolution = {("parallel_cnn_lstm", "cnn_dense"): "conv", ("ststnet", "logits"): "streams"}
  before = convolution.get((name, layer))
  if before is None:
    return kernel.T
  last = max(key for key in tree if key.startswith(before))
  channels = np.shape(tree[last]["bias"])[0]
  side = math.isqrt(len(kernel) // channels)
  image = kernel.reshape(side, side, channels, -1)
  return image.transpose(3, 2, 0, 1).reshape(kernel.shape[1], -1)
