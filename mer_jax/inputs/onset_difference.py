"""onset_difference: every frame minus the clip's onset frame, so that the face itself cancels."""

from typing import Any

import numpy as np

from mer_jax import checks
from mer_jax.clips import GRAY, Clips
from mer_jax.inputs.declaration import declares
from mer_jax.inputs.padded_frames import padded_frames
from mer_jax.inputs.resize import resized


@declares(reads=(GRAY,), gives=("frames", "mask"), passes_on=padded_frames, needs_motion=True)
def onset_difference(
  clips: Clips,
  *,
  gain: float = 1.0,
  flicker: str = "keep",
  head_motion: str = "keep",
  standardise: str = "none",
  **frame_options: Any,
) -> dict[str, np.ndarray]:
  """Differences to the onset frame of the same clip.

  A small motion (a, b) of a face I under light that changes by a factor and an offset changes the
  frame by about c + d I - a I_x - b I_y. `flicker` and `head_motion` subtract from every frame's
  difference the combination of such terms of the onset frame that fits it best, in the least
  squares sense over the whole image; what an expression moves locally is left.

  Args:
    clips: Clips [N] of gray frames.
    gain: factor on the differences; a micro-expression changes a pixel by a few hundredths.
    flicker: "keep", or "remove" the terms 1 and I.
    head_motion: "keep"; "translation" removes I_x and I_y; "affine" also x and y times both: turns,
      zoom and shear.
    standardise: "none", or "clip": subtract the mean and divide by the standard deviation that the
      clip's own frames have together (1 where nothing moves), before `gain`.
    **frame_options: num_frames, size, pad, truncate, resample: as in `padded_frames`.

  Returns:
    frames: float32 [N, T, H, W, 1], 0 where padded. In -gain..gain where nothing is removed or
      standardised, and around 0 in any case.
    mask: bool [N, T], True where a frame of the clip stands.

  Raises:
    ConfigError: a value that is not listed above.
  """
  checks.check_positive("gain", gain)
  checks.check_choice("flicker", flicker, ("keep", "remove"))
  checks.check_choice("head_motion", head_motion, ("keep", "translation", "affine"))
  checks.check_choice("standardise", standardise, ("none", "clip"))
  arrays = padded_frames(clips, **frame_options)
  frames, mask = arrays["frames"], arrays["mask"]
  size = frames.shape[2]
  for n in range(len(clips)):
    # Truncation may cut the onset off, so it is taken from the clip and not from `frames`.
    onset = resized(clips.frames_of(n)[clips.onset[n]][None], size)[0, ..., 0] / np.float32(255)
    difference = frames[n, mask[n]] - onset[..., None]
    difference = _without(difference, _nuisance(onset, flicker, head_motion))
    if standardise == "clip":
      difference = (difference - difference.mean()) / (difference.std() or 1)
    frames[n, mask[n]] = np.float32(gain) * difference
  return {"frames": frames, "mask": mask}


def _nuisance(onset: np.ndarray, flicker: str, head_motion: str) -> list[np.ndarray]:
  """The images, each [H, W], whose combinations are to be removed."""
  terms = []
  if flicker == "remove":
    terms += [np.ones_like(onset), onset]
  if head_motion != "keep" and min(onset.shape) > 1:  # one pixel has no derivative
    slopes = np.gradient(onset)
    y, x = np.indices(onset.shape, np.float32) / np.float32(len(onset))
    terms += slopes
    if head_motion == "affine":
      terms += [place * slope for place in (y, x) for slope in slopes]
  return terms


def _without(difference: np.ndarray, terms: list[np.ndarray]) -> np.ndarray:
  """[T, H, W, 1] minus its least-squares fit by `terms`, frame by frame."""
  if not terms:
    return difference
  basis = np.stack([term.ravel() for term in terms], axis=-1)
  flat = difference.reshape(len(difference), -1).T
  fit = basis @ np.linalg.lstsq(basis, flat, rcond=None)[0]
  return difference - fit.T.reshape(difference.shape)
