"""native: a corpus' own emotions, as many of them as have enough clips, leave-one-subject-out."""

from collections import Counter
from collections.abc import Mapping

import numpy as np

from mer_jax import checks, errors
from mer_jax.clips import Clips
from mer_jax.protocols import completeness
from mer_jax.protocols.megc2019_labels import CLASS_NAMES, megc2019_labels
from mer_jax.protocols.own_folds import divide
from mer_jax.protocols.split import LEFT_OUT, Split

_CASME2_2014 = {
  "others": 99,
  "disgust": 63,
  "happiness": 32,
  "repression": 27,
  "surprise": 25,
  "sadness": 7,
  "fear": 2,
}
_CASME2_CORRECTED = _CASME2_2014 | {"surprise": 28, "sadness": 4}

# Clips per emotion in each version of the owners' sheets and cameras that is in circulation.
SHEETS: dict[str, dict[str, Mapping[str, int]]] = {
  "casme2": {
    "coding of 2014": _CASME2_2014,
    "coding of 2019": _CASME2_2014 | {"disgust": 64},
    "coding of 2014, three clips of sub24 called surprise": _CASME2_CORRECTED,
    "coding of 2019, three clips of sub24 called surprise": _CASME2_CORRECTED | {"disgust": 64},
  },
  "samm": {
    "FACS codes v2": {
      "anger": 57,
      "others": 26,
      "happiness": 26,
      "surprise": 15,
      "contempt": 12,
      "disgust": 9,
      "fear": 8,
      "sadness": 6,
    },
  },
  "smic": {
    "camera HS": {"negative": 70, "positive": 51, "surprise": 43},
    "camera VIS or NIR": {"negative": 23, "positive": 28, "surprise": 20},
  },
}


def native(
  clips: Clips,
  *,
  minimum: int = 10,
  held_out: str = "subject",
  folds: int = 0,
  allow_incomplete: bool = False,
) -> Split:
  """Splits the clips of one corpus by its own emotions.

  Args:
    clips: Clips [N] of one corpus.
    minimum: emotions with fewer clips take no part. 10 gives the sets most papers report: five
      classes of CASME II (246 or 247 clips), five of SAMM (136), three of SMIC.
    held_out, folds: see `own_folds.divide`.
    allow_incomplete: go on, with a remark, where the clips are not the complete corpus.

  Returns:
    Split with the remaining emotions as classes, in alphabetical order.

  Raises:
    ConfigError: `minimum` is not a whole number of at least 1, or see `own_folds.divide`.
    ProtocolError: several corpora, an incomplete one, one subject, or fewer than two classes.
  """
  checks.check_at_least("minimum", minimum, 1)
  dataset = completeness.one_corpus("native", clips)
  remarks = _completeness(dataset, clips, allow_incomplete)
  counts = Counter(clips.emotion.tolist())
  class_names = sorted(emotion for emotion, count in counts.items() if count >= minimum)
  dropped = [f"{counts[e]} {e}" for e in sorted(set(counts) - set(class_names))]
  rule = f"{dataset}: the classes are all its emotions with at least {minimum} clips"
  remarks.append(f"{rule}; left out: {', '.join(dropped) or 'none'}.")
  if len(class_names) < 2:
    raise errors.ProtocolError(
      f"Only {len(class_names)} emotion of {dataset} has at least {minimum} clips (found:"
      f" {', '.join(f'{count} {e}' for e, count in sorted(counts.items()))}). Two are needed:"
      " lower minimum, or prepare more clips."
    )
  label_of = {emotion: label for label, emotion in enumerate(class_names)}
  labels = np.array([label_of.get(e, LEFT_OUT) for e in clips.emotion.tolist()], np.int32)
  return divide(clips, labels, class_names, remarks, held_out=held_out, folds=folds)


def _completeness(dataset: str, clips: Clips, allow_incomplete: bool) -> list[str]:
  if completeness.only_synthetic(clips):
    return [completeness.SYNTHETIC_REMARK]
  emotions = set(clips.emotion.tolist())
  if dataset in ("casme2", "samm") and emotions <= set(CLASS_NAMES):  # maps of MEGC2019's clips
    labels, remarks = megc2019_labels(clips)
    return remarks + completeness.check_megc2019(clips, labels, (dataset,), allow_incomplete)
  if dataset not in SHEETS:
    return [f"{dataset}: no official counts are known, so completeness was not checked."]
  present = Counter(clips.emotion.tolist())
  differences = {
    version: completeness.compare_counts(present, official)
    for version, official in SHEETS[dataset].items()
  }
  for version, difference in differences.items():
    if not difference:
      return [f"{dataset}: the counts are those of the {version}; single clips were not checked."]
  nearest = min(SHEETS[dataset], key=lambda v: completeness.distance(present, SHEETS[dataset][v]))
  return completeness.stop_or_remark(
    f"the {nearest}", [f"{dataset}: {differences[nearest]}."], allow_incomplete
  )
