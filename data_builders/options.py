"""What a user can ask of the builders of corpora, beside where they lie."""

import dataclasses
import pathlib
from typing import Any

from mer_jax import errors

CROPS = ("auto", "face", "landmarks", "as_is")


@dataclasses.dataclass(frozen=True)
class Options:
  """How a corpus is read.

  Attributes:
    sheet: the coding sheet; None: the one that fits the clips best, the newest of equals.
    crop: "auto" (cut the face out of raw trees), "face" (always), "landmarks" (always, by its
      landmarks) or "as_is" (never).
    apex: a csv of apexes (subject, clip, apex) that go before the corpus' own.
    retimed: the frames of every clip run evenly from onset to offset, whatever their numbers.
    name: of a listing, under which its data lie; "" for "listing".
    pattern: of a listing without a table, what the names of its folders say.
  """

  sheet: pathlib.Path | None = None
  crop: str = "auto"
  apex: pathlib.Path | None = None
  retimed: bool = False
  name: str = ""
  pattern: str = ""

  def __post_init__(self) -> None:
    if self.crop not in CROPS:
      raise errors.ConfigError(errors.unknown("--crop", self.crop, CROPS))
    if self.crop == "landmarks":
      from mer_jax.video import landmarks  # OpenCV; `--help` should not wait for it

      landmarks.check_installed()

  @classmethod
  def of(cls, **fields: Any) -> "Options":
    """Options whose paths may be texts and begin with "~"."""
    for name in ("sheet", "apex"):
      if fields.get(name):
        fields[name] = pathlib.Path(fields[name]).expanduser()
    return cls(**fields)

  def described(self, **more: str) -> dict[str, str]:
    """For the build report, by which later builds recognise their own; `more` stands between."""
    apex = {"apex": str(self.apex)} if self.apex else {}
    retimed = {"retimed": "yes"} if self.retimed else {}
    pattern = {"pattern": self.pattern} if self.pattern else {}
    return {"crop": self.crop, **more, **apex, **retimed, **pattern}
