"""Cross-entropy in which only the clips a fold may learn from have a voice."""

import jax
import jax.numpy as jnp
import optax

BALANCES = ("none", "class_weights")


def weighted(
  logits: jax.Array, labels: jax.Array, weights: jax.Array, focal_gamma: jax.Array | None
) -> jax.Array:
  """Weighted mean of the categorical cross-entropy over the examples that count.

  sum_b w_b (1 - p_b)^gamma (-log p_b) / #{b : w_b > 0}, p_b the probability of the true class. With
  weights that average 1 over the training set this is Keras' class_weight. gamma = 0 is plain
  cross-entropy; gamma = 2 is the focal loss of Lin et al. (ICCV 2017).

  Args:
    logits: float [B, K].
    labels: int32 [B].
    weights: float [B], 0 for clips that must not count.
    focal_gamma: exponent gamma >= 0, a float scalar; None: plain cross-entropy.

  Returns:
    float scalar; 0 if nothing counts.
  """
  loss = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
  if focal_gamma is not None:
    # 0^gamma has no finite slope for gamma < 1, which a fold of a sweep may have.
    wrong = jnp.maximum(-jnp.expm1(-loss), jnp.finfo(loss.dtype).tiny)
    loss = loss * jnp.power(wrong, focal_gamma)
  return jnp.sum(weights * loss) / jnp.maximum(jnp.sum(weights > 0), 1)


def class_weights(trains: jax.Array, labels: jax.Array, classes: int) -> jax.Array:
  """Weights that give every class the same sum, from a fold's own training clips alone.

  w_n = n_train / (K' n_class), K' the classes that the fold's training clips contain.

  Args:
    trains: float [N], 1 where the fold may learn from the clip, else 0.
    labels: int32 [N].
    classes: K.

  Returns:
    float [N], 0 where `trains` is 0, otherwise averaging 1.
  """
  members = jax.nn.one_hot(labels, classes) * trains[:, None]
  counts = members.sum(axis=0)
  present = jnp.maximum((counts > 0).sum(), 1)
  return members @ (trains.sum() / (present * jnp.maximum(counts, 1)))
