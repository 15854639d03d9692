"""Clips of one frame and clips that stand still: refused or named where motion is measured."""

import dataclasses

import numpy as np
import pytest
from annotated_clips import THREE, annotated, corpus

from mer_jax.clips import Clips
from mer_jax.errors import DataError
from mer_jax.experiment import data, settings


def clips_of(lengths: list[int]) -> Clips:
  """Synthetic clips of three subjects; the frames of the last are all the same."""
  counts = dict.fromkeys(THREE, len(lengths) // 3)
  clips = annotated(corpus("casme2", counts, 3), synthetic=True)
  starts = np.concatenate([[0], np.cumsum(lengths)])
  frames = np.random.default_rng(0).integers(0, 255, (starts[-1], 4, 4, 1)).astype(np.uint8)
  frames[starts[-2] :] = frames[starts[-2]]
  offset = np.array(lengths, np.int32) - 1
  return dataclasses.replace(clips, frames=frames, starts=starts, offset=offset)


def split(monkeypatch, clips: Clips, name: str):
  monkeypatch.setattr(data, "load_prepared", lambda *_: clips)
  config = settings.default()
  config.input.name = name
  return data.load_split(config)


def test_inputs_of_motion_refuse_clips_of_one_frame_and_name_those_that_stand_still(monkeypatch):
  clips = clips_of([3, 1, 3, 3, 3, 3, 3, 3, 3])
  given = split(monkeypatch, clips, "flow")
  assert len(given.labels) == 8
  assert clips.name(1) not in {given.clips.name(n) for n in range(8)}
  assert any("1 clips of one frame take no part" in remark for remark in given.remarks)
  still = next(remark for remark in given.remarks if "the same image in every frame" in remark)
  assert clips.name(8) in still


def test_inputs_of_appearance_take_them_and_say_nothing(monkeypatch):
  given = split(monkeypatch, clips_of([3, 1, 3, 3, 3, 3, 3, 3, 3]), "apex_frame")
  assert len(given.labels) == 9
  assert not any("one frame" in remark or "same image" in remark for remark in given.remarks)


def test_a_corpus_of_single_frames_gives_no_score_of_motion(monkeypatch):
  with pytest.raises(DataError, match=r"All 9 clips hold one frame.*apex_frame"):
    split(monkeypatch, clips_of([1] * 9), "flow")
