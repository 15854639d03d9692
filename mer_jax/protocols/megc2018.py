"""megc2018: the objective classes I to V of CASME II and SAMM, as one composite.

An objective class follows from the action units alone (Davison, Merghani and Yap, "Objective
Classes for Micro-Facial Expression Recognition", J. Imaging 4(10), 2018). The challenge had two
tasks: composite database evaluation, leave-one-subject-out over both corpora, and hold-out database
evaluation, learning from one corpus and being scored on the other, both ways. Yap et al., "Facial
Micro-Expressions Grand Challenge 2018 Summary", FG 2018.
"""

from collections import Counter

import numpy as np

from mer_jax import errors
from mer_jax.clips import Clips
from mer_jax.protocols import completeness
from mer_jax.protocols.completeness import Official, subjects
from mer_jax.protocols.split import LEFT_OUT, Split, leave_one_out

CLASS_NAMES = ("I", "II", "III", "IV", "V")
# 253 clips and 47 subjects in all.
MEGC2018 = {
  "casme2": (
    Official(
      dict(zip(CLASS_NAMES, (25, 15, 99, 26, 20), strict=True)), subjects("casme2", "sub%02d", 26)
    ),
  ),
  "samm": (Official(dict(zip(CLASS_NAMES, (24, 13, 20, 8, 3), strict=True)), 21),),
}


def megc2018(clips: Clips, *, held_out: str = "subject", allow_incomplete: bool = False) -> Split:
  """Splits the pooled clips of the two corpora.

  Args:
    clips: Clips [N] of casme2 and samm.
    held_out: "subject" for composite, "dataset" for hold-out database evaluation.
    allow_incomplete: go on, with a remark, where a corpus is missing or not the official one.

  Returns:
    Split with classes I, II, III, IV, V; complete: N = 253, F = 47, or 2 where corpora are held
    out.

  Raises:
    ConfigError: `held_out` is neither.
    ProtocolError: a corpus is missing, incomplete or unknown, one fold, or a class without a clip.
  """
  completeness.only_synthetic(clips)
  labels, remarks = _labels(clips)
  remarks += completeness.check(
    "MEGC2018",
    MEGC2018,
    clips,
    labels,
    allow_incomplete,
    why_none="CASME II has its objective classes in CASME2-ObjectiveClasses.xlsx, SAMM in a column"
    " of its sheet; put them with the corpus and build again.",
  )
  return leave_one_out(held_out, clips, labels, CLASS_NAMES, remarks)


def _labels(clips: Clips) -> tuple[np.ndarray, list[str]]:
  unknown = sorted(set(clips.dataset.tolist()) - set(MEGC2018))
  if unknown:
    raise errors.ProtocolError(errors.unknown("corpus in MEGC2018", unknown[0], MEGC2018))
  label_of = {name: label for label, name in enumerate(CLASS_NAMES)}
  labels = np.array([label_of.get(c, LEFT_OUT) for c in clips.objective_class.tolist()], np.int32)
  remarks = []
  for dataset in np.unique(clips.dataset).tolist():
    without = clips.objective_class[(clips.dataset == dataset) & (labels == LEFT_OUT)]
    counts = sorted(Counter(without.tolist()).items())
    if counts:
      counts = ", ".join(
        f"{count} {f'of {name}' if name else 'without one'}" for name, count in counts
      )
      remarks.append(f"{dataset}: no objective class from I to V, so left out: {counts}.")
  return labels, remarks
