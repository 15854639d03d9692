"""five_class: the five emotions of CASME II or of SAMM that have enough clips, held out by subject.

The setting of most papers before and beside MEGC2019, with 246 or 247 clips of CASME II (which
coding sheet they follow) and 136 of SAMM.
"""

from collections import Counter

import numpy as np

from mer_jax import errors
from mer_jax.clips import Clips
from mer_jax.protocols import completeness
from mer_jax.protocols.completeness import Official, subjects
from mer_jax.protocols.megc2019_labels import CALLED_SADNESS, EMOTIONS
from mer_jax.protocols.split import LEFT_OUT, Split, leave_one_subject_out

_CASME2 = {"disgust": 63, "happiness": 32, "others": 99, "repression": 27, "surprise": 25}
_CASME2_SUBJECTS = subjects("casme2", "sub%02d", 26)
_SAMM = {"anger": 57, "contempt": 12, "happiness": 26, "others": 26, "surprise": 15}

# The sheets of 2014 and of 2019, which has one clip of disgust more.
FIVE_CLASS = {
  "casme2": (
    Official(_CASME2, _CASME2_SUBJECTS),
    Official(_CASME2 | {"disgust": 64}, _CASME2_SUBJECTS),
  ),
  "samm": (Official(_SAMM, 27),),
}


def five_class(clips: Clips, *, allow_incomplete: bool = False) -> Split:
  """Splits the clips of one corpus.

  Args:
    clips: Clips [N], all of casme2 or all of samm, with their corpus' own emotions.
    allow_incomplete: go on, with a remark, where the clips are not the official ones.

  Returns:
    Split with five classes in alphabetical order; complete: N = 246 or 247 and F = 26 of casme2,
    N = 136 and F = 27 of samm.

  Raises:
    ProtocolError: several corpora, another or an incomplete one, an unknown emotion, one subject,
      or a class without a clip.
  """
  dataset = completeness.one_corpus("five_class", clips)
  if dataset not in FIVE_CLASS:
    raise errors.ProtocolError(
      errors.unknown("corpus with five classes", dataset, FIVE_CLASS)
      + " Choose the protocol native."
    )
  class_names = tuple(FIVE_CLASS[dataset][0].counts)
  labels, remarks = _labels(dataset, class_names, clips)
  official = {dataset: FIVE_CLASS[dataset]}
  remarks += completeness.check("five classes", official, clips, labels, allow_incomplete)
  return leave_one_subject_out(clips, labels, class_names, remarks)


def _labels(
  dataset: str, class_names: tuple[str, ...], clips: Clips
) -> tuple[np.ndarray, list[str]]:
  # "negative" and "positive" come from flow archives, which forgot the emotions.
  known = set(EMOTIONS[dataset]) - {"negative", "positive"}
  labels = np.full(len(clips), LEFT_OUT, np.int32)
  without: Counter[str] = Counter()
  remarks = []
  for n, emotion in enumerate(clips.emotion.tolist()):
    name = clips.name(n)
    if emotion not in known:
      raise errors.ProtocolError(
        f"{name}: five_class has no rule for this label. "
        + errors.unknown(f"{dataset} emotion", emotion, known)
        + " It needs the corpus' own emotions, corrected in the sheet and built again."
      )
    if emotion not in class_names:
      without[emotion] += 1
    elif name in CALLED_SADNESS and not clips.synthetic[n]:
      remarks.append(f"{name} ({emotion}) takes no part: {CALLED_SADNESS[name]}.")
    else:
      labels[n] = class_names.index(emotion)
  if without:
    counts = ", ".join(f"{count} {emotion}" for emotion, count in sorted(without.items()))
    remarks.insert(0, f"{dataset}: none of the five classes, so left out: {counts}.")
  return labels, remarks
