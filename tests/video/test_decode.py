"""Frames of a file: on an even grid of time, upright, and as far as the file can be read."""

import struct

import numpy as np
import pytest
from drawn_video import write

from mer_jax.errors import DataError
from mer_jax.video import decode
from mer_jax.video.decode import Video, open_video


def shades(count: int) -> list[np.ndarray]:
  return [np.full((48, 64, 3), 4 * n, np.uint8) for n in range(count)]


def test_frames_come_in_order_with_rate_and_size(tmp_path):
  video = open_video(write(tmp_path / "a name with spaces.mp4", shades(40), fps=25))
  assert (video.fps, video.width, video.height, video.claimed) == (25, 64, 48, 40)
  for _ in range(2):  # it can be read again
    frames = list(video.frames())
    assert [(f.index, f.source) for f in frames] == [(n, n) for n in range(40)]
    levels = [float(f.image.mean()) for f in frames]
    assert np.all(np.abs(np.array(levels) - 4 * np.arange(40)) < 4)
    assert video.remarks() == []


# Cosine and sine of quarter turns clockwise, as players show the picture.
QUARTERS = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}


def flagged(path, degrees: int) -> None:
  """Sets the rotation of an mp4 file: the matrix of its track's header."""
  cos, sin = QUARTERS[degrees]
  plain, turned = (
    struct.pack(">9i", a << 16, b << 16, 0, -b << 16, a << 16, 0, 0, 0, 1 << 30)
    for a, b in ((1, 0), (cos, sin))
  )
  data = path.read_bytes()
  head, track = data[: data.index(b"tkhd")], data[data.index(b"tkhd") :]
  assert plain in track[:100]
  path.write_bytes(head + track.replace(plain, turned, 1))


@pytest.mark.parametrize("degrees", QUARTERS)
def test_a_rotation_flag_turns_frames_upright(tmp_path, degrees):
  image = np.zeros((48, 64, 3), np.uint8)
  image[:16, :16] = 255
  path = write(tmp_path / "turned.mp4", [image] * 5)
  flagged(path, degrees)
  video = open_video(path)
  upright = np.rot90(image, -degrees // 90)
  assert (video.height, video.width) == upright.shape[:2]
  for frame in video.frames():
    assert np.abs(frame.image.astype(int) - upright).mean() < 4


def on_grid(monkeypatch, times: list[float], fps: float = 10.0) -> tuple[list, Video]:
  image = np.zeros((4, 4, 3), np.uint8)
  monkeypatch.setattr(decode, "_decoded", lambda path, fps: ((t, image) for t in times))
  video = Video(None, fps, 4, 4, 0)
  return list(video.frames()), video


def test_a_late_frame_is_stood_for_by_the_one_before_and_an_early_one_left_out(monkeypatch):
  frames, video = on_grid(monkeypatch, [0.0, 0.1, 0.13, 0.42, 0.5])
  assert [(f.index, f.source) for f in frames] == [(0, 0), (1, 1), (2, 1), (3, 1), (4, 3), (5, 4)]
  (remark,) = video.remarks()
  assert "2 frames are repeated and 1 left out" in remark


def test_a_long_gap_is_empty(monkeypatch):
  frames, video = on_grid(monkeypatch, [0.0, 2.0, 2.1])
  assert [f.image is None for f in frames] == [False, *[True] * 19, False, False]
  assert any("no picture for 1.9 s" in remark for remark in video.remarks())


def test_a_broken_file_gives_what_can_be_read(tmp_path):
  rng = np.random.default_rng(0)
  noise = [rng.integers(0, 255, (48, 64, 3), np.uint8) for _ in range(60)]
  whole = write(tmp_path / "whole.avi", noise)
  data = whole.read_bytes()
  (tmp_path / "cut.avi").write_bytes(data[: len(data) // 2])
  video = open_video(tmp_path / "cut.avi")
  count = sum(1 for _ in video.frames())
  assert 10 < count < 50
  (remark,) = video.remarks()
  assert f"breaks off at frame {count} of 60" in remark


@pytest.mark.parametrize(
  ("name", "message"),
  [("text.mp4", "no frame that OpenCV can decode"), (".", "is a folder"), ("no.mp4", "no file")],
)
def test_what_is_no_video_is_refused(tmp_path, name, message):
  (tmp_path / "text.mp4").write_text("This is a letter.\n" * 50)
  with pytest.raises(DataError, match=message):
    open_video(tmp_path / name)
