"""Where a face is at rest, and what of its motion is no expression: the head, speech, lids."""

import numpy as np
from scipy import ndimage

from mer_jax.video.regions import EYELIDS, REGIONS

_SMOOTH = 0.03  # seconds, standard deviation of the filter over time
_LOWER_FACE = ("left mouth corner", "right mouth corner", "upper lip", "lower lip", "chin")
# Speech: so many swings of chin or lower lip, each of so many pixels, within so many seconds. An
# expression has two. In a restless video a swing must be so many times what the brows, which do not
# speak, mostly do fast; in drawn videos that is less than the pixels.
_SWINGS, _SWING, _SPEECH = 5, 0.35, 1.5
_RESTLESS, _FAST = 7.0, 0.15  # seconds, standard deviation of the filter that leaves fast motion
_BROWS = [r for r, name in enumerate(REGIONS) if "brow" in name]


def without_model_error(position: np.ndarray, head: np.ndarray, fps: float) -> np.ndarray:
  """Positions [T, R, 2] without what still follows the head's motion [T, 6] linearly.

  No face has the depth of the average one, so a part of every turn of the head remains. The part is
  fitted to changes over half a second, with a little ridge, and twice more without the fifth of the
  changes that fit worst, for there the face moves.
  """
  lag = max(1, round(0.5 * fps))
  if len(position) < 20 * lag:
    return position
  turned = (head[lag:] - head[:-lag]).astype(np.float64)
  scale = turned.std(axis=0) + 1e-6
  moved = (position[lag:] - position[:-lag]).reshape(len(turned), -1).astype(np.float64)
  fitted = np.empty((turned.shape[1], moved.shape[1]))
  ridge = 1e-3 * len(turned) * np.eye(turned.shape[1])
  for column in range(moved.shape[1]):
    kept = np.ones(len(turned), bool)
    for _ in range(3):
      x, y = turned[kept] / scale, moved[kept, column]
      fitted[:, column] = np.linalg.solve(x.T @ x + ridge, x.T @ y) / scale
      wrong = np.abs(moved[:, column] - turned @ fitted[:, column])
      kept = wrong <= np.quantile(wrong, 0.8)
  return position - (head @ fitted).reshape(position.shape).astype(np.float32)


def from_rest(position: np.ndarray, seconds: float, fps: float) -> np.ndarray:
  """float32 [T, R, 2]: positions against their running median over `seconds`, smoothed a little."""
  window = min(len(position), round(seconds * fps)) | 1
  step = max(1, window // 40)  # the median of a long window is as good from fewer frames
  coarse = ndimage.median_filter(
    position[::step], size=((window // step) | 1, 1, 1), mode="nearest"
  )
  median = coarse if step == 1 else _between(coarse, step, len(position))
  return ndimage.gaussian_filter1d(position - median, _SMOOTH * fps, axis=0)


def _between(coarse: np.ndarray, step: int, length: int) -> np.ndarray:
  """Every `step`-th value of the first axis, as all of them, linearly."""
  at = np.minimum(np.arange(length) / step, len(coarse) - 1)
  low = np.minimum(at.astype(int), max(len(coarse) - 2, 0))
  share = (at - low)[:, None, None].astype(np.float32)
  return coarse[low] * (1 - share) + coarse[np.minimum(low + 1, len(coarse) - 1)] * share


def evidence(position: np.ndarray, fps: float) -> np.ndarray:
  """bool [T, R]: regions whose motion may be an expression; lids, and a speaking mouth, may not."""
  counted = np.ones(position.shape[:2], bool)
  counted[:, [REGIONS.index(name) for name in EYELIDS]] = False
  talks = speaking(position, fps)
  for name in _LOWER_FACE:
    counted[talks, REGIONS.index(name)] = False
  return counted


def speaking(position: np.ndarray, fps: float) -> np.ndarray:
  """bool [T]: the lower lip or the chin goes up and down again and again."""
  talks = np.zeros(len(position), bool)
  swing = max(_SWING, _RESTLESS * _fast(position[:, _BROWS], fps))
  for name in ("lower lip", "chin"):
    turns = _turning_points(position[:, REGIONS.index(name), 1], swing)
    for first, last in zip(turns, turns[_SWINGS:], strict=False):
      if last - first <= _SPEECH * fps:
        talks[first : last + 1] = True
  reach = round(0.5 * fps)
  return ndimage.binary_dilation(talks, iterations=reach) if talks.any() and reach else talks


def _fast(position: np.ndarray, fps: float) -> float:
  """How far regions mostly are from their own smooth course, pixels."""
  smooth = ndimage.gaussian_filter1d(position, _FAST * fps, axis=0)
  return float(np.median(np.linalg.norm(position - smooth, axis=-1)))


def _turning_points(curve: np.ndarray, least: float) -> list[int]:
  """Indices between which `curve` goes up or down by at least `least`, alternating."""
  turns, extreme, direction = [], 0, 0
  for t, value in enumerate(curve):
    change = value - curve[extreme]
    if direction * change > 0 or (direction == 0 and abs(change) >= least):
      direction = direction or int(np.sign(change))
      extreme = t
    elif abs(change) >= least:
      turns.append(extreme)
      extreme, direction = t, -direction
  return turns
