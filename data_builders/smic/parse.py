"""Reads SMIC's trees into records; subject, emotion and span stand in names: no sheet is needed."""

import dataclasses
import itertools
import pathlib
import re
from collections.abc import Sequence

from data_builders import annotate, apex_table, choice, sheets, span, tree
from data_builders.build_report import BuildReport
from data_builders.choice import Key
from data_builders.frame_error import FrameError
from data_builders.frames import LooseImages, Source, key_frames, list_frames
from data_builders.options import Options
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

_SUBJECT = r"(?:subject|subj|sub|s|p)?[ _-]?\d{1,2}"
_CLIP = r"s\d{1,2}_(?:ne|po|sur)_\d{1,2}"
# The name of a clip begins with its subject, which some copies put before it once more.
_JOINED = re.compile(rf"(?:{_SUBJECT}_)?({_CLIP})", re.IGNORECASE)
_LONG = re.compile(r"(?i)smic[^/]*[-_]e(?![a-z])|(?:^|[-_])long(?![a-z])")


def parse(
  manual_dir: pathlib.Path,
  config: str,
  camera: str,
  crop: str = "auto",
  apex: pathlib.Path | None = None,
) -> tuple[list[Record], BuildReport]:
  """Finds the clips of one camera of SMIC and repairs or refuses what is wrong with them.

  The emotion is the one in the clip's name: sheets that circulate with SMIC call s18_sur_03
  negative, the name and the MEGC2019 list call it surprise.

  Args:
    manual_dir: holds the corpus as its owners distribute it, or is one of its trees.
    config: name of the builder config, for the report.
    camera: "hs", "vis" or "nir".
    crop: "auto" (raw trees only), "face" or "as_is".
    apex: a table of apexes, see `apex_table`; None: they are the midpoints.

  Returns:
    Records sorted by key, and the report so far (damaged images are refused when they are decoded).

  Raises:
    DataError: there is no clip of that camera.
  """
  manual_dir = tree.require_folder(manual_dir, EXPECTED)
  options = Options(crop=crop, apex=apex)
  report = BuildReport(DATASET, config, options=options.described(camera=camera))
  trees = tree.find_trees(manual_dir, _SUBJECT, _JOINED.pattern)
  trees = _of_camera([_of_micro(t, manual_dir) for t in trees], camera, manual_dir, report)
  choice.require(trees, manual_dir, EXPECTED, report)
  copy = choice.choose_tree(trees, _clip_key, None, report)
  folders = annotate.clip_folders(copy, _clip_key, None, DATASET, report)
  subjects = {str(clip.source): clip.subject for clip in copy.clips}
  cropping = annotate.cropping(crop, copy, report)
  apexes = apex_table.read(apex, _row_key, folders, report)
  if not apexes:
    report.note("SMIC annotates no apex: `apex` is the midpoint of every clip")
  records = []
  for key, folder in sorted(folders.items()):
    try:
      record = _record(key, folder, apexes.get(key), FPS[camera], report)
      records.append(dataclasses.replace(record, crop=cropping))
      _check_folders(key, folder, subjects[str(folder)], report)
    except FrameError as error:
      report.refuse("/".join((DATASET, *key)), str(error))
  annotate.close(records, copy, [apex] if apex else [], report)
  return records, report


def _of_micro(copy: tree.Tree, manual_dir: pathlib.Path) -> tree.Tree:
  """The tree without SMIC's clips of no expression."""
  paths = [pathlib.Path(str(c.source)).relative_to(manual_dir).as_posix() for c in copy.clips]
  micro = ["non_micro" not in path.lower() for path in paths]
  return dataclasses.replace(copy, clips=tuple(itertools.compress(copy.clips, micro)))


def _of_camera(
  trees: Sequence[tree.Tree], camera: str, manual_dir: pathlib.Path, report: BuildReport
) -> list[tree.Tree]:
  trees = [t for t in trees if t.clips]
  short = [t for t in trees if not any(_LONG.search(p) for p in _near(t.root))]
  matching = [t for t in short if _camera(t.root) == camera]
  if short and all(_camera(t.root) is None for t in short):
    matching = short
    report.note(
      f"no folder names the camera, so the clips are taken for those of {camera.upper()}"
      f" ({FPS[camera]:g} frames per second); --config chooses another, as frames48_vis"
    )
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


def _canonical(clip: str) -> Key:
  subject, emotion, index = clip.lower().split("_")
  return f"s{int(subject[1:]):02d}", f"s{int(subject[1:]):02d}_{emotion}_{int(index):02d}"


def _clip_key(clip: tree.Clip) -> Key:
  match = _JOINED.fullmatch(clip.name)
  assert match is not None  # the tree was searched for such names
  return _canonical(match[1])


def _row_key(row: sheets.Row) -> Key:
  match = _JOINED.fullmatch(row.text("filename"))
  if match is None:
    raise ValueError(f"clip {row.text('filename')!r} is not like 's1_ne_01'")
  return _canonical(match[1])


def _record(key: Key, source: Source, apex: int | None, fps: float, report: BuildReport) -> Record:
  name = "/".join((DATASET, *key))
  part = _span(name, source, apex, report)
  return Record(
    dataset=DATASET,
    subject=key[0],
    clip=key[1],
    emotion=EMOTIONS[key[1].split("_")[1]],
    frames=part.frames,
    numbers=part.numbers,
    onset=0,
    apex=part.apex,
    offset=len(part.numbers) - 1,
    apex_missing=part.apex_missing,
    fps=fps,
    crop=False,
  )


def _span(name: str, source: Source, apex: int | None, report: BuildReport) -> span.Span:
  """All frames of the clip; without a table of apexes the midpoint stands in for the apex."""
  words = key_frames(source)
  if words:
    return span.of_key_frames(name, words, (0, 1, 2), report)
  frames, stray = list_frames(source)
  annotate.note_stray(source, stray, report)
  if not frames:
    raise FrameError("its folder holds no frame")
  numbers = tuple(frames)
  if apex is not None:
    return span.cut(name, frames, numbers[0], numbers[-1], apex, str(apex), report)
  span.report_gaps(name, numbers, report)
  return span.Span(tuple(frames.values()), numbers, (len(numbers) - 1) // 2, True)


def _check_folders(
  key: Key, source: Source, subject: pathlib.Path | None, report: BuildReport
) -> None:
  """The name of a clip wins over the folders it lies in; where they disagree, it is a repair."""
  name = "/".join((DATASET, *key))
  number = re.findall(r"[0-9]+", subject.name)[-1] if subject else key[0][1:]
  if subject and int(number) != int(key[0][1:]):
    report.repair(name, "subject", f"{key[0]}, as in its name", f"it lies in {subject.name}/")
  emotion = EMOTIONS[key[1].split("_")[1]]
  folder = source.folder if isinstance(source, LooseImages) else source.parent
  above = folder.name.lower()
  if above in EMOTIONS.values() and above != emotion:
    report.repair(name, "emotion", f"{emotion}, as in its name", f"it lies in {above}/")
