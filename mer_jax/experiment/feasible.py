"""Whether a config can be trained: its model built for its input, its states kept in memory."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence

import jax
import numpy as np
from ml_collections import config_dict

from mer_jax import training
from mer_jax.errors import ConfigError, MerError
from mer_jax.experiment import settings
from mer_jax.runtime import memory
from mer_jax.training import footprint


@contextlib.contextmanager
def tracing(config: config_dict.ConfigDict, arrays: Mapping[str, np.ndarray]) -> Iterator[None]:
  """While inside, where the model of `config` is first traced, each error is a ConfigError.

  Args:
    config: resolved; its model may be somebody's own.
    arrays: the input, [N, ...] each.
  """
  try:
    yield
  except MerError:
    raise
  except Exception as error:
    shapes = ", ".join(f"{name} {array.shape[1:]}" for name, array in arrays.items())
    raise ConfigError(
      f"The model {config.model.name!r} with the options {settings.options(config.model)} cannot be"
      f" built for clips of {shapes}: {type(error).__name__}: {' '.join(str(error).split())[:300]}."
      " Change config.model or config.input; --debug shows where it happened."
    ) from error


def check_memory(
  config: config_dict.ConfigDict,
  by_stage: Sequence[tuple[training.Recipe, Mapping[str, list[float]]]],
  arrays: dict[str, np.ndarray],
  folds: int,
) -> None:
  """Refuses what cannot be built, and what cannot be kept.

  Args:
    config: resolved.
    by_stage: recipe and hyper-parameters of each stage.
    arrays: the input, [N, ...] each.
    folds: F, or as many inner folds as there are.

  Raises:
    ConfigError: the model cannot be built, or the states of all folds, on CPUs with the copy that
      a checkpoint is written from, are larger than the memory.
  """
  with tracing(config, arrays):
    each = max(footprint.bytes_of_state(recipe, arrays, list(hyper)) for recipe, hyper in by_stage)
  settings_of_folds = len(by_stage[0][1]["learning_rate"])
  count = config.seeds * settings_of_folds * folds
  memory.check(
    f"Training {count:,} models of {memory.in_words(each)} each ({config.seeds:,} seeds,"
    f" {settings_of_folds} settings, {folds} folds) side by side",
    # On CPUs they and what is saved of them lie in the same memory.
    count * each * (2 if jax.default_backend() == "cpu" else 1),
    memory.limit(),
    "Lower config.seeds, or the sizes of config.model.",
  )
