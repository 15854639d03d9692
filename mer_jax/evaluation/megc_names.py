"""The many spellings of corpora, subjects and clips in logs of MEGC2019, made one."""

import re
from typing import NamedTuple

# What is left of a spelling without case, blanks and signs -> the canonical name.
_DATASETS = {
  **dict.fromkeys(("casme2", "casmeii", "casme2cropped", "casmeiicropped"), "casme2"),
  "samm": "samm",
  **dict.fromkeys(("smic", "smichs", "smichse"), "smic"),
}
_FORMS = {"casme2": "sub%02d", "samm": "%03d", "smic": "s%02d"}
_SUBJECT = re.compile(r"(?:subject|sub|s|p)?_?0*([0-9]{1,3})", re.IGNORECASE)
_CASME2 = re.compile(
  r"(?:(?:sub)?([0-9]{1,2})_)?(EP[0-9]{1,2}(?:_[0-9]{1,2}){0,2}f?)", re.IGNORECASE
)
_SAMM = re.compile(r"([0-9]{1,3})_([0-9]{1,2})_([0-9]{1,2})")
_SMIC = re.compile(r"s?([0-9]{1,2})_(ne|po|sur)_([0-9]{1,2})", re.IGNORECASE)
_SMIC_CLASSES = {"ne": "negative", "po": "positive", "sur": "surprise"}


class Name(NamedTuple):
  """A clip's name in canonical form.

  Attributes:
    clip: "EP02_01f", "006_1_2", "s01_ne_01"; as written where it is none of these.
    subject: the subject that the clip's name speaks of, in canonical form; "" where it does not.
    emotion: the class that the clip's name speaks of, "negative"; "" where it does not.
    known: whether the name is formed like those of its corpus, or the corpus is another one.
  """

  clip: str
  subject: str = ""
  emotion: str = ""
  known: bool = True


def dataset(text: str) -> str | None:
  """The canonical name of a corpus of MEGC2019 ("CASME II", "SMIC-HS", ...); None for others."""
  return _DATASETS.get(re.sub(r"[\W_]", "", text.lower()))


def subject(dataset: str, text: str) -> str:
  """The canonical name of a subject ("sub1", "1", "001" -> "sub01"); as written where unlike."""
  match = _SUBJECT.fullmatch(text)
  return _FORMS[dataset] % int(match[1]) if match and dataset in _FORMS else text


def clip(dataset: str, text: str) -> Name:
  """The canonical name of a clip of `dataset`, itself canonical or another corpus' name."""
  if dataset == "casme2" and (match := _CASME2.fullmatch(text)):
    who = subject(dataset, match[1]) if match[1] else ""
    return Name("EP" + match[2][2:].lower(), who)
  if dataset == "samm" and (match := _SAMM.fullmatch(text)):
    who = subject(dataset, match[1])
    return Name(f"{who}_{int(match[2])}_{int(match[3])}", who)
  if dataset == "smic" and (match := _SMIC.fullmatch(text)):
    who, kind = subject(dataset, match[1]), match[2].lower()
    return Name(f"{who}_{kind}_{int(match[3]):02d}", who, _SMIC_CLASSES[kind])
  return Name(text, known=dataset not in _FORMS)


def is_subject_name(text: str) -> bool:
  """Whether `text` is formed like a subject of any corpus: "sub01", "006", "subject1"."""
  return _SUBJECT.fullmatch(text) is not None


def is_subject(dataset: str, name: str) -> bool:
  """Whether `name` is formed like the subjects of a corpus of MEGC2019; True of other corpora."""
  match = _SUBJECT.fullmatch(name)
  return dataset not in _FORMS or (match is not None and subject(dataset, name) == name)


def is_clip(name: str) -> bool:
  """Whether `name` is formed like the clips of some corpus of MEGC2019."""
  return any(clip(dataset, name).known for dataset in _FORMS)
