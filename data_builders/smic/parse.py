"""Reads SMIC's trees into records; subject, emotion and span stand in names: no sheet is needed."""

import dataclasses
import pathlib
import re
from collections.abc import Mapping, Sequence

from data_builders import annotate, span, tree
from data_builders.build_report import BuildReport
from data_builders.frames import FrameError, list_frames
from data_builders.record import Record
from mer_jax.errors import DataError

DATASET = "smic"
FPS = {"hs": 100.0, "vis": 25.0, "nir": 25.0}
EMOTIONS = {"ne": "negative", "po": "positive", "sur": "surprise"}
EXPECTED = """SMIC should look like this (nested deeper is fine; the raw tree is read where there
is no cropped one):
  MANUAL_DIR/
    SMIC_all_cropped/HS/s1/micro/negative/s1_ne_01/reg_image559740.bmp ...
    SMIC_all_cropped/VIS/s11/...
    SMIC_all_cropped/NIR/s11/...
    SMIC_all_raw/HS/s1/micro/negative/s1_ne_01/image559740.bmp ...
The long videos (SMIC-E, HS_long) are another release, which this builder does not read."""

_SUBJECT = r"s\d{1,2}"
_CLIP = r"s\d{1,2}_(?:ne|po|sur)_\d{1,2}"
_LONG = re.compile(r"(?i)smic[^/]*[-_]e(?![a-z])|(?:^|[-_])long(?![a-z])")


def parse(
  manual_dir: pathlib.Path, config: str, camera: str, crop: str = "auto"
) -> tuple[list[Record], BuildReport]:
  """Finds the clips of one camera of SMIC and repairs or refuses what is wrong with them.

  The emotion is the one in the clip's name: sheets that circulate with SMIC call s18_sur_03
  negative, the name and the MEGC2019 list call it surprise.

  Args:
    manual_dir: holds the corpus as its owners distribute it, or is one of its trees.
    config: name of the builder config, for the report.
    camera: "hs", "vis" or "nir".
    crop: "auto" (raw trees only), "face" or "as_is".

  Returns:
    Records sorted by key, and the report so far (damaged images are refused when they are decoded).

  Raises:
    DataError: there is no clip of that camera.
  """
  manual_dir = tree.require_folder(manual_dir, EXPECTED)
  report = BuildReport(DATASET, config, options={"crop": crop, "camera": camera})
  trees = tree.find_trees(manual_dir, _SUBJECT, _CLIP)
  copy = annotate.choose_tree(_of_camera(trees, camera, manual_dir), manual_dir, EXPECTED, report)
  micro = tuple(clip for clip in copy.clips if not _is_neutral(*clip))
  copy = dataclasses.replace(copy, clips=micro)
  folders = annotate.clip_folders(copy, lambda _, c: _canonical(c.name), DATASET, report)
  subjects = {clip: subject for subject, clip in copy.clips}
  cropping = annotate.cropping(crop, copy, report)
  report.note("SMIC annotates no apex: `apex` is the midpoint of every clip")
  records = []
  for key, folder in sorted(folders.items()):
    try:
      frames, stray = list_frames(folder)
      annotate.note_stray(folder, stray, report)
      records.append(_record(key, frames, FPS[camera], cropping, report))
      _check_folders(key, folder, subjects[folder], report)
    except FrameError as error:
      report.refuse("/".join((DATASET, *key)), str(error))
  annotate.close(records, copy, [], report)
  return records, report


def _of_camera(
  trees: Sequence[tree.Tree], camera: str, manual_dir: pathlib.Path
) -> list[tree.Tree]:
  short = [t for t in trees if not any(_LONG.search(p) for p in _near(t.root))]
  matching = [t for t in short if _camera(t.root) == camera]
  if trees and not matching:
    cameras = sorted({str(_camera(t.root)).upper() for t in short}) or ["long videos only"]
    raise DataError(
      f"No clip of the camera {camera.upper()} found below {manual_dir} (found:"
      f" {', '.join(cameras)}). The folder above s1, s2, ... names the camera.\n{EXPECTED}"
    )
  return matching


def _camera(root: pathlib.Path) -> str | None:
  for part in _near(root):
    match = re.search(r"(?i)(?<![a-z])(hs|vis|nir)(?![a-z])", part)
    if match:
      return match[1].lower()
  return None


def _near(root: pathlib.Path) -> list[str]:
  # Only folders that belong to the corpus; the user's own may be called anything.
  return list(reversed(root.resolve().parts[-3:]))


def _is_neutral(subject: pathlib.Path, clip: pathlib.Path) -> bool:
  return "non_micro" in clip.relative_to(subject).as_posix().lower()


def _canonical(clip: str) -> tuple[str, str]:
  subject, emotion, index = clip.lower().split("_")
  return f"s{int(subject[1:]):02d}", f"s{int(subject[1:]):02d}_{emotion}_{int(index):02d}"


def _record(
  key: tuple[str, str],
  frames: Mapping[int, pathlib.Path],
  fps: float,
  crop: bool,
  report: BuildReport,
) -> Record:
  if not frames:
    raise FrameError("its folder holds no frame")
  numbers = tuple(frames)
  span.report_gaps("/".join((DATASET, *key)), numbers, report)
  return Record(
    dataset=DATASET,
    subject=key[0],
    clip=key[1],
    emotion=EMOTIONS[key[1].split("_")[1]],
    frames=tuple(frames.values()),
    numbers=numbers,
    onset=0,
    apex=(len(numbers) - 1) // 2,
    offset=len(numbers) - 1,
    apex_missing=True,
    fps=fps,
    crop=crop,
  )


def _check_folders(
  key: tuple[str, str], folder: pathlib.Path, subject: pathlib.Path, report: BuildReport
) -> None:
  """The name of a clip wins over the folders it lies in; where they disagree, it is a repair."""
  name = "/".join((DATASET, *key))
  if int(subject.name[1:]) != int(key[0][1:]):
    report.repair(name, "subject", f"{key[0]}, as in its name", f"it lies in {subject.name}/")
  emotion = EMOTIONS[key[1].split("_")[1]]
  above = folder.parent.name.lower()
  if above in EMOTIONS.values() and above != emotion:
    report.repair(name, "emotion", f"{emotion}, as in its name", f"it lies in {above}/")
