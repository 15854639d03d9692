"""What a training minimises: a sum of losses by name, each with its factor.

Beside the target's own loss there are losses on the parts of a clip, of which a model computes
something before it joins them: its frames, or its streams. A model takes part by
`self.sow("auxiliary", name, x)` with "part_logits" [B, P, K], logits of the class by every part
alone; "part_index_logits" [B, P, P], which of the P parts it is; "part_features" [B, P, D].

Losses on parts are after Kim, Baddar, Ro, "Micro-Expression Recognition with Expression-State
Constrained Spatio-Temporal Feature Representations" (ACM Multimedia 2016), whose parts are the
states of an expression. All of them are means over the examples that count, weighted as the
target's.
"""

import functools
import operator
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

COLLECTION = "auxiliary"
CLASS = "class"
# The loss of a training that names none.
DEFAULT = ((CLASS, 1.0),)


class Outputs(NamedTuple):
  """What a model computed of B examples, and what it is held against.

  Attributes:
    logits: float [B, K].
    parts: what the model sowed, by name.
    labels: int32 [B].
    weights: float32 [B], 0 for examples that must not count.
    target: see recipe.Recipe.
    focal_gamma: see SingleClass.loss.
  """

  logits: jax.Array
  parts: Mapping[str, jax.Array]
  labels: jax.Array
  weights: jax.Array
  target: Any
  focal_gamma: jax.Array | None


def total(losses: tuple[tuple[str, float], ...], outputs: Outputs) -> jax.Array:
  """The sum of `losses`, pairs of a name in `LOSSES` and a factor; a float scalar."""
  terms = [(factor, LOSSES[name](outputs)) for name, factor in losses]
  # Without a product for 1: the target's loss alone is then the program it always was.
  return functools.reduce(operator.add, [t if factor == 1 else factor * t for factor, t in terms])


def decisive_logits(losses: tuple[tuple[str, float], ...], outputs: Outputs) -> jax.Array:
  """The logits [B, K] that training accuracy is counted of.

  Those of the model; where these are not trained, the mean over the parts that are.
  """
  names = {name for name, _ in losses}
  if CLASS not in names and "part_class" in names:
    return outputs.parts["part_logits"].mean(axis=1)
  return outputs.logits


def _of_class(outputs: Outputs) -> jax.Array:
  return outputs.target.loss(outputs.logits, outputs.labels, outputs.weights, outputs.focal_gamma)


def _of_class_by_part(outputs: Outputs) -> jax.Array:
  """The target's loss of every part on its own, as if each were an example."""
  logits = outputs.parts["part_logits"]
  labels, weights = (jnp.repeat(x, logits.shape[1]) for x in (outputs.labels, outputs.weights))
  flat = logits.reshape(-1, logits.shape[-1])
  return outputs.target.loss(flat, labels, weights, outputs.focal_gamma)


def _of_part_index(outputs: Outputs) -> jax.Array:
  """Cross-entropy of which part it is."""
  logits = outputs.parts["part_index_logits"]
  index = jnp.broadcast_to(jnp.arange(logits.shape[1]), logits.shape[:2])
  each = optax.softmax_cross_entropy_with_integer_labels(logits, index).mean(axis=1)
  return _mean(each, outputs.weights)


def _class_center(outputs: Outputs) -> jax.Array:
  """Half the squared distance of a part's features from the mean of its class over all parts."""
  x, members = _counted_features(outputs)
  sums = jnp.einsum("bk,bpd->kd", members, x)
  centers = sums / jnp.maximum(members.sum(axis=0) * x.shape[1], 1)[:, None]
  return _spread(x, jnp.einsum("bk,kd->bd", members, centers)[:, None], outputs.weights)


def _part_center(outputs: Outputs) -> jax.Array:
  """The same from the mean of its class over this part alone."""
  x, members = _counted_features(outputs)
  sums = jnp.einsum("bk,bpd->kpd", members, x)
  centers = sums / jnp.maximum(members.sum(axis=0), 1)[:, None, None]
  return _spread(x, jnp.einsum("bk,kpd->bpd", members, centers), outputs.weights)


def _continuity(outputs: Outputs) -> jax.Array:
  """sum over parts of ||f_{p-1} - 2 f_p + f_{p+1}||^2; 0 of fewer than three parts."""
  x = outputs.parts["part_features"]
  second = x[:, :-2] - 2 * x[:, 1:-1] + x[:, 2:]
  return _mean(jnp.square(second).sum(axis=(1, 2)), outputs.weights)


# Name in config.training.losses -> the loss, a float scalar of `Outputs`.
LOSSES: dict[str, Callable[[Outputs], jax.Array]] = {
  CLASS: _of_class,
  "part_class": _of_class_by_part,
  "part_index": _of_part_index,
  "class_center": _class_center,
  "part_center": _part_center,
  "continuity": _continuity,
}
# What each reads of what a model sows.
READS = {
  CLASS: (),
  "part_class": ("part_logits",),
  "part_index": ("part_index_logits",),
  "class_center": ("part_features",),
  "part_center": ("part_features",),
  "continuity": ("part_features",),
}


def _counted_features(outputs: Outputs) -> tuple[jax.Array, jax.Array]:
  """Features [B, P, D], 0 where they do not count, and which class each example counts for [B, K].

  Centers are the means of the batch at hand. Wen et al., "A Discriminative Feature Learning
  Approach for Deep Face Recognition" (ECCV 2016), carry centers from batch to batch and move them
  at a rate of their own, as their batches hold few examples of many identities; here a batch holds
  every class several times. Means of the batch are those of the parameters of now, need neither a
  rate nor a place in the state, and are each fold's own by its weights alone.
  """
  counts = outputs.weights > 0
  x = jnp.where(counts[:, None, None], outputs.parts["part_features"], 0)
  members = jax.nn.one_hot(outputs.labels, outputs.logits.shape[-1]) * counts[:, None]
  return x, members


def _spread(x: jax.Array, centers: jax.Array, weights: jax.Array) -> jax.Array:
  return _mean(jnp.square(x - centers).sum(axis=-1).mean(axis=1) / 2, weights)


def _mean(each: jax.Array, weights: jax.Array) -> jax.Array:
  """sum_b w_b l_b / #{b : w_b > 0}, as the target's loss; 0 if nothing counts."""
  return jnp.sum(weights * each) / jnp.maximum(jnp.sum(weights > 0), 1)
