"""The closed form of the temporal interpolation model against the algorithm it stands for."""

import numpy as np
import pytest
from drawn_frames import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from mer_jax.inputs import make, tim


def graph_embedding(frames: np.ndarray, target: int) -> np.ndarray:
  """The published algorithm: float64 [M, D] of float64 [N, D] whose rows are independent, N > 1.

  Principal components of the frames, the linear extension of the path graph's embedding to them,
  and back along sine curves.
  """
  n = len(frames)
  mean = frames.mean(axis=0)
  u, s, vt = np.linalg.svd((frames - mean).T, full_matrices=False)
  u, y = u[:, : n - 1], s[: n - 1, None] * vt[: n - 1]
  path = np.diag(np.ones(n - 1), 1) + np.diag(np.ones(n - 1), -1)
  laplacian = np.diag(path.sum(axis=0)) - path
  values, vectors = np.linalg.eig(np.linalg.solve(y @ y.T, y @ laplacian @ y.T))
  t = np.real(vectors[:, np.argsort(np.real(values))])
  k = np.arange(1, n)

  def curve(p):
    return np.sin(np.pi * k * p + np.pi * (n - k) / (2 * n))

  scales = (y[:, 0] @ t) / curve(1 / n)
  back = u @ np.linalg.inv(t.T)
  positions = 1 / n + (1 - 1 / n) * np.arange(target) / (target - 1)
  return np.stack([back @ (scales * curve(p)) + mean for p in positions])


@given(source=st.integers(2, 14), target=st.integers(2, 20), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_it_equals_the_graph_embedding(source, target, seed):
  frames = np.random.default_rng(seed).uniform(size=(source, 60))
  wanted = graph_embedding(frames, target)
  np.testing.assert_allclose(tim.matrix(source, target) @ frames, wanted, rtol=0, atol=1e-6)


@given(source=st.integers(1, 150), target=st.integers(1, 150))
@settings(deadline=None)
def test_rows_sum_to_one(source, target):
  weights = tim.matrix(source, target)
  assert weights.shape == (target, source)
  assert weights.dtype == np.float64
  np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=0, atol=1e-12)


@given(st.integers(1, 150))
@settings(deadline=None)
def test_as_many_frames_as_there_are_stay_what_they_are(count):
  np.testing.assert_allclose(tim.matrix(count, count), np.eye(count), rtol=0, atol=1e-12)


@given(source=st.integers(1, 60), target=st.integers(2, 60))
@settings(deadline=None)
def test_the_first_and_the_last_frame_are_kept(source, target):
  ends = tim.matrix(source, target)[[0, -1]]
  np.testing.assert_allclose(ends, np.eye(source)[[0, -1]], rtol=0, atol=1e-12)


def test_the_sum_as_it_is_written():
  n, m = 5, 3
  written = np.zeros((m, n))
  for j in range(m):
    p = 1 / n + (1 - 1 / n) * j / (m - 1)
    for i in range(1, n + 1):
      terms = [
        np.cos(np.pi * k * (i - 0.5) / n) * np.cos(np.pi * k * (p * n - 0.5) / n)
        for k in range(1, n)
      ]
      written[j, i - 1] = 1 / n + 2 / n * sum(terms)
  np.testing.assert_allclose(tim.matrix(n, m), written, rtol=0, atol=1e-14)
  assert tim.matrix(13, 10).min() == pytest.approx(-0.23, abs=0.005)  # it rings, as known of it


@given(source=st.integers(1, 90), target=st.integers(1, 90))
@settings(deadline=None)
def test_smoothing_keeps_the_sum_and_leaves_stretching_alone(source, target):
  weights = tim.matrix(source, target, smooth=True)
  assert weights.shape == (target, source)
  np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=0, atol=1e-12)
  if target >= source:
    assert np.array_equal(weights, tim.matrix(source, target))


@pytest.mark.parametrize(("source", "target"), [(64, 10), (70, 33), (11, 10), (9, 1)])
def test_smoothing_takes_out_what_the_frames_left_cannot_show(source, target):
  orders = np.arange(source)
  waves = np.cos(np.pi / source * np.outer(np.arange(source) + 0.5, orders))
  plain, smooth = (tim.matrix(source, target, smooth=s) @ waves for s in (False, True))
  slow = orders < target
  np.testing.assert_allclose(smooth[:, slow], plain[:, slow], rtol=0, atol=1e-10)
  np.testing.assert_allclose(smooth[:, ~slow], 0, rtol=0, atol=1e-10)
  assert np.all(np.abs(plain[:, ~slow]).max(axis=0) > 0.1)  # they come back as slow ones


def test_smoothing_lowers_the_noise_of_many_frames():
  rng = np.random.default_rng(0)
  noise = rng.normal(size=(70, 400))
  plain, smooth = (tim.matrix(70, 10, smooth=s) @ noise for s in (False, True))
  assert plain.std() == pytest.approx(1, abs=0.1)
  assert smooth.std() == pytest.approx(np.sqrt(10 / 70), rel=0.15)


def test_one_frame_stands_for_all_and_all_give_the_first():
  assert np.array_equal(tim.matrix(1, 4), np.ones((4, 1)))
  np.testing.assert_allclose(tim.matrix(4, 1), [[1, 0, 0, 0]], rtol=0, atol=1e-15)
  clips = drawn([1, 6])
  frames = make("padded_frames", clips, num_frames=5, size=8, resample="tim")["frames"]
  np.testing.assert_allclose(frames[0] * 255, clips.frames_of(0).repeat(5, axis=0), atol=1e-4)
  first = make("padded_frames", clips, num_frames=1, size=8, resample="tim")["frames"]
  np.testing.assert_allclose(first[:, 0] * 255, clips.frames[[0, 1]], atol=1e-4)


@pytest.mark.parametrize("num_frames", [3, 7, 12])
def test_padded_frames_are_the_mixture_cut_to_the_range_of_a_pixel(num_frames):
  clips = drawn([7, 4])
  clips.frames[:] = np.where(clips.frames > 127, 255, 0)  # so that some of it overshoots
  made = make("padded_frames", clips, num_frames=num_frames, size=8, resample="tim")
  assert np.all(made["mask"])
  overshoot = 0
  for n, source in enumerate((7, 4)):
    frames = clips.frames_of(n).reshape(source, -1).astype(np.float64)
    mixed = tim.matrix(source, num_frames) @ frames
    overshoot = max(overshoot, mixed.max() - 255, -mixed.min())
    shown = made["frames"][n].reshape(num_frames, -1)
    np.testing.assert_allclose(shown, np.clip(mixed, 0, 255) / 255, atol=1e-6)
  assert made["frames"].min() == 0
  assert made["frames"].max() == 1
  assert overshoot > 5 or num_frames == 7


def test_a_clip_that_rests_stays_at_rest():
  clips = drawn([5])
  clips.frames[:] = clips.frames[:1]
  frames = make("padded_frames", clips, num_frames=9, size=8, resample="tim")["frames"]
  np.testing.assert_allclose(frames[0] * 255, clips.frames[:1].repeat(9, axis=0), atol=1e-4)
  moves = make("onset_difference", clips, num_frames=9, size=8, resample="tim")["frames"]
  assert np.abs(moves).max() < 1e-6


@pytest.mark.parametrize("smooth", [False, True])
def test_both_kinds_reach_the_frames(smooth):
  clips = drawn([12, 3])
  resample = "tim_smooth" if smooth else "tim"
  frames = make("padded_frames", clips, num_frames=5, size=8, resample=resample)["frames"]
  for n, source in enumerate((12, 3)):
    mixed = np.tensordot(tim.matrix(source, 5, smooth=smooth), clips.frames_of(n) / 255, axes=1)
    np.testing.assert_allclose(frames[n], np.clip(mixed, 0, 1), rtol=0, atol=1e-6)


@pytest.mark.parametrize("resample", ["tim", "tim_smooth"])
def test_the_onset_difference_is_that_of_the_mixture(resample):
  clips = drawn([6])
  options = {"num_frames": 9, "size": 8, "resample": resample}
  frames = make("padded_frames", clips, **options)["frames"]
  moves = make("onset_difference", clips, **options)["frames"]
  np.testing.assert_allclose(moves[0], frames[0] - clips.frames[:1] / 255, atol=1e-6)
