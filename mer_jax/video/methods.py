"""The ways to spot that can be chosen: what measures a video, and what makes intervals of it."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np

from mer_jax.video import baselines, intervals
from mer_jax.video.curves import RegionMotion
from mer_jax.video.intervals import Interval


class Measure(Protocol):
  """What looks at the frames of one face, one after another."""

  def add(self, crop: np.ndarray | None, time: float) -> None:
    """Measures the next frame."""

  def new_window(self) -> None:
    """The alignment changes with the next frame."""

  def curves(self) -> Any:
    """What was measured so far."""


class Method(NamedTuple):
  """One way to spot.

  Attributes:
    measure: from frames per second to what measures.
    spot: from what was measured and the threshold to intervals.
    threshold: the default.
    follow: whether the face's box follows the head; the baselines have one for a video.
  """

  measure: Callable[[float], Measure]
  spot: Callable[[Any, float], list[Interval]]
  threshold: float
  follow: bool


def _spot_regions(curves: Any, threshold: float) -> list[Interval]:
  return intervals.spot(curves, intervals.SpotOptions(threshold=threshold))


METHODS: dict[str, Method] = {
  "regions": Method(RegionMotion, _spot_regions, intervals.SpotOptions().threshold, follow=True),
  # Thresholds of the papers.
  "mdmd": Method(baselines.mdmd, baselines.spot_mdmd, 0.01, follow=False),
  "strain": Method(baselines.strains, baselines.spot_strain, 0.55, follow=False),
}
