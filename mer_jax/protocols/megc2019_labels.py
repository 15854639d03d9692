"""The three labels of MEGC2019 as rules over the corpora's own emotions.

See et al., "MEGC 2019 - The Second Facial Micro-Expressions Grand Challenge", FG 2019. The clips
that fall out are derived from what the sheets say and why; the organisers' list is not shipped.
"""

from collections import Counter

import numpy as np

from mer_jax import errors
from mer_jax.clips import Clips
from mer_jax.protocols.split import LEFT_OUT

CLASS_NAMES = ("negative", "positive", "surprise")

# Corpora and flow archives that are already labelled in the three classes.
_AS_IS: dict[str, str | None] = {name: name for name in CLASS_NAMES}

# Emotion to class; None: the emotion takes no part. CASME II's fear and sadness take no part
# although the challenge's description counts them as negative in general.
EMOTIONS: dict[str, dict[str, str | None]] = {
  "casme2": _AS_IS
  | {"disgust": "negative", "repression": "negative", "happiness": "positive"}
  | {"others": None, "fear": None, "sadness": None},
  "samm": _AS_IS
  | dict.fromkeys(("anger", "contempt", "disgust", "fear", "sadness"), "negative")
  | {"happiness": "positive", "others": None},
  "smic": _AS_IS,
}

# Clips that corrected sheets call surprise, and that papers count as what the sheet of 2014 says.
CALLED_SADNESS = dict.fromkeys(
  ("casme2/sub24/EP07_01", "casme2/sub24/EP07_04f", "casme2/sub24/EP10_03"),
  "the coding sheet of 2014, which MEGC2019 follows, calls it sadness",
)

# Clips whose emotion has a class and that are nevertheless not part of MEGC2019. The first two are
# the only ones that the sheet of 2014 leaves without an interval from onset to apex.
LEFT_OUT_CLIPS = {
  "casme2/sub04/EP12_01f": "the coding sheet of 2014 gives it no apex",
  "casme2/sub05/EP09_05f": "the coding sheet of 2014 puts its apex on its onset",
  "casme2/sub24/EP02_07": "the coding sheet of 2014, which MEGC2019 follows, does not have it",
  **CALLED_SADNESS,
}


def megc2019_labels(clips: Clips) -> tuple[np.ndarray, list[str]]:
  """Labels of MEGC2019.

  Args:
    clips: Clips [N] of casme2, samm and smic.

  Returns:
    labels: int32 [N], 0 negative, 1 positive, 2 surprise, `LEFT_OUT` for clips without a class.
    remarks: which clips take no part, how many, and why.

  Raises:
    ProtocolError: a corpus or an emotion that the rules do not know.
  """
  labels = np.full(len(clips), LEFT_OUT, np.int32)
  without_class: Counter[tuple[str, str]] = Counter()
  remarks: list[str] = []
  for n in range(len(clips)):
    dataset, emotion, name = str(clips.dataset[n]), str(clips.emotion[n]), clips.name(n)
    label = _class_of(dataset, emotion, name)
    if label is None:
      without_class[dataset, emotion] += 1
    elif name in LEFT_OUT_CLIPS and not clips.synthetic[n]:  # a drawn clip has no such fault
      remarks.append(f"{name} ({emotion}) takes no part in MEGC2019: {LEFT_OUT_CLIPS[name]}.")
    else:
      labels[n] = CLASS_NAMES.index(label)
  for dataset in sorted({dataset for dataset, _ in without_class}):
    counts = [f"{c} {e}" for (d, e), c in sorted(without_class.items()) if d == dataset]
    remarks.insert(0, f"{dataset}: no class in MEGC2019, so left out: {', '.join(counts)}.")
  return labels, remarks


def _class_of(dataset: str, emotion: str, name: str) -> str | None:
  if dataset not in EMOTIONS:
    raise errors.ProtocolError(
      errors.unknown("corpus in MEGC2019", dataset, EMOTIONS) + " Choose the protocol native."
    )
  if emotion not in EMOTIONS[dataset]:
    raise errors.ProtocolError(
      f"{name}: MEGC2019 has no rule for this label. "
      + errors.unknown(f"{dataset} emotion", emotion, EMOTIONS[dataset])
      + " Correct the coding sheet and build again."
    )
  return EMOTIONS[dataset][emotion]
