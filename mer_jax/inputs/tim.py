"""Temporal interpolation model (TIM): a clip of N frames as one of M, along a smooth curve.

Zhou, Zhao, Pietikäinen, "Towards a Practical Lipreading System", CVPR 2011.
"""

import numpy as np

from mer_jax.inputs.lengths import even_times


def matrix(source: int, target: int, *, smooth: bool = False) -> np.ndarray:
  """The weights with which TIM mixes `source` frames into `target` frames.

  The paper embeds the path graph of the N frames by principal components and an eigenvalue problem
  per clip. The eigenvectors of a path graph are cosines, and where no frame is a mixture of others
  the embedding and the way back cancel, so that the weights depend on N and M alone:

    x(p) = sum_i A[p, i] x_i,
    A[p, i] = 1/N + 2/N sum_{k=1}^{N-1} cos(pi k (i - 1/2) / N) cos(pi k (p N - 1/2) / N),

  i = 1..N, at p = 1/N + (1 - 1/N) j / (M - 1), j = 0..M-1. Unlike the original this also holds for
  clips that repeat a frame.

  Args:
    source: N, at least 1.
    target: M, at least 1. One frame is the first one; smoothed, the mean.
    smooth: end the sum at k = M - 1 where that is below N - 1: what is faster than M frames can
      show is taken out. Not part of the paper, whose way down from N to M frames filters nothing,
      so that fast changes, and the noise of the frames, come back as slow ones.

  Returns:
    float64 [M, N]. Rows sum to 1. Weights may be negative, so a result can leave the range of the
    frames. The first and the last row are the first and the last frame, unless smoothed.
  """
  orders = np.arange(1, min(source, target) if smooth else source)
  given = np.arange(source) + 0.5  # i - 1/2
  wanted = even_times(source, target) + 0.5  # p N - 1/2
  at_given, at_wanted = (np.cos(np.pi / source * np.outer(t, orders)) for t in (given, wanted))
  return (1 + 2 * at_wanted @ at_given.T) / source


def resampled(frames: np.ndarray, num_frames: int, *, smooth: bool = False) -> np.ndarray:
  """float32 [num_frames, ...] in 0..255: uint8 [T, ...] through `matrix`, clipped, not rounded."""
  weights = matrix(len(frames), num_frames, smooth=smooth)
  mixed = np.tensordot(weights, frames.astype(np.float64), axes=1)
  return np.clip(mixed, 0, 255, out=mixed).astype(np.float32)


def smoothed(frames: np.ndarray, num_frames: int) -> np.ndarray:
  """`resampled` with what num_frames frames cannot show taken out."""
  return resampled(frames, num_frames, smooth=True)
