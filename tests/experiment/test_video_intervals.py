"""The frames of spotted intervals, read again: those that stand in for missing ones are counted."""

import types

import numpy as np
import pytest

from mer_jax.errors import DataError
from mer_jax.experiment import video_intervals
from mer_jax.video import decode, usable
from mer_jax.video.decode import Video
from mer_jax.video.follow import Followed
from mer_jax.video.intervals import Interval

SLOTS = 20
MODEL = types.SimpleNamespace(
  classes=("negative", "positive"),
  seeds=1,
  predict=lambda clips: types.SimpleNamespace(probabilities=np.full((len(clips), 2), 0.5)),
)


def named(monkeypatch, slots: list[int]) -> list:
  """Marks of two intervals in a file that has frames at these slots of 10 a second alone."""
  image = np.full((64, 64, 3), 128, np.uint8)
  frames = [(slot / 10, image) for slot in slots]
  monkeypatch.setattr(decode, "_decoded", lambda path, fps: iter(frames))
  face = Followed(1, None, transforms=[np.array([[40.0, 0.0, 32.0], [0.0, 40.0, 32.0]])])
  face.states.extend([usable.USABLE] * SLOTS)
  face.alignments.extend([0] * SLOTS)
  intervals = [Interval(t, t + 2, t + 4, "micro", 1.0, ("chin",)) for t in (2, 12)]
  return video_intervals.named(
    Video("v.mp4", 10.0, 64, 64, 0), [(face, i) for i in intervals], MODEL
  )


def test_repeated_frames_are_counted(monkeypatch):
  marks = named(monkeypatch, [n for n in range(SLOTS) if n not in (4, 5)])
  assert [mark.repeated for mark in marks] == [2, 0]
  assert marks[0].frames == (2, 3, 4)
  (remark,) = video_intervals.repetitions(marks)
  assert "2 frames within 1 of 2 intervals" in remark
  assert video_intervals.repetitions(marks[1:]) == []


def test_an_interval_that_is_gone_is_not_passed_over(monkeypatch):
  with pytest.raises(DataError, match="14 frames when it was read again"):
    named(monkeypatch, list(range(14)))
