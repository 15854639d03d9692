"""Finds the flow maps of each clip in an archive of either layout; compares copies of a map."""

import dataclasses
import hashlib
import pathlib
import re
from collections.abc import Iterator

import numpy as np

from data_builders import frames, sheets, tree
from data_builders.build_report import BuildReport
from data_builders.megc2019_flow import names
from data_builders.megc2019_flow.names import ClipKey
from data_builders.record import Record
from mer_jax.errors import DataError
from mer_jax.runtime import regular_files

DATASET = "megc2019_flow"
LABELS = ("negative", "positive", "surprise")
EXPECTED = """An archive of flow maps should look like one of these:
  folders per held-out subject, each clip once in u_test and many times in u_train:
    MANUAL_DIR/sub01/u_test/1/sub01_EP02_01f .png
    MANUAL_DIR/sub01/u_train/0/006_006_1_2 .png
  one flat folder and a csv file with the columns dataset, sub, filename_o, label:
    MANUAL_DIR/labels.csv
    MANUAL_DIR/maps/sub01_EP02_01f .png, sub01_EP02_01f_1 .png, ...
Labels are 0 negative, 1 positive, 2 surprise."""

_REQUIRED = {
  "subject": ("sub", "subject"),
  "clip": ("filename_o", "filename", "clip"),
  "label": ("label", "gt"),
}
_OPTIONAL = {"dataset": ("dataset", "db", "database")}


@dataclasses.dataclass
class _ClipFiles:
  """The files of one clip: {map index: paths}, and every label they or the csv give it."""

  files: dict[int, list[pathlib.Path]] = dataclasses.field(default_factory=dict)
  labels: dict[str, pathlib.Path] = dataclasses.field(default_factory=dict)


def parse(
  manual_dir: pathlib.Path, config: str, sheet: pathlib.Path | None = None
) -> tuple[list[Record], BuildReport]:
  """Finds every clip of the archive once.

  Args:
    manual_dir: the unpacked archive, in either layout.
    config: name of the builder config, for the report.
    sheet: the csv file of a flat archive; None: the first with the required columns.

  Returns:
    Records sorted by key, whose frames are maps: base, _1, _2, ...; and the report so far.

  Raises:
    DataError: neither layout is present, or the csv cannot be read.
  """
  manual_dir = tree.require_folder(manual_dir, EXPECTED)
  report = BuildReport(DATASET, config, options={"sheet": str(sheet or "the one found")})
  report.synthetic = tree.is_synthetic(manual_dir, manual_dir)
  images = sorted(_images(manual_dir, 0))
  if not images:
    raise DataError(f"No image found below {manual_dir}.\n{EXPECTED}")
  held_out = [path for path in images if _label_folder(path) is not None]
  if held_out:
    report.source["folders per held-out subject"] = str(manual_dir)
    archive = _from_folders(held_out, report)
    if len(held_out) < len(images):
      report.note(f"{len(images) - len(held_out)} images outside u_test and u_train ignored")
  else:
    archive = _from_csv(images, manual_dir, sheet, report)
  records = []
  for key in sorted(archive):
    try:
      records.append(_record(key, archive[key], report))
    except frames.FrameError as error:
      report.refuse(_name(key), str(error))
  maps = [path for record in records for path in record.frames]
  tables = [pathlib.Path(report.source["labels"])] if "labels" in report.source else []
  report.fingerprint = tree.fingerprint(manual_dir, maps, tables)
  if not records:
    report.check(strict=False)
  return records, report


def _images(folder: pathlib.Path, depth: int) -> Iterator[pathlib.Path]:
  try:
    entries = sorted(folder.iterdir())
  except OSError as error:
    raise DataError(f"{folder} cannot be read ({error.strerror}).") from error
  for entry in entries:
    if entry.name.startswith((".", "~", "__MACOSX")):
      continue
    if entry.is_dir():
      if depth < 8:
        yield from _images(entry, depth + 1)
    elif entry.suffix.lower() in frames.SUFFIXES:
      yield entry


def _label_folder(path: pathlib.Path) -> str | None:
  """The label of .../u_test/<label>/<file> or .../u_train/<label>/<file>; else None."""
  split = path.parent.parent.name.lower()
  return path.parent.name if split in ("u_test", "u_train") else None


def _from_folders(images: list[pathlib.Path], report: BuildReport) -> dict[ClipKey, _ClipFiles]:
  archive: dict[ClipKey, _ClipFiles] = {}
  tested, unmatched = set(), []
  clips = names.first_maps({_stem(path) for path in images})
  for path in images:
    name, index = names.split(_stem(path), clips)
    key = names.by_pattern(name)
    if key is None:
      unmatched.append(path)
      continue
    clip = archive.setdefault(key, _ClipFiles())
    clip.files.setdefault(index, []).append(path)
    clip.labels.setdefault(_label_folder(path) or "", path)
    if path.parent.parent.name.lower() == "u_test":
      tested.add(key)
  _refuse_files(unmatched, "their names fit no clip of the three corpora", report)
  untested = sorted(_name(key) for key in set(archive) - tested)
  if untested:
    report.note(
      f"{len(untested)} clips lie in no u_test folder, so the archive is not complete:"
      f" {', '.join(untested[:4])}{', ...' if len(untested) > 4 else ''}"
    )
  return archive


def _from_csv(
  images: list[pathlib.Path],
  manual_dir: pathlib.Path,
  sheet: pathlib.Path | None,
  report: BuildReport,
) -> dict[ClipKey, _ClipFiles]:
  path = sheet or _find_csv(images, manual_dir)
  report.source["maps"] = str(images[0].parent)
  report.source["labels"] = str(path)
  table: dict[str, ClipKey] = {}
  archive: dict[ClipKey, _ClipFiles] = {}
  for row in sheets.read_rows(path, _REQUIRED, _OPTIONAL):
    subject, clip = row.text("subject"), row.text("clip")
    try:
      key = names.canonical(row.text("dataset"), subject, clip)
    except ValueError as error:
      report.refuse(f"{DATASET}/row {row.number} of {path.name}", str(error))
      continue
    archive.setdefault(key, _ClipFiles()).labels.setdefault(row.text("label"), path)
    table |= dict.fromkeys(names.spellings(key, subject, clip), key)
  unmatched = []
  for image in images:
    name, index = names.split(_stem(image), table)
    if name in table:
      archive[table[name]].files.setdefault(index, []).append(image)
    else:
      unmatched.append(image)
  _refuse_files(unmatched, f"{path.name} has no row for them", report)
  return archive


def _stem(path: pathlib.Path) -> str:
  return path.stem.strip().casefold()


def _refuse_files(paths: list[pathlib.Path], why: str, report: BuildReport) -> None:
  if paths:
    shown = ", ".join(repr(path.name) for path in paths[:5]) + (", ..." if len(paths) > 5 else "")
    report.refuse(f"{DATASET}/{len(paths)} files", f"{why}: {shown}")


def _find_csv(images: list[pathlib.Path], manual_dir: pathlib.Path) -> pathlib.Path:
  candidates = tree.find_sheets(manual_dir, images[0].parent)
  problems = []
  for path in candidates:
    try:
      sheets.read_rows(path, _REQUIRED)
      return path
    except DataError as error:
      problems.append(str(error))
  raise DataError(
    f"{len(images)} images found below {manual_dir}, but neither u_test/<label> folders nor a csv"
    f" file with their labels.\n{''.join(p + chr(10) for p in problems[:2])}{EXPECTED}"
  )


def _record(key: ClipKey, clip: _ClipFiles, report: BuildReport) -> Record:
  if len(clip.labels) > 1:
    places = " and ".join(f"{label!r} in {path}" for label, path in sorted(clip.labels.items()))
    raise frames.FrameError(f"it has several labels: {places}")
  label = re.sub(r"\.0+$", "", next(iter(clip.labels)))
  if label not in ("0", "1", "2"):
    raise frames.FrameError(f"its label is {label!r}; known: 0 negative, 1 positive, 2 surprise")
  if not clip.files:
    raise frames.FrameError("its maps are missing")
  indices = tuple(sorted(clip.files))
  if indices != tuple(range(len(indices))):
    # Maps mean different things by their index, so none may move up.
    raise frames.FrameError(
      f"it has the maps {list(indices)} only, so some before the last are missing"
    )
  paths = tuple(_agreed_copy(clip.files[index]) for index in indices)
  return Record(
    dataset=key.dataset,
    subject=key.subject,
    clip=key.clip,
    emotion=LABELS[int(label)],
    frames=paths,
    numbers=indices,
    onset=0,
    apex=0,
    offset=len(paths) - 1,
    apex_missing=True,
    fps=0.0,
    crop=False,
  )


def _agreed_copy(copies: list[pathlib.Path]) -> pathlib.Path:
  """The first of several copies of a map, if all hold the same pixels."""
  digests: dict[str, pathlib.Path] = {}
  for path in copies:
    try:
      digests.setdefault(
        hashlib.sha256(regular_files.read_bytes(path, frames.LARGEST)).hexdigest(), path
      )
    except OSError as error:
      raise frames.FrameError(f"{path.name} cannot be read ({error.strerror})") from error
  distinct = list(digests.values())
  for other in distinct[1:]:  # other bytes may still be the same pixels, packed otherwise
    if not np.array_equal(read_map(distinct[0]), read_map(other)):
      raise frames.FrameError(f"{distinct[0]} and {other} show different maps of it")
  return distinct[0]


def read_map(path: frames.Frame) -> np.ndarray:
  """uint8 [H, W, 3], channels u, v, optical strain: the file's red, green and blue.

  Raises:
    FrameError: the image cannot be read.
  """
  return np.ascontiguousarray(frames.read(path, frames.COLOR)[:, :, ::-1])


def _name(key: ClipKey) -> str:
  return "/".join(key)
