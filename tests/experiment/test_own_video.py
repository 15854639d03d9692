"""mer_jax predict on a video file: its page, its csv, and a clear answer where there is nothing."""

import csv

import cv2
import numpy as np
import pytest
from drawn_video import drawn, write

from mer_jax.cli import predict
from mer_jax.video import landmarks


@pytest.fixture(scope="module")
def video(tmp_path_factory):
  """Seconds of a drawn face."""
  frames, _ = drawn(3, 4.0, size=160)
  return write(tmp_path_factory.mktemp("own video") / "my holiday.mp4", frames)


@pytest.fixture(scope="module")
def predicted(video, tmp_path_factory):
  out = tmp_path_factory.mktemp("out put")
  arguments = [str(video), f"--out={out}", "--annotate", "--threshold=1.5", "--detector=cascade"]
  assert predict.main(arguments) == 0
  return out


def test_leaves_a_page_that_needs_nothing_else(predicted):
  page = (predicted / "report.html").read_text(encoding="utf-8")
  assert "This is not a measurement of feeling." in page
  assert "my holiday.mp4" in page
  assert "zero-shot" in page  # how good the model is, and on what
  assert "http" not in page.replace("http-equiv", "")
  assert page.count("<path") == 12


def test_every_interval_stands_in_csv_and_page(predicted):
  with open(predicted / "intervals.csv", encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
  page = (predicted / "report.html").read_text(encoding="utf-8")
  assert rows
  assert page.count('<article class="spotted"') == page.count('<a href="#interval') == len(rows)
  for row in rows:
    onset, apex, offset = (float(row[f"{point}_seconds"]) for point in ("onset", "apex", "offset"))
    assert 0 <= onset <= apex <= offset <= 4
    assert (row["kind"] == "micro") == (offset - onset + 1 / 30 <= 0.5 + 1e-6)
    chances = {c: float(row[f"probability_{c}"]) for c in ("negative", "positive", "surprise")}
    assert sum(chances.values()) == pytest.approx(1, abs=1e-4)
    assert row["prediction"] == max(chances, key=chances.get)


def test_the_annotated_copy_has_every_frame_and_a_box(predicted, video):
  copies, originals = (cv2.VideoCapture(str(p)) for p in (predicted / "annotated.mp4", video))
  count = 0
  while True:
    (good, copy), (_, original) = copies.read(), originals.read()
    if not good:
      break
    count += 1
    assert np.abs(copy.astype(int) - original).max() > 40
  assert count == 120


def frames_like(level: int, count: int) -> list[np.ndarray]:
  return [np.full((120, 160, 3), level, np.uint8)] * count


@pytest.mark.parametrize(
  ("frames", "message"),
  [
    (frames_like(0, 30), "in none of its 30 frames"),
    (frames_like(128, 30), "in none of its 30 frames"),
    (frames_like(128, 1), "has 1 frame;"),
    ([np.zeros((2160, 3840, 3), np.uint8)] * 12, "3840 x 2160"),
  ],
  ids=["black", "no face", "one frame", "4K"],
)
def test_a_video_without_a_face_gets_a_clear_answer(tmp_path, capsys, frames, message):
  path = write(tmp_path / "video.mp4", frames)
  assert predict.main([str(path), f"--out={tmp_path / 'out'}"]) == 3
  assert message in capsys.readouterr().err
  assert not (tmp_path / "out").exists()


def test_text_named_mp4_and_options_of_the_other_kind_are_refused(tmp_path, capsys, video):
  (tmp_path / "text.mp4").write_text("a letter")
  out = f"--out={tmp_path}"
  assert predict.main([str(tmp_path / "text.mp4"), out]) == 3
  assert predict.main([str(tmp_path), out, "--annotate"]) == 2
  assert predict.main([str(video), out, "--apex=3"]) == 2
  assert predict.main([str(video), out, "--threshold=0"]) == 2
  errors = capsys.readouterr().err
  for part in ("can decode", "--annotate is for a video", "is spotted", "threshold must be"):
    assert part in errors


def test_without_landmarks_the_message_says_how_to_install_them(
  tmp_path, capsys, monkeypatch, video
):
  monkeypatch.setattr(landmarks, "installed", lambda: False)
  assert predict.main([str(video), f"--out={tmp_path}", "--detector=landmarks"]) == 2
  assert landmarks.INSTALL in capsys.readouterr().err
