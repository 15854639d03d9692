"""Tiny random problems, one for every model in the table."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mer_jax import models, training
from mer_jax.targets import SingleClass
from mer_jax.training import optimizers

FRAMES = {"frames": (6, 8, 8, 1)}
# Fields that make models small. A model without a line here is tested as it is, see below.
CASES: dict[str, tuple[str, dict[str, Any], str]] = {
  "parallel": (
    "parallel_cnn_lstm",
    {"channels": (4, 6), "cnn_features": 8, "lstm_features": 8, "head_features": 8},
    "frames",
  ),
  "parallel_with_batch_norm": (
    "parallel_cnn_lstm",
    {"channels": (4,), "lstm_features": 4, "norm": "batch", "cnn_branch": "td_gap"},
    "frames",
  ),
  "ststnet": ("ststnet", {}, "image"),
  "micro_attention": ("micro_attention", {"channels": (3,)}, "image"),
  "motion_net": ("motion_net", {"channels": (4, 6), "groups": 2, "features": 8}, "image"),
  "atnet": ("atnet", {"stream": "temporal", "lstm_features": 3}, "motion"),
  "off_apexnet": ("off_apexnet", {"channels": (2, 3), "features": 4}, "image"),
  "sssnet": ("sssnet", {"channels": (2, 3), "pools": (2, 2), "features": 4}, "image"),
  "rcn": ("rcn", {"channels": 4, "parts": 2}, "image"),
  "dual_inception": ("dual_inception", {"channels": (2,), "features": 4}, "image"),
  "off_tanet": ("off_tanet", {"channels": (2, 2, 4, 2), "heads": 2, "features": 4}, "image"),
  "htnet": ("htnet", {"patch": 6, "width": 4, "heads": 2, "repeats": (1,)}, "image"),
  "causalnet": (
    "causalnet",
    {
      "patch": 4,
      "width": 8,
      "heads": 2,
      "repeats": (1,),
      "features": 4,
      "cross_heads": 2,
      "cross_repeats": 1,
    },
    "frames",
  ),
  "pairwise_bilstm": ("pairwise_bilstm", {"channels": (2,), "lstm_features": 3}, "frames"),
  "state_cnn_lstm": (
    "state_cnn_lstm",
    {"channels": (2, 3), "features": 4, "lstm_features": 3},
    "frames",
  ),
  "dtscnn": ("dtscnn", {"channels": (4, 4, 4), "features": 8}, "frames"),
  "larnet": ("larnet", {"channels": (2, 3)}, "image"),
  "tsnn": ("tsnn", {"channels": (2,), "features": 4}, "apex and image and frames and ratios"),
}
# They are held to what is a model's own in the contract; the rest is the engine's.
PEERS = (
  *("off_apexnet", "sssnet", "rcn", "dual_inception", "off_tanet", "htnet", "causalnet"),
  *("pairwise_bilstm", "state_cnn_lstm", "dtscnn", "larnet", "tsnn"),
)
# Whole models whose programs take long to compile; the cases above hold every layer of them.
LARGER_CASES: dict[str, tuple[str, dict[str, Any], str]] = {
  "micro_attention_of_two_stages": ("micro_attention", {"channels": (3, 4)}, "image"),
  "rcn_f": ("rcn", {"form": "F", "channels": 4, "parts": 2}, "image"),
  "atnet_fusion": ("atnet", {"channels": (3,), "lstm_features": 3}, "image and motion"),
}


CASES |= {
  name: (name, {}, takes if isinstance(takes, str) else " and ".join(takes))
  for name, model in models.MODELS.items()
  if name not in {case[0] for case in CASES.values()}
  for takes in [getattr(model(num_classes=3), "takes")]  # noqa: B009
}


class Problem(NamedTuple):
  """N clips of F subjects, K = 3."""

  inputs: dict[str, np.ndarray]
  labels: np.ndarray
  held_out: np.ndarray
  names: tuple[str, ...]


def problem(takes: str, sizes: tuple[int, ...] = (5, 1, 3, 4, 6), seed: int = 0) -> Problem:
  """Random clips; subject f has sizes[f] of them, the third subject only clips of one class."""
  rng = np.random.default_rng(seed)
  owner = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
  n = len(owner)
  labels = rng.integers(0, 3, n)
  if len(sizes) > 2:
    labels[owner == 2] = 1
  if takes == "frames":
    lengths = rng.integers(2, 7, n)
    mask = np.arange(6)[None] < lengths[:, None]
    frames = rng.random((n, 6, 8, 8, 1), np.float32) * mask[:, :, None, None, None]
    inputs = {"frames": frames, "mask": mask}
  else:
    image, motion = rng.random((n, 12, 12, 3), np.float32), rng.random((n, 4, 6), np.float32)
    inputs = {"image": image, "motion": motion}
    if "apex" in takes:
      inputs |= {"apex": image[..., :1], "ratios": motion[:, 0, :2]}
      inputs |= {"frames": rng.random((n, 6, 8, 8, 1), np.float32)}
    inputs = {name: x for name, x in inputs.items() if name in takes}
  held_out = owner[None] == np.arange(len(sizes))[:, None]
  return Problem(inputs, labels, held_out, tuple(f"casme2/sub{f:02d}" for f in range(len(sizes))))


def program(
  case: str,
  given: Problem,
  *,
  folds: slice = slice(None),
  devices: int = 1,
  block: int = 5,
  seeds: tuple[int, ...] = (0, 1),
  hyper: Mapping[str, Sequence[float]] | None = None,
  before: Sequence[Mapping[str, Any]] = (),
  **recipe: Any,
) -> training.Program:
  """The LOSO of `given`, or some of its folds, ready to train; `hyper` holds P values each.

  `before` are fields of the recipes of stages that train before the one of `recipe`.
  """
  name, options, _ = (CASES | LARGER_CASES)[case]
  hyper = {"learning_rate": [0.05], "momentum": [0.9]} if hyper is None else hyper
  points = len(next(iter(hyper.values())))
  last = training.build(
    recipe_of(name, options, **recipe),
    training.arrange(points * len(given.names[folds]), block, devices),
    seeds,
    # `fewest` of all folds, so that programs of some of them are compiled alike.
    training.Folds(
      given.names[folds], given.held_out[folds], fewest=int((~given.held_out).sum(axis=1).min())
    ),
    given.inputs,
    given.labels,
    hyper,
  )
  return training.preceded(last, [(recipe_of(name, options, **fields), hyper) for fields in before])


def recipe_of(
  name: str,
  options: Mapping[str, Any],
  *,
  balance: str = "none",
  convolution: str = "auto",
  **recipe: Any,
) -> training.Recipe:
  """A recipe for the model `name` with three classes and batches of 4."""
  return training.Recipe(
    model=models.build(name, 3, options, convolution=convolution),
    target=SingleClass(3, balance),
    **{"batch_size": 4, "optimizer": optimizers.build("sgd"), **recipe},
  )
