"""Counts of a build and its repairs and refusals: printed at its end, kept beside the data."""

import collections
import dataclasses
import json
import os
import pathlib
import re
from collections.abc import Mapping

from data_builders.record import Record
from mer_jax.errors import DataError
from mer_jax.runtime import atomic, regular_files

FILE_NAME = "build_report.json"
_SHOWN = 12  # lines of each list on the console; build_report.json holds them all
_ALIKE = 4  # clips of each reason on the console
ENOUGH = 0.9  # of the listed clips; with fewer, a build warns and its exit code says so


@dataclasses.dataclass
class BuildReport:
  """Counts and lists of one build.

  Every clip that the corpus mentions is either kept or refused; a kept clip may also be repaired.

  Attributes:
    dataset, config: names of the builder and of its config.
    source: what was read (tree, sheet), by kind.
    options: what the user chose (crop, sheet).
    fingerprint: sha256 over names and sizes of the files that were read: the identity of the
      corpus.
    synthetic: the corpus was drawn by `data_builders.synthetic`.
    notes: remarks on the corpus as a whole; nothing in them changes a clip.
    kept: {clip name: emotion}.
    repaired: [{"clip", "what", "how", "why"}].
    refused: {clip name: why}.
    listed: clips that the sheet lists; 0 where there is no sheet, so that those found count.
  """

  dataset: str
  config: str
  source: dict[str, str] = dataclasses.field(default_factory=dict)
  options: dict[str, str] = dataclasses.field(default_factory=dict)
  fingerprint: str = ""
  synthetic: bool = False
  notes: list[str] = dataclasses.field(default_factory=list)
  kept: dict[str, str] = dataclasses.field(default_factory=dict)
  repaired: list[dict[str, str]] = dataclasses.field(default_factory=list)
  refused: dict[str, str] = dataclasses.field(default_factory=dict)
  listed: int = 0

  def keep(self, record: Record) -> None:
    """Counts a clip that is in the prepared data."""
    self.kept[record.name] = record.emotion

  def repair(self, clip: str, what: str, how: str, why: str) -> None:
    """Notes that `what` of `clip` was changed: `how`, and `why`."""
    self.repaired.append({"clip": clip, "what": what, "how": how, "why": why})

  def refuse(self, clip: str, why: str) -> None:
    """Notes that `clip` is left out; the repairs done to it so far no longer count."""
    self.refused.setdefault(clip, why)
    self.kept.pop(clip, None)
    self.repaired = [repair for repair in self.repaired if repair["clip"] != clip]

  def note(self, text: str) -> None:
    """Adds a remark on the corpus as a whole."""
    self.notes.append(text)

  @property
  def num_clips(self) -> int:
    """Clips that the sheet or the tree mentions."""
    return len(self.kept) + len(self.refused)

  @property
  def is_partial(self) -> bool:
    """Whether less than `ENOUGH` of the listed clips, or of those found less than half, are kept.

    Clips on disk that the sheet does not list count as found.
    """
    expected = self.listed or self.num_clips
    return len(self.kept) < ENOUGH * expected or 2 * len(self.kept) < self.num_clips

  def closing_line(self) -> str:
    """What share of the clips became examples."""
    expected, kept = self.listed or self.num_clips, len(self.kept)
    of = f"of the {expected} clips that the {'sheet lists' if self.listed else 'tree holds'}"
    line = f"{self.dataset}/{self.config}: {kept} {of} became examples ({_percent(kept, expected)})"
    other = self.num_clips - expected
    if self.listed and other > 0:
      line += f"; {other} clips on disk are in no row of it"
    return line if not self.is_partial else f"WARNING: only {line}"

  def check(self, strict: bool) -> None:
    """Decides whether the data may be used.

    Raises:
      DataError: no clip is left; or `strict` and anything was repaired or refused.
    """
    if not self.kept:
      raise DataError(
        f"None of the {self.num_clips} clips of {self.dataset} can be used.\n{self.text()}"
      )
    if strict and (self.repaired or self.refused):
      raise DataError(
        f"--strict: {len(self.repaired)} repairs and {len(self.refused)} refused clips in"
        f" {self.dataset}. Nothing was written. Put the corpus right, or build without"
        f" --strict.\n{self.text()}"
      )

  def text(self) -> str:
    """The report for people, without a line break at the end."""
    lines = [
      f"{self.dataset}/{self.config}: {self.num_clips} clips found, {len(self.kept)} kept"
      f" ({len({r['clip'] for r in self.repaired})} of them repaired), {len(self.refused)} refused"
      + (" -- synthetic corpus" if self.synthetic else "")
    ]
    lines += [f"  {kind}: {path}" for kind, path in self.source.items()]
    lines += [f"  note: {note}" for note in self.notes]
    lines += _section(
      "repaired",
      [f"{r['clip']}: {r['what']} -> {r['how']} ({r['why']})" for r in self.repaired],
    )
    lines += _section("refused", _grouped(self.refused), len(self.refused))
    for title, counts in (("emotions", self.emotions), ("subjects", self.subjects)):
      lines.append(f"  {title} ({len(counts)}): " + _counts(counts))
    return "\n".join(lines)

  @property
  def emotions(self) -> dict[str, int]:
    """Kept clips of each emotion, the most frequent first."""
    return dict(collections.Counter(self.kept.values()).most_common())

  @property
  def subjects(self) -> dict[str, int]:
    """Kept clips of each subject ("casme2/sub01"), in alphabetical order."""
    counts = collections.Counter(name.rsplit("/", 1)[0] for name in self.kept)
    return dict(sorted(counts.items()))

  def write(self, folder: str | os.PathLike[str]) -> None:
    """Writes build_report.json into `folder`, atomically."""
    content = dataclasses.asdict(self) | {
      "found": self.num_clips,
      "emotions": self.emotions,
      "subjects": self.subjects,
    }
    text = json.dumps(content, indent=1, ensure_ascii=False)
    atomic.write_text(pathlib.Path(folder) / FILE_NAME, text + "\n")


def read(folder: str | os.PathLike[str]) -> BuildReport:
  """The report that `BuildReport.write` left in `folder`.

  Raises:
    DataError: there is none, or it is damaged.
  """
  path = pathlib.Path(folder) / FILE_NAME
  try:
    content = json.loads(regular_files.read_text(path))
    content.setdefault("listed", 0)  # earlier reports do not have it
    return BuildReport(**{f.name: content[f.name] for f in dataclasses.fields(BuildReport)})
  except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
    raise DataError(
      f"The build report {path} cannot be read ({type(error).__name__}: {error}). Build the"
      " dataset again with --overwrite."
    ) from error


def _grouped(refused: Mapping[str, str]) -> list[str]:
  """Refusals by reason, the most frequent first; a reason is what is left without names."""
  groups: dict[str, list[str]] = {}
  for clip, why in refused.items():
    reason = re.sub(r"'[^']*'|\S*[/\\]\S*|\d+", "#", why)
    groups.setdefault(reason, []).append(clip)
  entries = []
  for clips in sorted(groups.values(), key=len, reverse=True):
    why = refused[clips[0]]
    alike = len({refused[clip] for clip in clips}) == 1
    if len(clips) == 1:
      entries.append(f"{clips[0]}: {why}")
    else:
      entries.append(f"{len(clips)} clips: {why}{'' if alike else ', and alike'}")
      entries += [f"  {clip}{'' if alike else f': {refused[clip]}'}" for clip in clips[:_ALIKE]]
      if len(clips) > _ALIKE:
        entries.append(f"  ... and {len(clips) - _ALIKE} more in {FILE_NAME}")
  return entries


def _section(title: str, entries: list[str], count: int | None = None) -> list[str]:
  if not entries:
    return [f"  {title}: none"]
  shown = _SHOWN if count is None else 2 * _SHOWN
  lines = [f"  {title} ({count or len(entries)}):", *(f"    {e}" for e in entries[:shown])]
  if len(entries) > shown:
    lines.append(f"    ... and {len(entries) - shown} more in {FILE_NAME}")
  return lines


def _percent(part: int, total: int) -> str:
  # Rounded down: 899 of 1000 are not 90 %.
  return f"{100 * part // total} %" if total else "0 %"


def _counts(counts: dict[str, int]) -> str:
  return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"
