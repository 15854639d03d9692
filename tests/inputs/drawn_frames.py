"""Clips of random frames of given lengths."""

import numpy as np

from mer_jax.clips import FLOW_MAPS, GRAY, Clips


def drawn(
  lengths: list[int], size: int = 8, seed: int = 0, apex: list[int] | None = None, channels=GRAY
) -> Clips:
  """Clips [N] of uint8 noise; onset 0, apex in the middle unless given, offset the last frame."""
  rng = np.random.default_rng(seed)
  n = len(lengths)
  depth = 3 if channels == FLOW_MAPS else 1
  last = np.array(lengths, np.int32) - 1
  zeros = np.zeros(n, np.int32)
  return Clips(
    frames=rng.integers(0, 256, (sum(lengths), size, size, depth), np.uint8),
    starts=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
    dataset=np.full(n, "casme2"),
    subject=np.array([f"sub{i:02d}" for i in range(n)]),
    clip=np.array([f"EP{i:02d}" for i in range(n)]),
    emotion=np.full(n, "disgust"),
    action_units=np.full(n, ""),
    objective_class=np.full(n, ""),
    onset=zeros,
    apex=last // 2 if apex is None else np.array(apex, np.int32),
    offset=last,
    apex_missing=zeros.astype(bool),
    fps=np.full(n, 200, np.float32),
    first_frame=zeros.astype(np.int64),
    last_frame=last.astype(np.int64),
    synthetic=np.ones(n, bool),
    channels=channels,
  )
