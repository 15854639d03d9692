"""The source of drawn examples: motion that mer_jax.face draws, in the form of the clips' input."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import config_dict

from mer_jax import checks
from mer_jax.errors import ConfigError, unknown
from mer_jax.experiment import examples
from mer_jax.face import draws
from mer_jax.face.drawn import CLASSES, Drawing, draw_course, draw_map
from mer_jax.face.measurement import Measurement
from mer_jax.inputs.relative import relative
from mer_jax.training.source import Examples


class DrawnSource(NamedTuple):
  """Draws examples of K classes, a training.Source.

  Attributes:
    mixtures: K tuples of (index into draws.EMOTIONS, share of all examples).
    drawing: how widely everything is drawn.
    size: H = W of a map.
    num_frames: T of a course; 0: a single map.
  """

  mixtures: tuple[tuple[tuple[int, float], ...], ...]
  drawing: Drawing
  size: int
  num_frames: int = 0

  def __call__(self, key: jax.Array, count: int) -> Examples:
    """Draws B = `count` examples: "image" [B, H, W, 3], or "frames" and "mask" [B, T, ...]."""
    of_emotions, of_examples = jax.random.split(key)
    rows = [(k, *part) for k, mixture in enumerate(self.mixtures) for part in mixture]
    labels, emotions, shares = (np.array(column) for column in zip(*rows, strict=True))
    drawn = jax.random.categorical(of_emotions, jnp.log(shares), shape=(count,))
    keys = jax.random.split(of_examples, count)
    inputs, weights = jax.vmap(self._example)(keys, jnp.asarray(emotions)[drawn])
    active = (weights.max(axis=1) > 0).astype(jnp.float32)
    return Examples(inputs, jnp.asarray(labels, jnp.int32)[drawn], active)

  def _example(self, key: jax.Array, emotion: jax.Array) -> tuple[dict[str, jax.Array], jax.Array]:
    if not self.num_frames:
      drawn = draw_map(key, emotion, self.drawing, self.size)
      return {"image": relative(drawn.maps[None])[0]}, drawn.weights
    drawn = draw_course(key, emotion, self.drawing, self.size, self.num_frames)
    return {"frames": relative(drawn.maps, drawn.mask), "mask": drawn.mask}, drawn.weights


def of(
  config: config_dict.ConfigDict, class_names: Sequence[str], arrays: Mapping[str, np.ndarray]
) -> DrawnSource | None:
  """The source of `config`; None where it draws nothing.

  Args:
    config: resolved.
    class_names: the K classes.
    arrays: inputs of clips, [N, ...] each, which the examples are to be like.

  Raises:
    ConfigError: an option is unknown or out of range, a class is none that can be drawn, or the
      input is of another kind.
  """
  if not config.drawn.share:
    return None
  return DrawnSource(
    _mixtures(class_names, config.drawn.shares), drawing(config), *_shape(config, arrays)
  )


def drawing(config: config_dict.ConfigDict) -> Drawing:
  """The options in config.drawn.

  Raises:
    ConfigError: an option is unknown, or its value is of another kind.
  """
  given = {k: v for k, v in config.drawn.items() if k not in examples.default_drawn()}
  known = _flat(Drawing())
  checks.check_names("drawing", known, given)
  for name, value in given.items():
    _check_value(name, value, known[name])
  measured = {k: v for k, v in given.items() if k in Measurement._fields}
  others = {k: v for k, v in given.items() if k not in Measurement._fields}
  return Drawing(**others, measurement=Measurement(**measured))


def facts(config: config_dict.ConfigDict) -> dict[str, Any] | None:
  """What a trained model says of the examples it was shown: options and their digest, or None."""
  if not config.drawn.share:
    return None
  known = {
    **_flat(drawing(config)),
    "share": config.drawn.share,
    "shares": list(config.drawn.shares),
  }
  text = json.dumps(known, sort_keys=True)
  return {**json.loads(text), "digest": hashlib.sha256(text.encode()).hexdigest()}


def _flat(options: Drawing) -> dict[str, Any]:
  """The options by name, those of the measurement among them, as config.drawn has them."""
  own = options._asdict()
  measured = own.pop("measurement")
  return own | measured._asdict()


def _check_value(name: str, value: Any, default: Any) -> None:
  numbers = value if isinstance(value, tuple) else (value,)
  alike = isinstance(value, tuple) == isinstance(default, tuple) and (
    name == "without_units" or not isinstance(default, tuple) or len(value) == len(default)
  )
  if not alike or not all(isinstance(n, int | float) and n >= 0 for n in numbers):
    raise ConfigError(
      f"config.drawn.{name} is {value!r}; expected numbers of at least 0 in the form of its default"
      f" {default!r}."
    )


def _mixtures(
  class_names: Sequence[str], shares: Sequence[float]
) -> tuple[tuple[tuple[int, float], ...], ...]:
  shares = tuple(shares) or (1 / len(class_names),) * len(class_names)
  if len(shares) != len(class_names) or min(shares) <= 0:
    raise ConfigError(
      f"config.drawn.shares is {shares}; expected a number above 0 for each of the classes"
      f" {', '.join(class_names)}, or nothing."
    )
  for name in class_names:
    if name not in CLASSES:
      raise ConfigError(
        f"{unknown('class that can be drawn', name, CLASSES)} Use a protocol of emotions, or"
        " config.drawn.share=0."
      )
  return tuple(
    tuple(
      (draws.EMOTIONS.index(e), share * part / sum(shares)) for e, part in CLASSES[name].items()
    )
    for name, share in zip(class_names, shares, strict=True)
  )


def _shape(config: config_dict.ConfigDict, arrays: Mapping[str, np.ndarray]) -> tuple[int, int]:
  """Size of the maps and number of frames, 0 for single maps."""
  normalise = config.input.get("normalise")
  shapes = {name: array.shape[1:] for name, array in arrays.items()}
  image, frames = shapes.get("image", ()), shapes.get("frames", ())
  fits = set(shapes) in ({"image"}, {"frames", "mask"}) and (image or frames)[-1] == 3
  if not fits or normalise != examples.RELATIVE:
    given = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
    raise ConfigError(
      f"config.drawn draws flow maps with config.input.normalise={examples.RELATIVE}, but"
      f" config.input.name {config.input.name!r} with normalise {normalise!r} gives {given}. Use"
      " flow, flow_maps or flow_sequence with it, or config.drawn.share=0."
    )
  if image:
    return image[0], 0
  return frames[1], frames[0]
