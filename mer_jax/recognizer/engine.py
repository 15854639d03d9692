"""What a trained model computes, by the engine: probabilities and features of clips."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mer_jax import models, targets
from mer_jax.errors import ConfigError, DataError, MerError
from mer_jax.recognizer import vector_machine
from mer_jax.recognizer.model import Model
from mer_jax.recognizer.weights import nested, shapes_of
from mer_jax.runtime import xla_guard
from mer_jax.training import Recipe, optimizers
from mer_jax.training.features import of_layer
from mer_jax.training.fold import NEVER, FoldState, predict, variables_of

# Clips in one call of a program. Always as many, the last batch filled up, so that a clip passes
# through the same operations whatever stands beside it; few, so that one alone is quick.
BATCH = 4


def probabilities(model: Model, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
  """float32 [S, N, K], see Model.probabilities."""
  if is_vector_machine(model):
    return vector_machine.probabilities(model.model, model.weights, _checked(model, arrays))
  return _by_batch(model, arrays, _predicting(_recipe(model)))


def features(model: Model, arrays: Mapping[str, np.ndarray], layer: str) -> np.ndarray:
  """float32 [S, N, D], see Model.features."""
  if is_vector_machine(model):
    raise ConfigError("An SVM has no layers; the features that it reads are its input.")
  return _by_batch(model, arrays, _featuring(_recipe(model), layer))


def program_of(model: Model) -> Callable[[Mapping[str, jax.Array]], jax.Array]:
  """A pure function of arrays [N, ...] by name to float32 [S, N, K]; not compiled.

  Models see one clip at a time, batched around them, so that N may be a symbol of jax.export.
  """
  recipe, states = _recipe(model), _states(model)

  def of_clip(state: FoldState, clip: Mapping[str, jax.Array]) -> jax.Array:
    return predict(recipe, state, jax.tree.map(lambda x: x[None], clip))[0]

  of_clips = jax.vmap(of_clip, in_axes=(None, 0))
  return lambda inputs: jax.lax.map(lambda state: of_clips(state, inputs), states)


def is_vector_machine(model: Model) -> bool:
  """Whether `model` is an SVM and no network."""
  return model.model.get("name") == vector_machine.NAME


def check_weights(model: Model, where: str) -> None:
  """Raises DataError if the weights of `model`, from `where`, are not those of its architecture."""
  if is_vector_machine(model):
    vector_machine.check(model.model, model.weights, len(model.classes), where)
    return
  try:
    expected = expected_shapes(model)
  except MerError:
    raise
  except Exception as error:  # from wherever the model and jax stumble over facts that are none
    raise DataError(
      f"{where}: its architecture cannot be built ({type(error).__name__}: {error}). Fit the model"
      " again with this version."
    ) from error
  given = {name: array.shape[1:] for name, array in model.weights.items()}
  differs = [
    f"{name} {given.get(name, 'absent')}, expected {expected.get(name, 'none')}"
    for name in sorted({*given, *expected})
    if given.get(name) != expected.get(name)
  ]
  if differs:
    raise DataError(
      f"{where}: the weights are not those of {model.model['name']} with its options:"
      f" {'; '.join(differs[:5])}. Fit the model again."
    )


def expected_shapes(model: Model) -> dict[str, tuple[int, ...]]:
  """The shape of every weight of a network by flax name, without the axis of seeds.

  Only architecture, arrays and classes of `model` count.
  """
  example = {
    name: jax.ShapeDtypeStruct((1, *entry["shape"]), entry["dtype"])
    for name, entry in model.arrays.items()
  }
  return shapes_of(_recipe(model).model, example)


def _recipe(model: Model) -> Recipe:
  """The engine's recipe, as far as it decides predictions."""
  options = {key: _hashable(value) for key, value in model.model.items() if key != "name"}
  target = targets.find(model.target)
  return Recipe(
    model=models.build(model.model["name"], len(model.classes), options),
    optimizer=optimizers.build("sgd"),
    target=target(len(model.classes), "none"),
    batch_size=BATCH,
    mirror_at_test=model.mirror_at_test,
  )


def _hashable(value: Any) -> Any:
  """JSON has lists where configs have tuples; a program is looked up by its model's fields."""
  return tuple(map(_hashable, value)) if isinstance(value, list | tuple) else value


@functools.cache
def _predicting(recipe: Recipe):
  def of_seeds(states, inputs):
    return jax.lax.map(lambda state: predict(recipe, state, inputs), states)

  return xla_guard.jit(of_seeds)


@functools.cache
def _featuring(recipe: Recipe, layer: str):
  def of_seed(state: FoldState, inputs):
    return of_layer(recipe.model, variables_of(recipe, state), inputs, layer)

  return xla_guard.jit(
    lambda states, inputs: jax.lax.map(lambda state: of_seed(state, inputs), states)
  )


def _by_batch(model: Model, arrays: Mapping[str, np.ndarray], program) -> np.ndarray:
  """What `program` (states, inputs [BATCH, ...]) -> [S, BATCH, D] gives of N clips, [S, N, D]."""
  given = _checked(model, arrays)
  states = _states(model)
  clips = len(next(iter(given.values())))
  parts = []
  # One batch also of no clip: its result has the shape.
  for first in range(0, max(clips, 1), BATCH):
    batch = {name: _filled(array[first : first + BATCH]) for name, array in given.items()}
    parts.append(np.asarray(program(states, batch)))
  return np.concatenate(parts, axis=1)[:, :clips]


def _filled(array: np.ndarray) -> np.ndarray:
  return np.pad(array, ((0, BATCH - len(array)), *((0, 0),) * (array.ndim - 1)))


def _states(model: Model) -> FoldState:
  tree = nested(model.weights)
  return FoldState(
    params=tree["params"],
    batch_stats=tree.get("batch_stats", {}),
    opt_state=(),
    stopped=jnp.full(model.seeds, NEVER, jnp.int32),
  )


def _checked(model: Model, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
  """The arrays that the model was trained with; raises DataError where one does not fit."""
  absent = [name for name in model.arrays if name not in arrays]
  if absent:
    raise DataError(
      f"{model.name} reads {', '.join(model.arrays)}; got {', '.join(arrays) or 'nothing'}. Its"
      f" input is {model.input['name']}."
    )
  given = {name: np.asarray(arrays[name]) for name in model.arrays}
  for name, array in given.items():
    expected = tuple(model.arrays[name]["shape"])
    if array.shape[1:] != expected or len(array) != len(next(iter(given.values()))):
      raise DataError(
        f"{model.name} reads {name} {['N', *expected]}; got {list(array.shape)}. Compute it as the"
        f" model's input: {dict(model.input)}."
      )
    if not np.isfinite(array).all():
      raise DataError(f"The input {name!r} of {model.name} is not finite. Look at the clips.")
  return given
