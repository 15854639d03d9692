"""What each corpus looks like from outside: sizes, emotions, frame rates, file and folder names.

The numbers are the published counts of the corpora (CASME II: Yan et al., PLoS ONE 2014; SAMM:
Davison et al., IEEE TAC 2018; SMIC: Li et al., FG 2013), the names those of the owners' archives.
"""

import dataclasses
import pathlib

from mer_jax import errors


@dataclasses.dataclass(frozen=True)
class Corpus:
  """One corpus as its owners publish it.

  Attributes:
    name: "casme2", "samm" or "smic".
    number: seeds the generators, so that two corpora never share a person.
    fps: frames per second of the main camera.
    subjects: the subject numbers in use.
    num_clips: clips of the complete corpus (of its main camera).
    most_clips: the largest number of clips any one subject has.
    emotions: clips of each native emotion in the complete corpus.
    length: fewest, mean and most frames of a clip.
    trees: the kinds of tree that exist; the first is the default.
    face_width: pixels from cheek to cheek in the owners' frames, by tree.
    frame: width and height of a frame in face widths, by tree.
    eye_line: height of the eyes in the frame as a fraction of its height, by tree.
    colour: whether frames have three channels.
  """

  name: str
  number: int
  fps: int
  subjects: tuple[int, ...]
  num_clips: int
  most_clips: int
  emotions: dict[str, int]
  length: tuple[int, int, int]
  trees: tuple[str, ...]
  face_width: dict[str, int]
  frame: dict[str, tuple[float, float]]
  eye_line: dict[str, float]
  colour: bool


CASME2 = Corpus(
  name="casme2",
  number=2,
  fps=200,
  subjects=tuple(range(1, 27)),
  num_clips=255,
  most_clips=36,
  emotions={
    "others": 99,
    "disgust": 63,
    "happiness": 32,
    "repression": 27,
    "surprise": 25,
    "sadness": 7,
    "fear": 2,
  },
  length=(24, 67, 141),
  trees=("cropped", "raw"),
  face_width={"cropped": 250, "raw": 250},
  frame={"cropped": (1.12, 1.36), "raw": (2.56, 1.92)},
  eye_line={"cropped": 0.35, "raw": 0.44},
  colour=True,
)

SAMM = Corpus(
  name="samm",
  number=3,
  fps=200,
  # 32 people were recorded; three of them showed no micro-expression.
  subjects=tuple(n for n in range(6, 38) if n not in (8, 27, 29)),
  num_clips=159,
  most_clips=20,
  emotions={
    "Anger": 57,
    "Other": 26,
    "Happiness": 26,
    "Surprise": 15,
    "Contempt": 12,
    "Disgust": 9,
    "Fear": 8,
    "Sadness": 6,
  },
  length=(30, 74, 101),
  trees=("raw",),
  face_width={"raw": 400},
  frame={"raw": (2.4, 1.625)},
  eye_line={"raw": 0.43},
  colour=False,
)

SMIC = Corpus(
  name="smic",
  number=4,
  fps=100,
  subjects=(1, 2, 3, 4, 5, 6, 8, 9, 11, 12, 13, 14, 15, 18, 19, 20),
  num_clips=164,
  most_clips=39,
  emotions={"negative": 70, "positive": 51, "surprise": 43},
  length=(11, 34, 58),
  trees=("cropped", "raw"),
  face_width={"cropped": 125, "raw": 125},
  frame={"cropped": (1.12, 1.36), "raw": (5.12, 3.84)},
  eye_line={"cropped": 0.35, "raw": 0.45},
  colour=True,
)

CORPORA = {corpus.name: corpus for corpus in (CASME2, SAMM, SMIC)}

SLOW_FPS = 25  # SMIC's VIS and NIR cameras
SLOW_LENGTH = (4, 13)
SLOW_SUBJECTS = (11, 12, 13, 14, 15, 18, 19, 20)

# The grouping of the MEGC2019 composite, used only to spread the groups over the subjects of a
# small corpus; clips themselves know nothing but their native emotion.
THREE_CLASS = {
  "casme2": {
    "disgust": "negative",
    "repression": "negative",
    "happiness": "positive",
    "surprise": "surprise",
  },
  "samm": {
    "Anger": "negative",
    "Contempt": "negative",
    "Disgust": "negative",
    "Fear": "negative",
    "Sadness": "negative",
    "Happiness": "positive",
    "Surprise": "surprise",
  },
  "smic": {"negative": "negative", "positive": "positive", "surprise": "surprise"},
}


def corpus(name: str) -> Corpus:
  """The corpus of that name.

  Raises:
    ConfigError: there is none.
  """
  if name not in CORPORA:
    raise errors.ConfigError(errors.unknown("corpus", name, CORPORA))
  return CORPORA[name]


def canonical_subject(name: str, subject: int) -> str:
  """ "sub01", "006", "s01": the subject as prepared datasets and the ground truth spell it."""
  return {"casme2": f"sub{subject:02d}", "samm": f"{subject:03d}", "smic": f"s{subject:02d}"}[name]


def clip_folder(name: str, subject: int, clip: str, emotion: str, camera: str, tree: str):
  """PurePath of a clip's folder below the root of the corpus; `clip` is spelt as on disk."""
  if name == "casme2":
    top = {"cropped": "Cropped", "raw": "CASME2_RAW_selected"}[tree]
    return pathlib.PurePath(top, f"sub{subject:02d}", clip)
  if name == "samm":
    return pathlib.PurePath("SAMM", f"{subject:03d}", clip)
  top = {"cropped": "SMIC_all_cropped", "raw": "SMIC_all_raw"}[tree]
  return pathlib.PurePath(top, camera, f"s{subject}", "micro", emotion, clip)


def frame_name(name: str, subject: int, number: int, tree: str) -> str:
  """File name of frame `number`: "reg_img46.jpg", "006_05562.jpg", "reg_image559740.bmp"."""
  if name == "samm":
    return f"{subject:03d}_{number:05d}.jpg"
  prefix = "reg_" if tree == "cropped" else ""
  if name == "casme2":
    return f"{prefix}img{number}.jpg"
  return f"{prefix}image{number:06d}.bmp"
