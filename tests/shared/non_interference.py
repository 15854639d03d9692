"""The contract of the engine: a fold never learns from its held-out subject."""

from typing import Any

import jax
import numpy as np
from problems import CASES, LARGER_CASES, problem, program

from mer_jax import training
from mer_jax.training import stages

STEPS = 13  # more than two epochs of 19 clips in batches of 4, and no multiple of one


def check_noise(case: str, **options: Any) -> None:
  """Replaces a held-out subject's clips by noise: no bit of its fold changes, all others do.

  Args:
    case: a key of CASES or LARGER_CASES.
    **options: of problems.program.
  """
  given = problem((CASES | LARGER_CASES)[case][2])
  fold = 3
  noise = np.random.default_rng(1)
  held = given.held_out[fold]

  def replaced(x):
    x = x.copy()
    x[held] = noise.random(x[held].shape) * 100 if x.dtype == np.float32 else ~x[held]
    return x

  noisy = given._replace(
    inputs={key: replaced(x) for key, x in given.inputs.items()},
    labels=np.where(held, (given.labels + 1) % 3, given.labels),
  )
  hyper = {"learning_rate": [0.05], "momentum": [0.9], "focal_gamma": [2.0]}
  options = {"balance": "class_weights", "hyper": hyper, **options}
  before, after = (_trained(case, each, options) for each in (given, noisy))
  for a, b in zip(leaves(before, fold), leaves(after, fold), strict=True):
    np.testing.assert_array_equal(a, b)
  for other in (f for f in range(5) if f != fold):
    changed = zip(leaves(before, other), leaves(after, other), strict=True)
    assert any(np.any(a != b) for a, b in changed)


def leaves(state: Any, fold: int) -> list[np.ndarray]:
  """The arrays [S, ...] of one fold."""
  return [leaf[:, fold] for leaf in jax.tree.leaves(state)]


def _trained(case: str, given, options: dict[str, Any]):
  loso = program(case, given, **options)
  return jax.device_get(trained_through(loso, STEPS))


def trained_through(loso: training.Program, steps: int) -> Any:
  """The state after so many steps of each stage."""
  state, _ = (loso.before or (loso,))[0].train(loso.init(), 0, steps)
  for i, stage in enumerate([*loso.before[1:], loso][: len(loso.before)], 1):
    state, _ = stage.train(stages.enter(stage, state), i * steps, steps)
  return state
