"""The class of a spotted interval, by a trained model that reads the flow from onset to apex."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mer_jax import recognizer
from mer_jax.errors import ConfigError
from mer_jax.inputs.flow import strain
from mer_jax.inputs.relative import relative
from mer_jax.inputs.resize import resized
from mer_jax.recognizer.model import Model
from mer_jax.video.curves import flow, without_head
from mer_jax.video.detectors import Pair

# Native emotions, in lower case, by class of MEGC2019; "others" has none.
CLASS_OF = {
  **dict.fromkeys(
    ("negative", "anger", "contempt", "disgust", "fear", "sadness", "repression"), "negative"
  ),
  **dict.fromkeys(("positive", "happiness"), "positive"),
  "surprise": "surprise",
}
_READS = ("image", [28, 28, 3])


class Classes(NamedTuple):
  """Of one interval: its class, and K probabilities; "" and none where no face was seen."""

  name: str
  probabilities: tuple[float, ...]


class Classifier:
  """Names the classes of pairs of frames.

  Args:
    model: reads one relative map of flow, 28 x 28.
  """

  def __init__(self, model: Model) -> None:
    self._model, self.names = model, model.classes

  def __call__(self, pairs: Sequence[Pair | None]) -> list[Classes]:
    """Classes of aligned faces at onset and apex; None: no face was seen."""
    maps = {n: _flow_map(*pair) for n, pair in enumerate(pairs) if pair is not None}
    classes = [Classes("", ())] * len(pairs)
    if maps:
      image = relative(np.stack(list(maps.values()))[:, None])[:, 0]
      chances = self._model.probabilities({_READS[0]: image}).mean(axis=0)
      for n, row in zip(maps, chances, strict=True):
        classes[n] = Classes(self.names[int(row.argmax())], tuple(map(float, row)))
    return classes


def classifier(name: str) -> Classifier:
  """The classifier of a trained model.

  Raises:
    ConfigError: there is no such model, or it reads something else.
  """
  model = recognizer.load(name)
  shapes = {array: facts["shape"] for array, facts in model.arrays.items()}
  if shapes != dict([_READS]) or model.input.get("normalise") != "relative":
    raise ConfigError(
      f"The model {name} reads {model.input['name']} {shapes}; classes of spotted intervals need"
      " one that reads a single map of flow, 28 x 28, with normalise=relative, such as"
      " motion_net_drawn."
    )
  return Classifier(model)


def _flow_map(before: np.ndarray, after: np.ndarray) -> np.ndarray:
  """float32 [28, 28, 3], u, v and strain between two aligned faces."""
  uv = without_head(flow(before, after))
  return resized(np.dstack([uv, strain(uv)])[None].astype(np.float32), _READS[1][0])[0]
