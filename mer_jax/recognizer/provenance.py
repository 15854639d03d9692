"""What a trained model has learned from: subjects, drawn examples, or both."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from mer_jax.clips import Clips

# The mark of what comes of weights that know a held-out subject: a field, and a word in files.
LEAKY_WEIGHTS = "leaky_weights"
# Dataset and subject; and whether the clips of that subject are synthetic.
Subject = tuple[str, str]
Drawn = tuple[str, str, bool]


@dataclasses.dataclass(frozen=True)
class Provenance:
  """What weights have learned from, those included that they started from.

  Attributes:
    subjects: (dataset, subject) pairs, sorted.
    drawn: options and digest of the examples that were drawn beside or instead of clips; None:
      there were none.
    synthetic: whether all clips of the subjects were drawn by `data_builders.synthetic`, so that
      the subjects are no people; False without subjects.
  """

  subjects: tuple[Subject, ...] = ()
  drawn: Mapping[str, Any] | None = None
  synthetic: bool = False

  def seen_among(self, subjects: Iterable[Drawn]) -> list[Subject]:
    """Those of `subjects`, see `subjects_of`, that the weights have learned from, sorted.

    The subjects of synthetic corpora have the names of people; recorded clips are not of them.
    """
    candidates = {(d, s) for d, s, synthetic in subjects if synthetic or not self.synthetic}
    return sorted(candidates & set(self.subjects))

  def to_json(self) -> dict[str, Any]:
    """The fields as JSON values."""
    return {
      "subjects": [list(subject) for subject in self.subjects],
      "drawn": None if self.drawn is None else dict(self.drawn),
      "synthetic": self.synthetic,
    }

  def summary(self) -> str:
    """In a few words: "drawn examples", "26 subjects of casme2 (synthetic) and drawn examples"."""
    datasets = sorted({dataset for dataset, _ in self.subjects})
    kind = " (synthetic)" if self.synthetic else ""
    people = f"{len(self.subjects)} subjects of {', '.join(datasets)}{kind}" if datasets else ""
    drawn = "drawn examples" if self.drawn is not None else ""
    return " and ".join(part for part in (people, drawn) if part) or "nothing"


def from_json(content: Mapping[str, Any]) -> Provenance:
  """The provenance that `Provenance.to_json` wrote.

  Raises:
    KeyError, TypeError, ValueError: it did not.
  """
  subjects = tuple(sorted((str(d), str(s)) for d, s in content["subjects"]))
  drawn = content["drawn"]
  return Provenance(subjects, None if drawn is None else dict(drawn), bool(content["synthetic"]))


def subjects_of(clips: Clips) -> set[Drawn]:
  """(dataset, subject, whether synthetic) of all clips [N]."""
  columns = zip(clips.dataset, clips.subject, clips.synthetic, strict=True)
  return {(str(dataset), str(subject), bool(drawn)) for dataset, subject, drawn in columns}


def of_clips(clips: Clips) -> Provenance:
  """The provenance of what learns from all of `clips`."""
  subjects = tuple(sorted({subject[:2] for subject in subjects_of(clips)}))
  return Provenance(subjects, None, len(clips) > 0 and bool(np.all(clips.synthetic)))


def combined(parts: Sequence[Provenance]) -> Provenance:
  """What has learned from everything that `parts` have; the last of them that drew says how."""
  drawn = [part.drawn for part in parts if part.drawn is not None]
  with_subjects = [part for part in parts if part.subjects]
  return Provenance(
    tuple(sorted({subject for part in parts for subject in part.subjects})),
    drawn[-1] if drawn else None,
    bool(with_subjects) and all(part.synthetic for part in with_subjects),
  )
