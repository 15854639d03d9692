"""A log with the confusion counts of STSTNet's published one, under drawn names."""

from collections import defaultdict

import numpy as np

from mer_jax import protocols
from mer_jax.clips import Clips
from mer_jax.protocols.completeness import MEGC2019

CLASSES = ("negative", "positive", "surprise")
# Rows truth, columns prediction.
STSTNET = {
  "full": [[219, 22, 9], [40, 62, 7], [21, 3, 59]],
  "casme2": [[83, 5, 0], [12, 19, 1], [2, 0, 23]],
  "samm": [[82, 7, 3], [11, 13, 2], [5, 2, 8]],
  "smic": [[54, 10, 6], [17, 30, 4], [14, 1, 28]],
}
# As its paper prints them.
STSTNET_CLAIMS = (
  "uf1=.7353,uar=.7605,smic.uf1=.6801,smic.uar=.7013,"
  "casme2.uf1=.8382,casme2.uar=.8686,samm.uf1=.6588,samm.uar=.6810"
)

Row = tuple[str, str, str, int, int]


def official_rows() -> list[Row]:
  """(dataset, subject, clip, label, prediction) over the official subjects, dealt out in turn."""
  rows = []
  for dataset, official in MEGC2019.items():
    subjects = sorted(name.split("/")[1] for name in official.subjects)
    pairs = [(i, j) for i in range(3) for j in range(3) for _ in range(STSTNET[dataset][i][j])]
    for n, (label, prediction) in enumerate(pairs):
      subject = subjects[n % len(subjects)]
      rows.append((dataset, subject, _clip(dataset, subject, label, n), label, prediction))
  return rows


def text_of(rows: list[Row]) -> str:
  """The rows as a log, a block for each subject."""
  blocks = defaultdict(list)
  for dataset, subject, clip, label, prediction in rows:
    blocks[f"{dataset} {subject}"].append(f"{clip} {label} {prediction}")
  return "\n\n".join("\n".join([fold, *lines]) for fold, lines in blocks.items()) + "\n"


def _clip(dataset: str, subject: str, label: int, n: int) -> str:
  if dataset == "smic":
    return f"{subject}_{('ne', 'po', 'sur')[label]}_{n % 100:02d}"
  return (
    f"EP{n // 90 + 20}_{n % 90:02d}" if dataset == "casme2" else f"{subject}_{n // 90}_{n % 90}"
  )


def _split() -> protocols.Split:
  rows = official_rows()
  n = len(rows)
  dataset, subject, clip, label, _ = map(np.array, zip(*rows, strict=True))
  zeros = np.zeros(n, np.int32)
  clips = Clips(
    frames=np.zeros((n, 2, 2, 1), np.uint8),
    starts=np.arange(n + 1),
    dataset=dataset,
    subject=subject,
    clip=clip,
    emotion=np.array(CLASSES)[label],
    action_units=np.full(n, ""),
    objective_class=np.full(n, ""),
    onset=zeros,
    apex=zeros,
    offset=zeros,
    apex_missing=zeros > 0,
    fps=zeros.astype(np.float32),
    first_frame=zeros,
    last_frame=zeros,
    synthetic=np.ones(n, bool),
  )
  return protocols.split("megc2019", clips)


SPLIT = _split()
