"""The face crop: one box per clip, detected on the onset frame, with stated fallbacks."""

import pathlib

import cv2
import numpy as np
import pytest
from corpus_trees import SAMM_CLIPS, samm
from drawn_video import drawn

from data_builders import build, face_crop, frames, landmark_crop
from data_builders.build_report import BuildReport
from data_builders.options import Options
from data_builders.record import Record
from data_builders.synthetic import corpora, plan
from data_builders.synthetic.render import Studio
from data_builders.synthetic.scene import Setting, compose
from mer_jax.clips import load_prepared
from mer_jax.errors import ConfigError
from mer_jax.video import align, landmarks, regions


def record(paths: list[pathlib.Path], clip: str, subject: str = "006") -> Record:
  return Record(
    dataset="samm",
    subject=subject,
    clip=clip,
    emotion="anger",
    frames=tuple(paths),
    numbers=tuple(range(len(paths))),
    onset=0,
    apex=0,
    offset=len(paths) - 1,
    apex_missing=False,
    fps=200.0,
    crop=True,
  )


def detections(monkeypatch, boxes: dict[str, face_crop.Box | None], shape=(100, 160)) -> list[str]:
  """Replaces the detector by a table from file names to boxes; returns the names it was asked."""
  asked = []

  def detect(path):
    asked.append(path.name)
    return (shape, boxes[path.name]) if path.name in boxes else None

  monkeypatch.setattr(face_crop, "_detect", detect)
  return asked


def test_only_the_onset_frame_of_each_clip_is_searched(monkeypatch):
  asked = detections(monkeypatch, {"a0": (10, 12, 60, 60), "b0": (14, 12, 60, 60)})
  records = [record([pathlib.Path(f"{c}{t}") for t in range(3)], c) for c in "ab"]
  report = BuildReport("samm", "frames48")
  boxes = face_crop.boxes(records, report)
  assert sorted(asked) == ["a0", "b0"]
  assert boxes == {"samm/006/a": (10, 12, 60, 60), "samm/006/b": (14, 12, 60, 60)}
  assert not report.repaired


def test_median_of_the_subject_stands_in(monkeypatch):
  faces = {"a": (10, 12, 60, 60), "b": (14, 12, 60, 60), "c": (12, 20, 60, 60)}
  detections(monkeypatch, faces | {"none": None, "far": (100, 70, 20, 20), "other": None})
  names = [*faces, "none", "far"]
  records = [record([pathlib.Path(name)], name) for name in names]
  records.append(record([pathlib.Path("other")], "other", subject="007"))
  report = BuildReport("samm", "frames48")
  boxes = face_crop.boxes(records, report)
  # (10, 12), (14, 12), (12, 20) and the stray (100, 70): medians 13 and 16
  assert boxes["samm/006/none"] == boxes["samm/006/far"] == (13, 16, 60, 60)
  assert boxes["samm/007/other"] == (40, 10, 80, 80)  # 0.8 of the 100 rows, centred
  assert {r["clip"] for r in report.repaired} == {
    "samm/006/none",
    "samm/006/far",
    "samm/007/other",
  }
  assert "median" in report.repaired[0]["how"]
  assert "elsewhere" in report.repaired[1]["why"]
  assert "80 px" in report.repaired[2]["how"]


def test_unreadable_onset_frame_is_left_to_the_decoder(monkeypatch):
  detections(monkeypatch, {})
  report = BuildReport("samm", "frames48")
  assert face_crop.boxes([record([pathlib.Path("a")], "a")], report) == {}
  assert not report.repaired


def test_fallback_square_reaches_every_frame(tmp_path):
  root = samm(tmp_path / "corpus", tree="SAMM")  # frames of noise, 32 x 40: no face anywhere
  report, *_ = build.build("samm", root, tmp_path / "data")
  assert len({r["clip"] for r in report.repaired}) == len(SAMM_CLIPS)
  clips = load_prepared("samm", "frames48", tmp_path / "data")
  side, (height, width) = 25, (40, 32)
  y, x = (height - side) // 2, (width - side) // 2
  for t, number in enumerate(range(5562, 5567)):
    path = root / "SAMM" / "006" / "006_1_2" / f"006_{number:05d}.jpg"
    cut = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)[y : y + side, x : x + side]
    expected = cv2.resize(cut, (48, 48), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(clips.frames_of(0)[t, :, :, 0], expected)


@pytest.mark.parametrize("crop", ["face", "as_is"])
def test_crop_can_be_chosen(tmp_path, crop):
  root = samm(tmp_path / "corpus", tree="SAMM")
  report, *_ = build.build("samm", root, tmp_path / "data", crop=crop)
  assert bool(report.repaired) == (crop == "face")
  assert report.options["crop"] == crop


def test_detector_finds_drawn_faces_in_raw_frames(tmp_path):
  studio = Studio(Setting(corpora.SAMM, "raw", 128, 1.0, 3))
  results = []
  for n, clip in enumerate(plan.plan(corpora.SAMM, 3, 1, 3, "raw")):
    onset = next(studio.frames(compose(studio.setting, clip)))
    cv2.imwrite(str(tmp_path / f"{n}.jpg"), onset)
    results.append(face_crop._detect(tmp_path / f"{n}.jpg"))
  assert len(results) >= 3
  boxes = [box for shape, box in results if box is not None]
  assert len(boxes) >= len(results) - 1
  for x, y, width, height in boxes:
    assert 64 < width < 256  # of a face 128 px wide
    assert x >= 0
    assert y >= 0
    assert width == height


@pytest.mark.skipif(not landmarks.installed(), reason=f"needs {landmarks.INSTALL}")
def test_landmarks_of_the_onset_frame_align_every_frame(tmp_path):
  images, _ = drawn(seed=4, seconds=0.2)
  paths = [tmp_path / f"{t}.png" for t in range(3)]
  for path, image in zip(paths, images, strict=False):
    cv2.imwrite(str(path), image)
  blank = tmp_path / "blank.png"
  cv2.imwrite(str(blank), np.full_like(images[0], 90))
  records = [record(paths, "face"), record([blank], "blank", subject="007")]
  report = BuildReport("samm", "frames48")
  cuts = landmark_crop.transforms(records, report)
  transform = cuts["samm/006/face"]
  assert isinstance(transform, np.ndarray)
  own = landmarks.Landmarks()
  eyes = own.mesh(images[0], own.detect(images[0])[0]).points[[33, 263], :2]
  places = np.array([(-align.OUTER, 0), (align.OUTER, 0)])
  width = np.linalg.norm(transform[:, 0])
  assert np.abs(places @ transform[:, :2].T + transform[:, 2] - eyes).max() < 0.06 * width
  clip = frames.read_clip(paths, 48, transform)
  for t, path in enumerate(paths):
    expected = align.cut(frames.read(path), transform, 48)
    np.testing.assert_array_equal(clip[t, :, :, 0], expected)
  assert len(cuts["samm/007/blank"]) == 4
  assert {r["clip"] for r in report.repaired} == {"samm/007/blank"}
  assert "landmarks" in {r["what"] for r in report.repaired}


def test_landmarks_have_to_be_installed_before_anything_is_built(monkeypatch):
  monkeypatch.setattr(landmarks, "installed", lambda: False)
  with pytest.raises(ConfigError, match="pip install"):
    Options(crop="landmarks")


@pytest.mark.parametrize("size", [48, 224])
def test_alignment_reaches_the_same_box_at_any_size(size):
  ramp = np.tile(np.arange(0, 256, dtype=np.uint8), (256, 1))
  transform = np.array([[120.0, 0, 128], [0, 120, 110]])
  crop = align.cut(ramp, transform, size)
  assert crop.shape == (size, size)
  left, _, right, _ = regions.FACE_BOX
  ends = 128 + 120 * np.array([left, right])
  step = (ends[1] - ends[0]) / size
  np.testing.assert_allclose(crop[5, [1, -2]], ends + np.array([1, -2]) * step, atol=2)
