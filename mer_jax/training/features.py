"""What a layer of a network computes of clips, as features for another classifier."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import flax.linen as nn
import flax.traverse_util
import jax
import jax.numpy as jnp
import numpy as np

from mer_jax.errors import ConfigError
from mer_jax.runtime import distributed, xla_guard
from mer_jax.training.fold import FoldState, usable, variables_of
from mer_jax.training.layout import Layout
from mer_jax.training.program import ALL, SEEDS_FOLDS, Program, sharded
from mer_jax.training.recipe import Recipe

# The collection, and the name in it, under which a model offers what enters its last layer; as a
# layer it is called so too.
LAST = "features"
_CALL = "__call__"


def of_layer(
  model: nn.Module, variables: Mapping[str, Any], inputs: Mapping[str, jax.Array], layer: str
) -> jax.Array:
  """What `layer` computes of clips that nobody trains on, float32 [B, D], flattened clip by clip.

  Args:
    model: a module of mer_jax.models.
    variables: its parameters and statistics.
    inputs: arrays [B, ...].
    layer: the flax name of a module in it, as "conv1" or "streams/conv", whose output counts, of
      all its calls one after another; or `LAST`.

  Raises:
    ConfigError: there is no such layer.
  """
  size = len(jax.tree.leaves(inputs)[0])

  def is_layer(module: nn.Module, method: str) -> bool:
    return method == _CALL and "/".join(module.path) == layer

  # An output of the layer would be kept beside that of every other, were they not filtered.
  _, kept = model.apply(
    variables,
    inputs,
    jnp.ones(size),
    train=False,
    mutable=[LAST, "intermediates"],
    capture_intermediates=is_layer,
  )
  flat = flax.traverse_util.flatten_dict(kept.get("intermediates", {}), sep="/")
  outputs = flat.get(f"{layer}/{_CALL}")
  if layer == LAST and LAST in kept:
    outputs = kept[LAST][LAST]
  if outputs is None:
    raise ConfigError(_absent(model, variables, inputs, layer))
  parts = [part.reshape(size, -1) for part in jax.tree.leaves(outputs)]
  return jnp.concatenate(parts, axis=-1).astype(jnp.float32)


def check(recipe: Recipe, inputs: Mapping[str, np.ndarray], layer: str) -> None:
  """Raises ConfigError unless the model of `recipe` has `layer`; nothing is computed."""
  example = {name: jax.ShapeDtypeStruct((1, *x.shape[1:]), x.dtype) for name, x in inputs.items()}

  def features(inputs):
    variables = recipe.model.init(jax.random.key(0), inputs, jnp.ones(1), train=False)
    kept = {name: variables[name] for name in ("params", "batch_stats") if name in variables}
    return of_layer(recipe.model, kept, inputs, layer)

  jax.eval_shape(features, example)


def by_fold(program: Program, state: FoldState, layer: str) -> np.ndarray:
  """What `layer` of every fold computes of all clips, float32 [S, F, N, D].

  As the folds predict: by averaged parameters where the recipe averages, and NaN throughout of a
  fold that was stopped.

  Raises:
    ConfigError: there is no such layer.
  """
  clips = len(program.data.labels)
  batches = -(-clips // program.recipe.batch_size)
  index = np.arange(batches * -(-clips // batches)).reshape(batches, -1) % clips
  clips_by_batch = distributed.put(index.astype(np.int32), program.layout.replicated)
  rows = _by_fold(program.recipe, program.layout, layer, clips_by_batch, program.data, state)
  return distributed.fetch(rows)[:, : program.layout.folds, :clips]


@partial(xla_guard.jit, static_argnums=(0, 1, 2))
def _by_fold(recipe: Recipe, layout: Layout, layer: str, index, data, state):
  def local(index, data, state):
    def of_fold(state):
      variables = variables_of(recipe, state)

      def of_batch(clips):
        inputs = jax.tree.map(lambda x: x[clips], data.inputs)
        return of_layer(recipe.model, variables, inputs, layer)

      rows = jax.lax.map(of_batch, index)
      rows = rows.reshape(-1, rows.shape[-1])
      return jnp.where(usable(variables, state), rows, jnp.nan)

    return jax.lax.map(lambda state: jax.lax.map(of_fold, state), state)

  specs = (ALL, ALL, SEEDS_FOLDS)
  return sharded(layout, local, specs, SEEDS_FOLDS)(index, data, state)


def _absent(model: nn.Module, variables: Any, inputs: Any, layer: str) -> str:
  if layer == LAST:
    return (
      f"The model {type(model).__name__} does not offer what enters its last layer. A model does so"
      f' by self.sow("{LAST}", "{LAST}", x) before that layer; or name a layer:'
      f" {', '.join(_layers(model, variables, inputs))}."
    )
  known = _layers(model, variables, inputs)
  return (
    f"The model {type(model).__name__} has no layer {layer!r}. It has"
    f" {', '.join([*known, LAST])}, the last of which is what enters its last layer."
  )


def _layers(model: nn.Module, variables: Any, inputs: Any) -> Sequence[str]:
  """Flax names of the modules in `model` that compute something of a clip."""

  def kept(variables, inputs):
    ones = jnp.ones(len(jax.tree.leaves(inputs)[0]))
    return model.apply(
      variables, inputs, ones, train=False, mutable=["intermediates"], capture_intermediates=True
    )[1]

  shapes = jax.eval_shape(kept, variables, inputs)["intermediates"]
  names = flax.traverse_util.flatten_dict(shapes, sep="/")
  return sorted(name.removesuffix(f"/{_CALL}") for name in names if name != _CALL)
