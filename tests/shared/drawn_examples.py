"""A source of examples that are easy to tell apart, for problems of images [12, 12, 3]."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from mer_jax import training


class Blobs(NamedTuple):
  """Noise around a level for each of three classes; two action units, those of classes 0 and 1."""

  spread: float = 0.3

  def __call__(self, key: jax.Array, count: int) -> training.Examples:
    of_labels, of_noise = jax.random.split(key)
    labels = jax.random.randint(of_labels, (count,), 0, 3)
    level = jnp.eye(3)[labels][:, None, None]
    image = level + self.spread * jax.random.normal(of_noise, (count, 12, 12, 3))
    units = (labels[:, None] == jnp.arange(2)).astype(jnp.float32)
    return training.Examples({"image": image}, labels, units)
