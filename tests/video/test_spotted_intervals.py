"""Spotting on drawn curves: what is an expression is spotted, what is not is not."""

import numpy as np
import pytest

from mer_jax.errors import ConfigError
from mer_jax.video import regions
from mer_jax.video.curves import MotionCurves, windowed
from mer_jax.video.intervals import SpotOptions, speech, spot

FPS, LENGTH = 30.0, 900


def index(name: str) -> int:
  return regions.REGIONS.index(name)


def bump(onset: int, offset: int) -> np.ndarray:
  """float [T]: 0, up and down from onset to offset, 0."""
  phase = np.clip((np.arange(LENGTH) - onset) / (offset - onset), 0, 1)
  return np.sin(np.pi * phase) ** 2


def curves_of(motions: dict[str, np.ndarray], head: np.ndarray | None = None) -> MotionCurves:
  """Curves in which regions move down by so many pixels [T], with a little noise."""
  rng = np.random.default_rng(0)
  position = rng.normal(0, 0.03, (LENGTH, len(regions.REGIONS), 2)).astype(np.float32)
  for name, motion in motions.items():
    position[:, index(name), 1] += motion
  usable, stretch = np.ones(LENGTH, bool), np.zeros(LENGTH, np.int64)
  return MotionCurves(
    time=np.arange(LENGTH) / FPS,
    frame=np.arange(LENGTH),
    position=position,
    head=np.zeros((LENGTH, 6), np.float32) if head is None else head,
    motion=windowed(position, usable, stretch, 10),
    usable=usable,
    stretch=stretch,
    fps=FPS,
  )


def test_short_and_long_expressions_are_told_apart():
  motions = {"left inner brow": bump(300, 313), "right mouth corner": 2 * bump(600, 660)}
  micro, macro = spot(curves_of(motions))
  assert (micro.kind, macro.kind) == ("micro", "macro")
  assert (micro.onset, micro.apex, micro.offset) == pytest.approx((301, 306, 311), abs=2)
  assert (macro.onset, macro.apex, macro.offset) == pytest.approx((606, 630, 653), abs=4)
  assert micro.regions == ("left inner brow",)
  assert macro.regions == ("right mouth corner",)
  assert 1.5 < macro.strength < 2.2


def test_nothing_is_spotted_where_nothing_happens():
  assert spot(curves_of({})) == []


def test_speech_lids_and_posture_are_no_expressions():
  seconds = np.arange(LENGTH) / FPS
  talk = 1.5 * np.sin(2 * np.pi * 3 * seconds) * (np.abs(seconds - 10) < 2)
  closed = 4 * bump(500, 509)
  lean = np.clip((np.arange(LENGTH) - 700) / 15, 0, 1)
  motions = {"lower lip": talk, "chin": 1.2 * talk, "left eyelids": closed, "right eyelids": closed}
  assert spot(curves_of(motions)) == []
  assert spot(curves_of({"nose": lean})) == []


def test_what_shakes_the_brows_too_is_no_speech():
  shake = 0.5 * np.sin(2 * np.pi * 4 * np.arange(LENGTH) / FPS)
  mouth = dict.fromkeys(("lower lip", "chin"), shake)
  brows = {name: shake for name in regions.REGIONS if "brow" in name}
  assert speech(curves_of(mouth)).mean() > 0.9
  assert not speech(curves_of(mouth | brows)).any()


def test_what_follows_the_head_is_taken_out():
  turn = np.cumsum(np.random.default_rng(1).normal(0, 0.3, LENGTH))
  head = np.zeros((LENGTH, 6), np.float32)
  head[:, 4] = turn
  left_over = {"chin": 0.3 * turn, "nose": -0.2 * turn, "left inner brow": bump(400, 412)}
  (micro,) = spot(curves_of(left_over, head))
  assert micro.kind == "micro"
  assert 395 < micro.onset < micro.offset < 418


def test_a_lower_threshold_spots_at_least_as_much():
  motions = {"chin": 0.15 * bump(200, 212), "nose": 0.4 * bump(400, 412)}
  numbers = [len(spot(curves_of(motions), SpotOptions(threshold=x))) for x in (20, 8, 4, 2)]
  assert numbers == sorted(numbers)
  assert numbers[0] == 0
  assert numbers[-1] >= 2


def test_a_face_that_is_seen_in_one_frame_alone_does_not_move():
  made = curves_of({"nose": bump(300, 312)})
  stretch = np.where(np.arange(LENGTH) == LENGTH - 1, 1, 0)
  made = MotionCurves(**(vars(made) | {"stretch": stretch}))
  assert len(spot(made)) == 1


def test_a_gap_divides_and_is_not_measured():
  made = curves_of({"nose": bump(300, 312)})
  usable, stretch = made.usable.copy(), made.stretch.copy()
  usable[305], stretch[305:] = False, 1
  made = MotionCurves(**(vars(made) | {"usable": usable, "stretch": stretch}))
  assert all(not interval.onset <= 305 <= interval.offset for interval in spot(made))


@pytest.mark.parametrize("threshold", [0, -1, float("nan")])
def test_a_threshold_must_be_positive(threshold):
  with pytest.raises(ConfigError, match="threshold"):
    SpotOptions(threshold=threshold)
