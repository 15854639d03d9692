"""What corpora of long videos look like from outside: rates, frames, file and folder names.

CAS(ME)^2: Qu et al., IEEE TAC 2018, 30 frames a second; SAMM Long Videos: Yap, Kendrick and Yap, FG
2020, 200 frames a second.
"""

import dataclasses
import pathlib

from mer_jax import errors


@dataclasses.dataclass(frozen=True)
class LongFormat:
  """One corpus of long videos as its owners publish it.

  Attributes:
    name: "casme_squared" or "samm_lv".
    number: seeds the generators, so that two corpora never share a person.
    fps: frames per second.
    subjects: the subject numbers in use.
    emotions: chances of the native emotions of a micro-expression.
    frame: width and height of a frame in face widths.
    eye_line: height of the eyes in the frame as a fraction of its height.
    colour: whether frames have three channels.
  """

  name: str
  number: int
  fps: int
  subjects: tuple[int, ...]
  emotions: dict[str, float]
  frame: tuple[float, float]
  eye_line: float
  colour: bool


CASME_SQUARED = LongFormat(
  name="casme_squared",
  number=5,
  fps=30,
  subjects=(15, 16, *range(19, 28), *range(29, 39), 40),
  emotions={"negative": 0.45, "positive": 0.25, "surprise": 0.2, "others": 0.1},
  frame=(2.1, 1.8),
  eye_line=0.44,
  colour=True,
)
SAMM_LV = LongFormat(
  name="samm_lv",
  number=6,
  fps=200,
  subjects=tuple(n for n in range(6, 38) if n not in (8, 27, 29)),
  emotions={"Anger": 0.3, "Disgust": 0.1, "Happiness": 0.25, "Surprise": 0.25, "Other": 0.1},
  frame=(2.0, 1.625),
  eye_line=0.43,
  colour=False,
)
FORMATS = {kind.name: kind for kind in (CASME_SQUARED, SAMM_LV)}
# Codes, names in the sheet and titles of films as CAS(ME)^2 has them.
FILMS = (
  ("0101", "disgust1", "disgustingteeth"),
  ("0102", "disgust2", "eatingworms"),
  ("0401", "anger1", "girlcrashing"),
  ("0402", "anger2", "beatingpregnantwoman"),
  ("0502", "happy1", "funnyerrors"),
  ("0503", "happy2", "funnyfarting"),
  ("0505", "happy3", "funnyinnovations"),
  ("0507", "happy4", "climbingthewall"),
)


def of(name: str) -> LongFormat:
  """The format of that name.

  Raises:
    ConfigError: there is none.
  """
  if name not in FORMATS:
    raise errors.ConfigError(errors.unknown("format of long videos", name, FORMATS))
  return FORMATS[name]


def most_videos(kind: LongFormat) -> int:
  """How many videos of a subject have a name."""
  return len(FILMS) if kind is CASME_SQUARED else 7


def video_folder(kind: LongFormat, subject: int, index: int) -> pathlib.PurePath:
  """Folder of a video's frames below the root of the corpus."""
  if kind is CASME_SQUARED:
    code, _, title = FILMS[index]
    return pathlib.PurePath("rawpic", f"s{subject}", f"{subject}_{code}{title}")
  return pathlib.PurePath("SAMM_longvideos", f"{subject:03d}_{index + 1}")


def frame_name(kind: LongFormat, subject: int, index: int, number: int) -> str:
  """File name of frame `number`, from 1: "img001.jpg", "006_1_0001.jpg"."""
  if kind is CASME_SQUARED:
    return f"img{number:03d}.jpg"
  return f"{subject:03d}_{index + 1}_{number:04d}.jpg"
