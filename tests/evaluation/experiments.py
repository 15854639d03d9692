"""Simulated experiments: people, their clips, and what models said about them."""

import numpy as np

from mer_jax.evaluation.clip_table import ClipTable
from mer_jax.evaluation.predictions import Predictions

NAMES = ("negative", "positive", "surprise")
# Shares of the classes, as in the composite of MEGC2019.
PRIOR = np.array([0.57, 0.25, 0.18])


def sizes(people: int, random: np.random.Generator) -> np.ndarray:
  """int64 [F]: 1 to 40 clips of each person, six on average, as in CASME II."""
  return np.minimum(random.geometric(1 / 6, people), 40)


def table(label, prediction, clips, datasets=("casme2",), names=NAMES) -> ClipTable:
  """`clips` [F] of each person, who are dealt out to the datasets; predictions [S, N]."""
  people = [f"s{i:03d}" for i in range(len(clips))]
  where = [datasets[i * len(datasets) // len(clips)] for i in range(len(clips))]
  return ClipTable(
    seeds=np.arange(len(prediction)),
    dataset=np.repeat(where, clips),
    subject=np.repeat(people, clips),
    clip=np.concatenate([[f"c{i:02d}" for i in range(n)] for n in clips]),
    label=np.asarray(label),
    prediction=np.asarray(prediction),
    class_names=tuple(names),
  )


def run(people=24, seeds=1, right=0.7, datasets=("casme2",), corpus=0, model=0) -> ClipTable:
  """A run of a `model` that is `right` on a share of the clips of a `corpus`."""
  random = np.random.default_rng(corpus)
  clips = sizes(people, random)
  label = random.choice(3, clips.sum(), p=PRIOR)
  random = np.random.default_rng((corpus, model, 1))
  hit = random.random((seeds, len(label))) < right
  other = (label + random.integers(1, 3, hit.shape)) % 3
  return table(label, np.where(hit, label, other), clips, datasets)


def predictions(clips: ClipTable) -> Predictions:
  """The same as a long list, which is what stands in predictions.csv."""
  s, k = len(clips.seeds), len(clips.class_names)
  said = clips.prediction.reshape(-1)
  p = np.where(said[:, None] == np.arange(k), 0.9, 0.1 / max(k - 1, 1)).astype(np.float32)
  p[said < 0] = np.nan
  return Predictions(
    np.repeat(clips.seeds, len(clips.clip)),
    np.tile(clips.dataset, s),
    np.tile(clips.subject, s),
    np.tile(clips.clip, s),
    np.tile(clips.label, s),
    said,
    p,
    clips.class_names,
  )
