"""Small models as a fit leaves them, with random weights."""

import jax
import numpy as np

from mer_jax import models, recognizer
from mer_jax.recognizer import weights

CLASSES = ("negative", "positive", "surprise")


def ststnet(
  *, size: int = 12, channels: int = 3, seeds: int = 2, classes=CLASSES, **fields
) -> recognizer.Model:
  """STSTNet on images of `size` pixels, its statistics not those of a fresh model."""
  rng = np.random.default_rng(seeds)
  options = {"dropout": 0.5}
  network = models.build("ststnet", len(classes), options)
  image = jax.ShapeDtypeStruct((1, size, size, channels), np.float32)
  shapes = weights.shapes_of(network, {"image": image})
  return recognizer.Model(
    **{
      "name": "small",
      "model": {"name": "ststnet", **options},
      "input": {"name": "flow_maps", "index": 0},
      "arrays": {"image": {"shape": [size, size, channels], "dtype": "float32"}},
      "classes": tuple(classes),
      "weights": {
        name: rng.uniform(0.1, 0.5, (seeds, *shape)).astype(np.float32)
        for name, shape in shapes.items()
      },
      **fields,
    }
  )
