"""A trained model: S seeds of one architecture, the input it reads, the classes it names."""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from mer_jax.clips import Clips
from mer_jax.errors import DataError
from mer_jax.recognizer import folder, provenance
from mer_jax.recognizer.provenance import Provenance

NOT_MEASURED = "not measured"


class Prediction(NamedTuple):
  """What a model predicts of N clips.

  Attributes:
    probabilities: float32 [N, K], the mean over the seeds.
    spread: float32 [N, K], the standard deviation over the seeds; 0 for a single one.
  """

  probabilities: np.ndarray
  spread: np.ndarray


@dataclasses.dataclass(frozen=True)
class Model:
  """A trained model.

  Attributes:
    name: what it is called, "ststnet".
    model: architecture and options, as config.model: {"name": "ststnet", "dropout": 0.5}.
    input: input and options, as config.input: {"name": "flow", "size": 28}.
    arrays: shape and dtype of each array that the input gives of a clip: {"image": {"shape": [28,
      28, 3], "dtype": "float32"}}.
    classes: K names.
    weights: float32 [S, ...] by flax name, "params/logits/kernel".
    action_units: names of the A action units that it also learned; mostly none.
    target: what it predicts of a clip, a name in mer_jax.targets.
    mirror_at_test: whether probabilities are the mean over a clip and its mirror image.
    provenance: what it has learned from.
    config: the config that it was made by, as JSON values.
    scores: what is known of how good it is, or `NOT_MEASURED`.
    versions: of mer_jax and the libraries that made it.
    digest: sha256 of the weights' file that it was read from; empty: it was not read from one.
  """

  name: str
  model: Mapping[str, Any]
  input: Mapping[str, Any]
  arrays: Mapping[str, Mapping[str, Any]]
  classes: tuple[str, ...]
  weights: Mapping[str, np.ndarray]
  action_units: tuple[str, ...] = ()
  target: str = "single_class"
  mirror_at_test: bool = False
  provenance: Provenance = dataclasses.field(default_factory=Provenance)
  config: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  scores: Mapping[str, Any] | str = NOT_MEASURED
  versions: Mapping[str, str] = dataclasses.field(default_factory=dict)
  digest: str = ""

  @property
  def seeds(self) -> int:
    """S, how many trainings its weights are of."""
    return len(next(iter(self.weights.values())))

  @property
  def seeds_in_words(self) -> str:
    """ "1 seed", "5 seeds"."""
    return "1 seed" if self.seeds == 1 else f"{self.seeds} seeds"

  def facts(self) -> dict[str, Any]:
    """What is known of the model beside its weights, as JSON values; see folder.FIELDS."""
    return {name: getattr(self, name) for name in folder.FIELDS} | {
      "classes": list(self.classes),
      "action_units": list(self.action_units),
      "provenance": self.provenance.to_json(),
    }

  def predict(self, clips: Clips) -> Prediction:
    """Class probabilities of clips [N], with the input computed from them.

    A model of flow maps also reads frames, and the reverse, see inputs.counterpart.

    Raises:
      ConfigError: the clips hold channels that the input cannot read.
      DataError: an input is not finite, or of another shape than in training.
    """
    from mer_jax import inputs

    if not isinstance(clips, Clips):
      raise DataError(
        f"predict reads Clips, not {type(clips).__name__}. Clips.from_frames makes them of frames,"
        " load_prepared of prepared data."
      )
    read = self.input_for(clips.channels)
    options = {key: value for key, value in read.items() if key != "name"}
    by_seed = self.probabilities(inputs.make(read["name"], clips, **options))
    return Prediction(by_seed.mean(axis=0), by_seed.std(axis=0))

  def input_for(self, channels: str) -> dict[str, Any]:
    """Name and options of the input that is computed from clips of these channels.

    Raises:
      ConfigError: there is none.
    """
    from mer_jax import inputs

    height = int(next(iter(self.arrays.values()))["shape"][0])
    return dict(inputs.counterpart(self.input, height, channels))

  def probabilities(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Class probabilities by every seed, as the engine's own prediction computes them.

    They do not depend on which clips stand beside a clip.

    Args:
      arrays: [N, ...] each, what its input gives of N clips.

    Returns:
      float32 [S, N, K].

    Raises:
      DataError: an array is absent, not finite, or of another shape than in training.
    """
    from mer_jax.recognizer import engine

    return engine.probabilities(self, arrays)

  def features(self, arrays: Mapping[str, np.ndarray], layer: str = "features") -> np.ndarray:
    """What a layer computes, by every seed, of the clips as they are (no mirror image).

    Args:
      arrays: [N, ...] each, what its input gives of N clips.
      layer: the flax name of a module whose output it is; "features": what enters the last layer.

    Returns:
      float32 [S, N, D].

    Raises:
      ConfigError: the architecture does not have such a layer.
      DataError: as `probabilities`.
    """
    from mer_jax.recognizer import engine

    return engine.features(self, arrays, layer)


def save(model: Model, where: str | os.PathLike[str], dtype: str = "float32") -> None:
  """Writes `model` into the folder `where`, atomically; a model there is replaced.

  Args:
    model: what is written.
    where: a folder, created if absent.
    dtype: of the weights in the file, float32 or float16.

  Raises:
    ConfigError: another dtype.
    DataError: weights that are not finite, in that dtype.
    WorkdirError: the folder cannot be written.
  """
  folder.write(where, model.facts(), model.weights, dtype)


def load(name_or_folder: str | os.PathLike[str]) -> Model:
  """The model in a folder or an exported .npz, or the one of that name that ships.

  Raises:
    ConfigError: there is no such model, or its architecture is not in this version.
    DataError: a file is absent, damaged or of another version, a weight is not finite, or the
      weights are not those of the architecture.
  """
  where = folder.find(name_or_folder)
  facts, weights, digest = folder.read(where)
  try:
    known = provenance.from_json(facts["provenance"])
  except (KeyError, TypeError, ValueError) as error:
    raise DataError(f"{where}: its provenance cannot be read ({error}).") from error
  facts |= {
    "classes": tuple(facts["classes"]),
    "action_units": tuple(facts["action_units"]),
    "provenance": known,
  }
  model = Model(**facts, weights=weights, digest=digest)
  from mer_jax.recognizer import engine  # it pulls in jax

  engine.check_weights(model, str(where))
  return model
