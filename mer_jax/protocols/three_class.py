"""three_class: MEGC2019's three labels within one corpus, leave-one-subject-out.

Not the composite: training sees only the corpus itself, so scores must not be compared with the
per-corpus columns of MEGC2019 tables, whose models learnt from all three corpora.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from mer_jax import errors
from mer_jax.clips import Clips
from mer_jax.protocols import completeness
from mer_jax.protocols.megc2019_labels import CLASS_NAMES, EMOTIONS, megc2019_labels
from mer_jax.protocols.own_folds import divide
from mer_jax.protocols.split import LEFT_OUT, Split


def three_class(
  clips: Clips,
  *,
  negative: Sequence[str] = (),
  positive: Sequence[str] = (),
  surprise: Sequence[str] = (),
  held_out: str = "subject",
  folds: int = 0,
  allow_incomplete: bool = False,
) -> Split:
  """Splits the clips of one corpus.

  Args:
    clips: Clips [N], all of casme2, or of samm, or of smic; or of a listing, whose emotions the
      next three map.
    negative, positive, surprise: emotions of a listing of that class, as ("anger", "fear"); the
      others take no part. Emotions that are called like a class need not be named.
    held_out, folds: see `own_folds.divide`.
    allow_incomplete: go on, with a remark, where the clips are not the official ones.

  Returns:
    Split with classes negative, positive, surprise.

  Raises:
    ConfigError: an emotion of two classes, or a mapping for a corpus that has its own.
    ProtocolError: several corpora, an incomplete one, one subject, or a class without a clip.
  """
  dataset = completeness.one_corpus("three_class", clips)
  mapping = {"negative": negative, "positive": positive, "surprise": surprise}
  if dataset in EMOTIONS:
    if any(mapping.values()):
      raise errors.ConfigError(
        f"protocol.negative, .positive and .surprise are for a listing; MEGC2019 says which"
        f" emotions of {dataset} are of which class. Leave them out."
      )
    labels, remarks = megc2019_labels(clips)
    remarks += completeness.check_megc2019(clips, labels, (dataset,), allow_incomplete)
  else:
    labels, remarks = _mapped(dataset, clips, mapping)
  return divide(clips, labels, CLASS_NAMES, remarks, held_out=held_out, folds=folds)


def _mapped(
  dataset: str, clips: Clips, mapping: dict[str, Sequence[str]]
) -> tuple[np.ndarray, list[str]]:
  """Labels by the user's mapping, int32 [N], and what it leaves out."""
  classes: dict[str, str] = {}
  for name, emotions in mapping.items():
    for emotion in [emotions] if isinstance(emotions, str) else [*emotions]:
      plain = " ".join(str(emotion).lower().split())
      if classes.setdefault(plain, name) != name:
        raise errors.ConfigError(f"protocol: {emotion!r} is of two classes, {name} and another.")
  present: Counter[str] = Counter(clips.emotion.tolist())
  absent = sorted(set(classes) - set(present))
  if absent:
    raise errors.ConfigError(
      f"protocol: {dataset} has no emotion {', '.join(map(repr, absent))}; it has"
      f" {', '.join(sorted(present))}."
    )
  if not classes and not set(present) & set(CLASS_NAMES):
    raise errors.ProtocolError(
      f"{errors.unknown('corpus in MEGC2019', dataset, EMOTIONS)} Say which of its emotions"
      f" ({', '.join(sorted(present))}) are negative, positive or surprise, as"
      " --config.protocol.negative=\"('anger', 'fear')\"; or choose the protocol native."
    )
  classes = {**{name: name for name in CLASS_NAMES if name in present}, **classes}
  labels = [
    CLASS_NAMES.index(classes[e]) if e in classes else LEFT_OUT for e in clips.emotion.tolist()
  ]
  left = ", ".join(f"{count} {e}" for e, count in sorted(present.items()) if e not in classes)
  remarks = [completeness.SYNTHETIC_REMARK] if completeness.only_synthetic(clips) else []
  given = ", ".join(f"{emotion} is {name}" for emotion, name in sorted(classes.items()))
  remarks.append(f"{dataset}: {given or 'no emotion has a class'}; left out: {left or 'none'}.")
  return np.array(labels, np.int32), remarks
