"""Run by test_xla_guard.py: a model's loss and gradients on more than 32,768 rows, three times.

python numbers_of_models.py MODEL: float32 as the package compiles it, float32 as jax does by
itself, and float64; prints relative differences as JSON.
"""

import json
import sys

import jax
import jax.numpy as jnp
import numpy as np

from mer_jax import models
from mer_jax.runtime import xla_guard
from mer_jax.targets import SingleClass

FRAMES, IMAGES = (16, 4, 48, 48, 1), (48, 32, 32, 3)  # 36,864 and 49,152 places, at batch size
CASES = {
  "parallel_cnn_lstm": ({"channels": (4, 4), "cnn_features": 8, "lstm_features": 8}, FRAMES),
  "ststnet": ({}, IMAGES),
  "micro_attention": ({"channels": (4,), "first_pool": False}, (160, 32, 32, 1)),
  "pairwise_bilstm": ({"channels": (4,), "lstm_features": 4}, FRAMES),
  "state_cnn_lstm": ({"channels": (4,), "features": 4, "lstm_features": 4}, FRAMES),
  "dtscnn": ({"channels": (4, 4, 4), "features": 4}, FRAMES),
  "larnet": ({"channels": (4, 4)}, IMAGES),
  "tsnn": ({"channels": (4,), "features": 4}, IMAGES),
  "htnet": ({"patch": 8, "width": 4, "heads": 2, "repeats": (1,)}, IMAGES),
  "causalnet": (
    {
      "patch": 8,
      "width": 8,
      "heads": 2,
      "repeats": (1,),
      "features": 4,
      "cross_heads": 2,
      "cross_repeats": 1,
    },
    FRAMES,
  ),
  "atnet": ({"channels": (4,), "first_pool": False, "lstm_features": 4}, (160, 32, 32, 1)),
}
# On the numbers that stand in for parameters: through many layers logits of 1e11 leave no gradient.
SCALES = {"causalnet": 0.03}


def arrays_of(model, shape):
  rng = np.random.default_rng(0)
  drawn = {
    "frames": rng.random(shape) if len(shape) == 5 else None,
    "mask": np.ones(shape[:2], bool),
    "image": rng.random(shape),
    "motion": rng.random((shape[0], 210, 6)),
    "ratios": rng.random((shape[0], 2)),
    "apex": rng.random(shape),
  }
  if drawn["frames"] is None:
    drawn["frames"] = rng.random((shape[0], 4, *shape[1:]))
  takes = getattr(model, "takes")  # noqa: B009
  names = (takes,) if isinstance(takes, str) else takes
  return {name: drawn[name] for name in (*names, *(("mask",) if "frames" in names else ()))}


def numbers(name, dtype, jit):
  options, shape = CASES.get(name, ({}, IMAGES))
  drops = "dropout" in models.option_names(name)
  model = models.build(name, 3, {"dropout": 0.0, **options} if drops else options)
  arrays = {
    key: jnp.asarray(x, dtype if x.dtype.kind == "f" else None)
    for key, x in arrays_of(model, shape).items()
  }
  first = {key: x[:1] for key, x in arrays.items()}
  shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), first, jnp.ones(1), train=False))
  rng = np.random.default_rng(1)  # what jax draws depends on the precision
  scale = SCALES.get(name, 1.0)
  variables = jax.tree.map(
    lambda x: jnp.asarray(scale * (0.2 + 0.3 * rng.normal(size=x.shape)), dtype), shapes
  )
  if "batch_stats" in variables:
    ones = jax.tree.map(jnp.ones_like, variables["batch_stats"])
    variables = {**variables, "batch_stats": ones}
  labels, weights = jnp.arange(shape[0]) % 3, jnp.ones(shape[0], dtype)

  def loss(params):
    logits, _ = model.apply(
      {**variables, "params": params}, arrays, weights, train=True, mutable=["batch_stats"]
    )
    return SingleClass(3).loss(logits, labels, weights)

  value, gradients = jit(jax.value_and_grad(loss))(variables["params"])
  return [np.asarray(x, np.float64) for x in (value, *jax.tree.leaves(gradients))]


def difference(a, b):
  """|a - b| / |b| of all numbers together: single gradients may be 0 but for rounding."""
  squares = [(np.sum((x - y) ** 2), np.sum(y**2)) for x, y in zip(a, b, strict=True)]
  return float(np.sqrt(np.sum(squares, axis=0)[0] / np.sum(squares, axis=0)[1]))


if __name__ == "__main__":
  guarded, plain = (numbers(sys.argv[1], jnp.float32, jit) for jit in (xla_guard.jit, jax.jit))
  result = {"guarded and plain": difference(guarded, plain)}
  jax.config.update("jax_enable_x64", True)
  exact = numbers(sys.argv[1], jnp.float64, xla_guard.jit)
  result |= {"guarded": difference(guarded, exact), "plain": difference(plain, exact)}
  print(json.dumps(result))
