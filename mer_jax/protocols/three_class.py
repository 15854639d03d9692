"""three_class: MEGC2019's three labels within one corpus, leave-one-subject-out.

Not the composite: training sees only the corpus itself, so scores must not be compared with the
per-corpus columns of MEGC2019 tables, whose models learnt from all three corpora.
"""

from mer_jax.clips import Clips
from mer_jax.protocols import completeness
from mer_jax.protocols.megc2019_labels import CLASS_NAMES, megc2019_labels
from mer_jax.protocols.split import Split, leave_one_subject_out


def three_class(clips: Clips, *, allow_incomplete: bool = False) -> Split:
  """Splits the clips of one corpus.

  Args:
    clips: Clips [N], all of casme2, or of samm, or of smic.
    allow_incomplete: go on, with a remark, where the clips are not the official ones.

  Returns:
    Split with classes negative, positive, surprise.

  Raises:
    ProtocolError: several corpora, an incomplete one, one subject, or a class without a clip.
  """
  dataset = completeness.one_corpus("three_class", clips)
  labels, remarks = megc2019_labels(clips)
  remarks += completeness.check_megc2019(clips, labels, (dataset,), allow_incomplete)
  return leave_one_subject_out(clips, labels, CLASS_NAMES, remarks)
