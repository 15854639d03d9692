"""The rows of a listing: from clips.csv, or from the names of folders by a pattern."""

import dataclasses
import pathlib
import re
from collections import Counter
from collections.abc import Sequence

from data_builders import sheets, videos
from data_builders.build_report import BuildReport
from data_builders.listing import files
from mer_jax.errors import ConfigError, DataError

REQUIRED = {
  "path": ("path", "file", "folder", "video"),
  "subject": ("subject", "person", "participant"),
  "emotion": ("emotion", "label", "class", "estimated emotion"),
}
OPTIONAL = {
  "dataset": ("dataset", "corpus"),
  "clip": ("clip", "filename", "file name", "name"),
  "onset": ("onset", "onset frame"),
  "apex": ("apex", "apex frame"),
  "offset": ("offset", "offset frame"),
  "action_units": ("action units", "au", "aus"),
  "fps": ("fps", "frame rate", "frames per second"),
  "split": ("split", "part", "fold"),
}
FIELDS = ("emotion", "subject", "clip", "dataset", "split")
EXPECTED = """A corpus of your own should look like this:
  MANUAL_DIR/clips.csv          columns path, subject, emotion; if you have them dataset, clip,
                                onset, apex, offset, action_units, fps, split
  MANUAL_DIR/...                what path names: a folder of frames, a video, or an image
or, without a table, like class folders, whose names --from-folders explains:
  MANUAL_DIR/happy/person1_clip3/*.png      --from-folders '{emotion}/{subject}_{clip}'
  MANUAL_DIR/happy/person1_clip4.mp4"""


@dataclasses.dataclass(frozen=True)
class Understood:
  """What a pattern makes of the names of folders and files.

  Attributes:
    rows: one for each clip, with its path.
    others: paths of what could be clips and does not fit.
    ambiguous: paths that fit in several ways, of which the first is taken.
  """

  rows: tuple[sheets.Row, ...]
  others: tuple[str, ...]
  ambiguous: tuple[str, ...]

  def text(self) -> str:
    """For people, without a line break at the end."""
    lines = [f"{len(self.rows)} clips understood from the names:"]
    for row in self.rows[:5]:
      found = ", ".join(f"{name} {row.text(name)!r}" for name in FIELDS if row.text(name))
      lines.append(f"  {row.text('path')}: {found}")
    lines += ["  ..."] if len(self.rows) > 5 else []
    for name in ("emotion", "subject"):
      counts = Counter(row.text(name) for row in self.rows)
      shown = ", ".join(f"{key} {count}" for key, count in counts.most_common(12))
      lines.append(f"  {name}s ({len(counts)}): {shown}{', ...' if len(counts) > 12 else ''}")
    if self.ambiguous:
      lines.append(
        f"  {len(self.ambiguous)} names can be parted in several places, and the first is taken, as"
        f" in {self.ambiguous[0]}"
      )
    if self.others:
      lines.append(f"  left alone, not like the pattern: {some(self.others)}")
    return "\n".join(lines)


def from_folders(manual_dir: pathlib.Path, pattern: str) -> Understood:
  """Rows from the names of folders, videos and images below `manual_dir`.

  Args:
    manual_dir: the folder.
    pattern: as "{emotion}/{subject}_{clip}"; a field holds no "/", and the shortest text that fits.

  Raises:
    ConfigError: the pattern names no emotion or no subject, or a field twice or an unknown one.
  """
  first, last = _expressions(pattern)
  rows, others, ambiguous = [], [], []
  taken: set[pathlib.Path] = set()
  for path in files.candidates(manual_dir):
    if taken & set(path.parents):
      continue
    name = path.relative_to(manual_dir).as_posix()
    stem = name if path.is_dir() else name.removesuffix(path.suffix)
    match, other = first.fullmatch(stem), last.fullmatch(stem)
    if match is None or other is None:
      # Images in a folder that does not fit are of that folder.
      if path.is_dir() or videos.is_video(path) or path.parent == manual_dir:
        others.append(name)
      continue
    taken.add(path)
    rows.append(sheets.Row(len(rows) + 1, {"path": name, **match.groupdict()}))
    ambiguous += [name] if match.groupdict() != other.groupdict() else []
  return Understood(tuple(rows), tuple(others), tuple(ambiguous))


def find(manual_dir: pathlib.Path, sheet: pathlib.Path | None, report: BuildReport) -> pathlib.Path:
  """The table: `sheet`, or clips.csv (.xlsx, ...) in `manual_dir`; others are noted.

  Raises:
    DataError: there is none.
  """
  if sheet is not None:
    return sheet
  tables = [manual_dir / f"clips{suffix}" for suffix in (".csv", *sheets.SUFFIXES)]
  found = list(dict.fromkeys(path for path in tables if path.is_file()))
  if not found:
    inside = sorted(path.name for path in manual_dir.iterdir())
    raise DataError(
      f"No clips.csv in {manual_dir} (it holds: {some(inside) or 'nothing'}).\n{EXPECTED}"
    )
  for other in found[1:]:
    report.note(f"another table left alone: {other.name} (choose it with --sheet)")
  return found[0]


def some(names: Sequence[str]) -> str:
  """The first few of them, on one line."""
  return ", ".join(names[:5]) + (f", ... ({len(names)} in all)" if len(names) > 5 else "")


def _expressions(pattern: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
  """The pattern as regular expressions with the shortest and with the longest first fields."""
  parts = re.split(r"\{(\w*)\}", pattern.strip("/"))
  fields = parts[1::2]
  unknown = [field for field in fields if field not in FIELDS]
  missing = {"emotion", "subject"} - set(fields)
  if (
    unknown or missing or len(set(fields)) < len(fields) or re.search(r"[{}]", "".join(parts[::2]))
  ):
    raise ConfigError(
      f"--from-folders {pattern!r}: a pattern names {{emotion}} and {{subject}}, and perhaps"
      " {clip}, {dataset} and {split}, each once, as '{emotion}/{subject}_{clip}'."
    )

  def compiled(field: str) -> re.Pattern[str]:
    texts = [f"(?P<{part}>{field})" if at % 2 else re.escape(part) for at, part in enumerate(parts)]
    return re.compile("".join(texts))

  return compiled("[^/]+?"), compiled("[^/]+")
