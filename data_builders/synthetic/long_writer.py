"""Writes a synthetic corpus of long videos: all of it, or nothing."""

import os
import pathlib
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import NamedTuple

import cv2
import numpy as np
from tqdm import tqdm

from data_builders.synthetic import folder, long_formats, long_plan, long_sheets
from data_builders.synthetic.long_formats import LongFormat
from data_builders.synthetic.long_render import Sitting
from mer_jax import checks, errors
from mer_jax.face.anatomy import draw_identity
from mer_jax.inputs.threads import one_thread_in_opencv
from mer_jax.runtime import folders
from mer_jax.runtime.progress import progress

VERSION = 1  # of what is drawn; a corpus of another version is another corpus
_IDENTITY, _SITTING, _MOTION, _NOISE = range(4)  # purposes of the random streams
_QUALITY = 95  # of JPEG files


class LongOptions(NamedTuple):
  """What a synthetic corpus of long videos is like.

  Attributes:
    subjects: number of people.
    minutes: of video for each of them.
    size: face width in pixels.
    seed: everything follows from it and the other options.
  """

  subjects: int = 10
  minutes: float = 3.0
  size: int = 128
  seed: int = 0


class _Video(NamedTuple):
  """One video to draw: number of the subject, index among its videos, length in frames."""

  subject: int
  index: int
  frames: int


def write(
  name: str,
  out: str | os.PathLike[str],
  options: LongOptions,
  *,
  overwrite: bool = False,
  workers: int | None = None,
) -> bool:
  """Writes videos as folders of JPEG files, with coding sheets and ground truth.

  truth/<video>.npz holds, for T frames: head float16 [T, 6] as `LongMotion.head`, lids float16 [T],
  and of all that happens kind str [E], onset, apex and offset int64 [E], counted from 0.

  Args:
    name: format, "casme_squared" or "samm_lv".
    out: folder to make. One that holds the same corpus already is left as it is.
    options: what the corpus is like.
    overwrite: replace a synthetic corpus in `out` that has other parameters.
    workers: threads; None for one per core. It does not change the result.

  Returns:
    True if it was written, False if it was there already.

  Raises:
    ConfigError: an option is out of its range.
    DataError: `out` holds something else.
    WorkdirError: another process draws into `out`, the disk is full, or it may not be written.
  """
  kind = long_formats.of(name)
  videos = _videos(kind, options)
  parameters = {"version": VERSION, "format": name, **options._asdict()}
  out = pathlib.Path(out).expanduser()
  if folder.already_there(out, parameters, overwrite):
    return False
  with folders.replacing(out) as root:
    coded = _draw(kind, videos, options, root, workers)
    subjects = sorted({video.subject for video in videos})
    long_sheets.write(kind, subjects, coded, root)
    folder.write_mark(root, kind.name, parameters)
  return True


def _videos(kind: LongFormat, options: LongOptions) -> list[_Video]:
  """About a minute each, as many as it takes and as have a name."""
  checks.check_at_least("subjects", options.subjects, 1)
  checks.check_positive("minutes", options.minutes)
  checks.check_at_least("seed", options.seed, 0)
  if not 64 <= options.size <= 512:
    raise errors.ConfigError(f"size is {options.size} px; a face must be 64 to 512 px wide.")
  each = min(max(1, round(options.minutes)), long_formats.most_videos(kind))
  frames = round(options.minutes * 60 * kind.fps / each)
  if frames < 2 * kind.fps:
    raise errors.ConfigError(
      f"minutes is {options.minutes:g}, which makes a video of {frames / kind.fps:.1f} s; it must"
      " last at least 2 s."
    )
  beyond = kind.subjects[-1] + 1
  numbers = [*kind.subjects, *range(beyond, beyond + options.subjects)][: options.subjects]
  return [_Video(number, index, frames) for number in numbers for index in range(each)]


def _draw(
  kind: LongFormat,
  videos: list[_Video],
  options: LongOptions,
  root: pathlib.Path,
  workers: int | None,
) -> list[long_sheets.Coded]:
  pool = ThreadPoolExecutor(workers or os.cpu_count() or 1)
  total = sum(video.frames for video in videos)
  try:
    with one_thread_in_opencv(), progress(total, f"drawing {kind.name}", unit="frame") as bar:
      waiting = [pool.submit(_draw_video, kind, v, options, root, bar) for v in videos]
      for done in as_completed(waiting):
        done.result()
      return [row for done in waiting for row in done.result()]
  finally:
    pool.shutdown(wait=True, cancel_futures=True)


def _draw_video(
  kind: LongFormat, video: _Video, options: LongOptions, root: pathlib.Path, bar: tqdm
) -> list[long_sheets.Coded]:
  def stream(purpose: int, *place: int) -> np.random.Generator:
    return np.random.default_rng([options.seed, kind.number, purpose, video.subject, *place])

  person = draw_identity(stream(_IDENTITY))
  motion = long_plan.draw(kind, person, video.frames, stream(_MOTION, video.index))
  sitting = Sitting(kind, person, options.size, stream(_SITTING, video.index))
  frames = root / long_formats.video_folder(kind, video.subject, video.index)
  frames.mkdir(parents=True)
  for t, frame in enumerate(sitting.frames(motion, stream(_NOISE, video.index)), 1):
    name = long_formats.frame_name(kind, video.subject, video.index, t)
    encoded = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
    (frames / name).write_bytes(encoded.tobytes())
    if t % 100 == 0 or t == video.frames:
      bar.update(t % 100 or 100)
  _save_truth(root / "truth" / f"{frames.name}.npz", motion)
  coded = enumerate(motion.expressions, 1)
  return [long_sheets.Coded(video.subject, video.index, n, event) for n, event in coded]


def _save_truth(path: pathlib.Path, motion: long_plan.LongMotion) -> None:
  path.parent.mkdir(parents=True, exist_ok=True)
  events = motion.events
  np.savez_compressed(
    path,
    head=motion.head.astype(np.float16),
    lids=motion.lids.astype(np.float16),
    kind=np.array([event.kind for event in events], "U8"),
    onset=np.array([event.start for event in events], np.int64),
    apex=np.array([event.apex for event in events], np.int64),
    offset=np.array([event.end for event in events], np.int64),
  )
