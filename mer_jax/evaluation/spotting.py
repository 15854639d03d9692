"""Scores of spotting in long videos, as the Micro-Expression Grand Challenges define them.

A spotted interval is right where its overlap with a coded one of the same kind, intersection over
union of the sets of frames, is at least one half (MEGC2020 to 2025). Counts are pooled over all
videos, with or without expressions. Of the right ones, the analysis score is about their class, and
STRS = spotting F1 x analysis F1 (Liong, See and Chan, "Spot-then-recognize", SPIC 110, 2023).
"""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

KINDS = ("micro", "macro")
LEAST_OVERLAP = 0.5


@dataclasses.dataclass(frozen=True)
class Span:
  """An interval of one video, coded or spotted.

  Attributes:
    video: name of the video, unique within what is scored.
    onset, offset: frames, both inclusive.
    kind: "micro" or "macro".
    label: class, "" where there is none.
  """

  video: str
  onset: int
  offset: int
  kind: str
  label: str = ""


@dataclasses.dataclass(frozen=True)
class Counts:
  """Right, wrong and missed intervals, pooled."""

  right: int = 0
  wrong: int = 0
  missed: int = 0

  def __add__(self, other: "Counts") -> "Counts":
    """Of both together."""
    return Counts(self.right + other.right, self.wrong + other.wrong, self.missed + other.missed)

  @property
  def precision(self) -> float:
    """Share of what was spotted that is right; 0 where nothing was."""
    return self.right / max(self.right + self.wrong, 1)

  @property
  def recall(self) -> float:
    """Share of what was coded that was spotted; 0 where nothing was."""
    return self.right / max(self.right + self.missed, 1)

  @property
  def f1(self) -> float:
    """2 TP / (2 TP + FP + FN); 0 where there is nothing."""
    return 2 * self.right / max(2 * self.right + self.wrong + self.missed, 1)


@dataclasses.dataclass(frozen=True)
class Analysis:
  """Classes of the micro-expressions that were spotted.

  Attributes:
    f1: harmonic mean of the classes' mean precision and mean recall, as the challenge has it.
    uf1: mean of the classes' F1.
    uar: mean of the classes' recall.
    intervals: how many right ones have a class.
  """

  f1: float
  uf1: float
  uar: float
  intervals: int


def overlap(a: Span, b: Span) -> float:
  """Intersection over union of the sets of frames, 0 to 1; 0 in different videos."""
  both = min(a.offset, b.offset) - max(a.onset, b.onset) + 1
  if a.video != b.video or both <= 0:
    return 0.0
  return both / (a.offset - a.onset + b.offset - b.onset + 2 - both)


def match(coded: Sequence[Span], spotted: Sequence[Span]) -> list[tuple[Span, Span]]:
  """Pairs (coded, spotted) of one kind in one video that overlap enough.

  Each interval is in one pair at most; there are as many pairs as there can be, and among those the
  ones that overlap most.
  """
  pairs = []
  keys = sorted({(span.video, span.kind) for span in coded})
  for key in keys:
    truth = [span for span in coded if (span.video, span.kind) == key]
    predicted = [span for span in spotted if (span.video, span.kind) == key]
    shares = np.array([[overlap(a, b) for b in predicted] for a in truth]).reshape(len(truth), -1)
    enough = shares >= LEAST_OVERLAP
    # A pair counts more than any overlap could.
    rows, columns = linear_sum_assignment(enough * (len(truth) + 1.0 + shares), maximize=True)
    pairs += [(truth[i], predicted[j]) for i, j in zip(rows, columns, strict=True) if enough[i, j]]
  return pairs


def counts(coded: Iterable[Span], spotted: Iterable[Span]) -> dict[str, Counts]:
  """Counts of each of `KINDS`, and "overall" their sum."""
  coded, spotted = list(coded), list(spotted)
  pairs = match(coded, spotted)
  by_kind = {}
  for kind in KINDS:
    right = sum(truth.kind == kind for truth, _ in pairs)
    truths = sum(span.kind == kind for span in coded)
    predicted = sum(span.kind == kind for span in spotted)
    by_kind[kind] = Counts(right, predicted - right, truths - right)
  return by_kind | {"overall": by_kind["micro"] + by_kind["macro"]}


def analysis(pairs: Iterable[tuple[Span, Span]], classes: Sequence[str]) -> Analysis | None:
  """The analysis score of spotted micro-expressions; None where none has one of `classes`.

  Args:
    pairs: (coded, spotted), of any kind.
    classes: those that count; a coded interval of another is left out.
  """
  labels = [
    (truth.label, predicted.label)
    for truth, predicted in pairs
    if truth.kind == "micro" and truth.label in classes
  ]
  if not labels:
    return None
  tables = [
    Counts(
      right=sum(truth == predicted == name for truth, predicted in labels),
      wrong=sum(truth != name and predicted == name for truth, predicted in labels),
      missed=sum(truth == name and predicted != name for truth, predicted in labels),
    )
    for name in classes
  ]
  precision = float(np.mean([table.precision for table in tables]))
  recall = float(np.mean([table.recall for table in tables]))
  both = precision + recall
  return Analysis(
    f1=2 * precision * recall / both if both else 0.0,
    uf1=float(np.mean([table.f1 for table in tables])),
    uar=recall,
    intervals=len(labels),
  )


def counts_of_public_scorer(coded: Iterable[Span], spotted: Iterable[Span]) -> Counts:
  """What the public scorer of MEGC2024 and 2025 (genbing99/STRS-Metric) counts, faults and all.

  To compare with published numbers, for nothing else. Kinds are ignored. Videos without a
  coded expression are passed over with all that was spotted in them, and so are coded expressions
  of videos in which nothing was spotted; an interval that overlaps several coded ones enough is
  right several times. The original passes over subjects in which nothing was spotted; a video here
  is as a subject there.
  """
  coded, spotted = list(coded), list(spotted)
  videos = {span.video for span in coded} & {span.video for span in spotted}
  total = Counts()
  for video in sorted(videos):
    truth = [span for span in coded if span.video == video]
    taken: set[int] = set()
    right = wrong = 0
    for span in (span for span in spotted if span.video == video):
      new = {
        i
        for i, other in enumerate(truth)
        if i not in taken and overlap(span, other) >= LEAST_OVERLAP
      }
      taken |= new
      right += len(new)
      wrong += not new
    total += Counts(right, wrong, len(truth) - len(taken))
  return total
