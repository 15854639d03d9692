"""Floating point operations of a training step, counted from the layers' shapes.

Only products count (convolutions, dense layers, the LSTM), as direct sums of multiplications and
additions: 2 for each pair, once for the output, once for the gradient of the weights, and once for
the gradient of the input, except where that input is the data. Everything else (bias, ReLU,
pooling, normalisation, dropout, the optimiser) is left out, so no rate that follows from this count
can reach that of a bare matrix product.
"""

from typing import NamedTuple

from .workloads import Workload


class Product(NamedTuple):
  """A product of one example: `pairs` multiplied and added; `of_data` if its input is the data."""

  layer: str
  pairs: int
  of_data: bool = False


def per_clip(work: Workload) -> int:
  """Operations forward and backward for one clip."""
  return sum(2 * p.pairs * (2 if p.of_data else 3) for p in products(work))


def products(work: Workload) -> list[Product]:
  """The products of one clip, in the order of the layers."""
  return PRODUCTS[work.name](work)


def _parallel_cnn_lstm(work: Workload) -> list[Product]:
  model = work.config.model
  t, h, w, c = work.arrays["frames"].shape[1:]
  found, channels = [], t * c
  for i, features in enumerate(model.channels):
    found.append(Product(f"conv{i + 1}", h * w * 9 * channels * features, i == 0))
    channels, h, w = features, h // 2, w // 2
  frame = work.arrays["frames"][0, 0].size
  hidden = model.lstm_features
  return [
    *found,
    Product("cnn_dense", h * w * channels * model.cnn_features),
    Product("lstm, input", t * frame * 4 * hidden, True),
    Product("lstm, state", t * hidden * 4 * hidden),
    Product("head", (model.cnn_features + hidden) * model.head_features),
    Product("logits", model.head_features * len(work.split.class_names)),
  ]


def _ststnet(work: Workload) -> list[Product]:
  h, w, c = work.arrays["image"].shape[1:]
  filters = sum(work.config.model.streams)
  pooled_h, pooled_w = ((n + 2) // 3 // 2 for n in (h, w))
  return [
    Product("streams", h * w * 9 * c * filters, True),
    Product("logits", pooled_h * pooled_w * filters * len(work.split.class_names)),
  ]


PRODUCTS = {"parallel_cnn_lstm": _parallel_cnn_lstm, "ststnet": _ststnet}
