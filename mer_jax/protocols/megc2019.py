"""megc2019: the composite of CASME II, SAMM and SMIC.

Every fold learns from all other clips of all three corpora; scores of one corpus are those of the
same pooled predictions restricted to it. See et al., FG 2019. The challenge held out subjects;
holding out a whole corpus instead asks how far what was learnt reaches, as MEGC2018 did.
"""

from mer_jax.clips import Clips
from mer_jax.protocols import completeness
from mer_jax.protocols.megc2019_labels import CLASS_NAMES, megc2019_labels
from mer_jax.protocols.split import Split, leave_one_out


def megc2019(clips: Clips, *, held_out: str = "subject", allow_incomplete: bool = False) -> Split:
  """Splits the pooled clips of the three corpora.

  Args:
    clips: Clips [N] of casme2, samm and smic.
    held_out: "subject", as the challenge; or "dataset": each corpus once, learning from the others.
    allow_incomplete: go on, with a remark, where a corpus is missing or not the official one.

  Returns:
    Split with classes negative, positive, surprise; complete: N = 442, F = 68, or 3 where corpora
    are held out.

  Raises:
    ConfigError: `held_out` is neither.
    ProtocolError: a corpus is missing, incomplete or unknown, one fold, or a class without a clip.
  """
  labels, remarks = megc2019_labels(clips)
  corpora = tuple(completeness.MEGC2019)
  remarks += completeness.check_megc2019(clips, labels, corpora, allow_incomplete)
  return leave_one_out(held_out, clips, labels, CLASS_NAMES, remarks)
