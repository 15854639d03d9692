"""cd6me: which of twelve action units are shown, each of six corpora held out once.

Varanka, Li, Peng and Zhao, "Data Leakage and Evaluation Issues in Micro-Expression Analysis", IEEE
Transactions on Affective Computing, 2023, and its code, github.com/tvaranka/meb. A clip has a set
of labels instead of one, so what comes out is no `Split`: the engine trains one class per clip.
`mer_jax.evaluation.multi_label` scores predictions of it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mer_jax import errors
from mer_jax.clips import Clips
from mer_jax.protocols import action_units, completeness
from mer_jax.protocols.split import folds

ACTION_UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17)
# Clips of each corpus, 2,031 in all; every clip takes part, also those without any of the twelve.
CLIPS = {"casme": 189, "casme2": 256, "samm": 159, "4dme": 267, "mmew": 300, "casme3": 860}
# Clips of all six corpora that show each unit.
POSITIVES = dict(
  zip(ACTION_UNITS, (304, 280, 708, 134, 60, 252, 117, 75, 176, 277, 52, 86), strict=True)
)
# Where SAMM's sheet says "or", the unit that the authors took after looking at the optical flow.
DECIDED = {
  "samm/007/007_6_1": 12,
  "samm/007/007_6_5": 12,
  "samm/011/011_4_2": 14,
  "samm/014/014_5_2": 14,
  "samm/035/035_7_2": 14,
}


class MultiLabelSplit(NamedTuple):
  """N clips, A action units, F held-out corpora.

  Attributes:
    clips: Clips [N], sorted by (dataset, subject, clip).
    labels: bool [N, A], True where clip n shows unit a.
    action_units: A numbers; column a is action_units[a].
    held_out: bool [F, N], True where fold f holds out clip n; one True in each column.
    fold_names: F names of corpora, sorted.
    remarks: sentences that a report must show.
  """

  clips: Clips
  labels: np.ndarray
  action_units: tuple[int, ...]
  held_out: np.ndarray
  fold_names: tuple[str, ...]
  remarks: tuple[str, ...]


def cd6me(clips: Clips, *, allow_incomplete: bool = False) -> MultiLabelSplit:
  """Labels and splits the pooled clips.

  Units marked as uncertain do not count. Where an "or" leaves a unit open, it counts if the authors
  decided for it (`DECIDED`), and none of the alternatives does otherwise.

  Args:
    clips: Clips [N] of the corpora in `CLIPS`.
    allow_incomplete: go on, with a remark, where a corpus is missing or the counts are others.

  Returns:
    MultiLabelSplit of all N clips; complete: N = 2031, A = 12, F = 6.

  Raises:
    DataError: action units that cannot be read; names the clip.
    ProtocolError: no clip, drawn and recorded clips, another corpus, an incomplete one, or fewer
      than two corpora.
  """
  synthetic = completeness.only_synthetic(clips)
  datasets = np.unique(clips.dataset).tolist()
  unknown = [name for name in datasets if name not in CLIPS]
  if unknown:
    raise errors.ProtocolError(errors.unknown("corpus in CD6ME", unknown[0], CLIPS))
  if len(datasets) < 2:
    raise errors.ProtocolError(
      f"CD6ME learns from some corpora and is scored on another; all clips are of {datasets[0]}."
      " Prepare a second one."
    )
  order = np.lexsort((clips.clip, clips.subject, clips.dataset))
  if not np.array_equal(order, np.arange(len(clips))):  # a selection copies every frame
    clips = clips.select(order)
  labels, remarks = label(clips)
  remarks += [completeness.SYNTHETIC_REMARK] if synthetic else []
  remarks += completeness.stop_or_remark(
    "CD6ME", _differences(clips, labels, synthetic), allow_incomplete
  )
  names, held_out = folds("dataset", clips)
  return MultiLabelSplit(
    clips=clips,
    labels=labels,
    action_units=ACTION_UNITS,
    held_out=held_out,
    fold_names=tuple(np.unique(names).tolist()),
    remarks=(*remarks, _counts(labels)),
  )


def label(clips: Clips, units: Sequence[int] = ACTION_UNITS) -> tuple[np.ndarray, list[str]]:
  """Which of `units`, A numbers, each clip shows: bool [N, A]; and remarks on what is left open.

  Raises:
    DataError: action units that cannot be read; names the clip.
  """
  labels = np.zeros((len(clips), len(units)), bool)
  undecided, uncertain, without = [], [], 0
  for n, cell in enumerate(clips.action_units.tolist()):
    name = clips.name(n)
    try:
      coded = action_units.parse(cell)
    except errors.DataError as error:
      raise errors.DataError(f"{name}: {error}") from error
    shown = set(coded.certain)
    for alternatives in coded.open:
      if DECIDED.get(name) in alternatives:
        shown.add(DECIDED[name])
      elif alternatives & set(units):
        undecided.append(f"{name} ({cell})")
    uncertain += [name] if coded.uncertain & set(units) else []
    without += not (coded.certain or coded.open or coded.uncertain)
    labels[n] = [unit in shown for unit in units]
  return labels, [
    text
    for text, holds in (
      (
        f'An "or" leaves open which unit is shown, so none counts: {", ".join(undecided)}.',
        undecided,
      ),
      (f"Units that the coders were unsure of do not count: {', '.join(uncertain)}.", uncertain),
      (f"{without} of {len(clips)} clips have no action unit in their sheet.", without),
    )
    if holds
  ]


def _differences(clips: Clips, labels: np.ndarray, synthetic: bool) -> list[str]:
  counts = {name: int(np.sum(clips.dataset == name)) for name in CLIPS}
  missing = [f"{name}: no clip." for name, count in counts.items() if not count]
  if synthetic:
    return missing
  wrong = [
    f"{name}: {counts[name]} clips, official {count}."
    for name, count in CLIPS.items()
    if counts[name] not in (0, count)
  ]
  if missing or wrong:
    return missing + wrong
  positives = dict(zip(ACTION_UNITS, labels.sum(axis=0).tolist(), strict=True))
  other = [
    f"AU{u} {positives[u]} of {count}" for u, count in POSITIVES.items() if positives[u] != count
  ]
  return [f"The action units are other ones: {', '.join(other)}."] if other else []


def _counts(labels: np.ndarray) -> str:
  each = [f"AU{u} {c}" for u, c in zip(ACTION_UNITS, labels.sum(axis=0).tolist(), strict=True)]
  return f"Clips that show each unit, of {len(labels)}: {', '.join(each)}."
