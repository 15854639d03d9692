"""Who shows what when: the list of clips of a corpus, before anything is drawn."""

import dataclasses
import pathlib

import numpy as np

from data_builders.synthetic import corpora
from data_builders.synthetic.corpora import Corpus
from mer_jax import errors
from mer_jax.face import prototypes

# Purposes of the random streams. Each stream is seeded by itself, so what a clip looks like depends
# on its own place in the corpus and nothing else, and no nuisance depends on the label.
DECK, NAMES, CLIP, UNITS, IDENTITY, MOTION, NUISANCE, NOISE, QUIRKS = range(9)


@dataclasses.dataclass(frozen=True)
class PlannedClip:
  """One clip of one camera.

  Attributes:
    subject: number of the subject.
    index: running number of the clip within its subject, from 0; seeds its generators.
    clip: name as on disk: "EP02_01f", "006_1_2", "s1_ne_01".
    emotion: native label as the owners spell it.
    units: the action units it shows.
    camera: "HS", "VIS" or "NIR" for SMIC, otherwise "".
    fps: frames per second.
    onset, apex, offset: absolute frame numbers, onset < apex < offset.
    folder: of the frames, below the root of the corpus.
    truth: path of the ground truth, below the root; names in canonical form.
  """

  subject: int
  index: int
  clip: str
  emotion: str
  units: tuple[prototypes.ActionUnit, ...]
  camera: str
  fps: int
  onset: int
  apex: int
  offset: int
  folder: pathlib.PurePath
  truth: pathlib.PurePath

  @property
  def num_frames(self) -> int:
    return self.offset - self.onset + 1

  @property
  def camera_number(self) -> int:
    """0, or 1 to 3 for HS, VIS and NIR; seeds what differs between them."""
    return ("", "HS", "VIS", "NIR").index(self.camera)


def stream(seed: int, corpus: Corpus, purpose: int, *place: int) -> np.random.Generator:
  """The generator of one purpose at one place (subject, clip, camera, ...) of a corpus."""
  return np.random.default_rng([seed, corpus.number, purpose, *place])


def plan(
  corpus: Corpus, subjects: int | None, clips_per_subject: int | None, seed: int, tree: str
) -> list[PlannedClip]:
  """Draws the clips of a corpus, in the order of its sheet.

  Args:
    corpus: the corpus to imitate.
    subjects: how many; None for as many as the real corpus has.
    clips_per_subject: their mean number of clips, which differs from subject to subject around it
      (the total is exact); None for the uneven numbers of the real corpus.
    seed: of everything.
    tree: "cropped" or "raw".

  Raises:
    ConfigError: the numbers are not positive.
  """
  for name, value in (("subjects", subjects), ("clips_per_subject", clips_per_subject)):
    if value is not None and value < 1:
      raise errors.ConfigError(f"{name} is {value}; a corpus needs at least 1.")
  numbers = _subject_numbers(corpus, subjects)
  counts = _clip_counts(corpus, len(numbers), clips_per_subject, stream(seed, corpus, DECK, 0))
  emotions = _deal(corpus, counts, stream(seed, corpus, DECK, 1))
  slow = _slow_subjects(corpus, numbers, subjects)
  planned: list[PlannedClip] = []
  for number, labels in zip(numbers, emotions, strict=True):
    names = _clip_names(corpus, number, labels, stream(seed, corpus, NAMES, number))
    starts = _first_frames(corpus, number, len(labels), stream(seed, corpus, NAMES, number, 1))
    for index, emotion in enumerate(labels):
      clip = _main_camera(corpus, number, index, names[index], emotion, starts[index], seed, tree)
      planned.append(clip)
      if number in slow:
        planned += [_slow_camera(corpus, clip, camera, tree) for camera in ("VIS", "NIR")]
  return planned


def _subject_numbers(corpus: Corpus, subjects: int | None) -> list[int]:
  if subjects is None:
    return list(corpus.subjects)
  beyond = corpus.subjects[-1] + 1
  return [*corpus.subjects, *range(beyond, beyond + subjects)][:subjects]


def _clip_counts(
  corpus: Corpus, subjects: int, per_subject: int | None, rng: np.random.Generator
) -> list[int]:
  """Clips of each subject: uneven, at least 1 (2 where there is room), with an exact total."""
  mean = per_subject if per_subject is not None else corpus.num_clips / len(corpus.subjects)
  total = round(mean * subjects)
  # Gamma shares of shape 2 spread as widely as the real corpora; shape 20 is mildly uneven.
  shares = rng.gamma(2.0 if per_subject is None else 20.0, size=subjects)
  most = corpus.most_clips if per_subject is None else 2 * per_subject
  counts = np.full(subjects, min(2, total // subjects))
  while counts.sum() < total:
    # The subject furthest below its share gets the next clip.
    behind = np.where(counts < max(most, mean), (counts + 0.5) / shares, np.inf)
    counts[int(np.argmin(behind))] += 1
  return counts.tolist()


def _deal(corpus: Corpus, counts: list[int], rng: np.random.Generator) -> list[list[str]]:
  """One emotion per clip, in the corpus' proportions, shuffled over everybody.

  A shuffle is only kept if each of negative, positive and surprise reaches several subjects.
  """
  total = sum(counts)
  deck = _deck(corpus, total)
  group = corpora.THREE_CLASS[corpus.name]
  cuts = np.cumsum(counts)[:-1]
  hands: list[list[str]] = []
  for _ in range(200):
    hands = [hand.tolist() for hand in np.split(rng.permutation(deck), cuts)]
    spread = [
      sum(any(group.get(e) == name for e in hand) for hand in hands)
      for name in ("negative", "positive", "surprise")
    ]
    if min(spread) >= min(3, len(counts), total // 6):
      break
  return hands


def _deck(corpus: Corpus, total: int) -> list[str]:
  """Largest remainders, but at least two clips of the smaller of the three classes if it can be."""
  num_clips = sum(corpus.emotions.values())
  exact = {e: n * total / num_clips for e, n in corpus.emotions.items()}
  deck = {e: int(x) for e, x in exact.items()}
  for emotion in sorted(exact, key=lambda e: deck[e] - exact[e])[: total - sum(deck.values())]:
    deck[emotion] += 1
  few = min(3, total // 6)
  for emotion, group in corpora.THREE_CLASS[corpus.name].items():
    while group in ("positive", "surprise") and deck[emotion] < few:
      deck[max(deck, key=lambda e: deck[e])] -= 1
      deck[emotion] += 1
  return [emotion for emotion, n in deck.items() for _ in range(n)]


def _slow_subjects(corpus: Corpus, numbers: list[int], subjects: int | None) -> set[int]:
  """Subjects that SMIC's VIS and NIR cameras recorded: the later half."""
  if corpus.name != "smic":
    return set()
  if subjects is None:
    return set(corpora.SLOW_SUBJECTS)
  return set(numbers[len(numbers) // 2 :])


def _clip_names(
  corpus: Corpus, subject: int, emotions: list[str], rng: np.random.Generator
) -> list[str]:
  """Names as the owners form them. Only SMIC's hold the emotion; CASME II's recur in subjects."""
  if corpus.name == "smic":
    short = {"negative": "ne", "positive": "po", "surprise": "sur"}
    running = [emotions[: i + 1].count(e) for i, e in enumerate(emotions)]
    return [f"s{subject}_{short[e]}_{n:02d}" for e, n in zip(emotions, running, strict=True)]
  if corpus.name == "samm":
    topics = np.sort(rng.integers(1, 8, size=len(emotions))).tolist()
    return [f"{subject:03d}_{t}_{topics[: i + 1].count(t)}" for i, t in enumerate(topics)]
  pool = [f"EP{film:02d}_{take:02d}" for film in range(1, 20) for take in range(1, 13)]
  tails = rng.choice(["", "f"], size=len(emotions))
  picked = np.sort(rng.choice(len(pool), size=len(emotions), replace=len(emotions) > len(pool)))
  names = [f"{pool[p]}{tail}" for p, tail in zip(picked, tails, strict=True)]
  return [
    n if names[:i].count(n) == 0 else f"{n}_{names[:i].count(n)}" for i, n in enumerate(names)
  ]


def _first_frames(corpus: Corpus, subject: int, clips: int, rng: np.random.Generator) -> list[int]:
  """Frame numbers of the onsets: large, arbitrary and independent of the emotion."""
  if corpus.name == "casme2":
    return np.exp(rng.uniform(np.log(20), np.log(3000), size=clips)).astype(int).tolist()
  if corpus.name == "samm":
    return rng.integers(1000, 30000, size=clips).tolist()
  # The camera counted on through the session; two sessions ran past a million frames.
  base = {18: 1_640_000, 20: 17_580_000}.get(subject, int(rng.integers(20_000, 900_000)))
  return (base + rng.permutation(clips) * 700 + rng.integers(0, 600, size=clips)).tolist()


def _main_camera(
  corpus: Corpus,
  subject: int,
  index: int,
  name: str,
  emotion: str,
  onset: int,
  seed: int,
  tree: str,
) -> PlannedClip:
  rng = stream(seed, corpus, CLIP, subject, index)
  shortest, mean, longest = corpus.length
  level = (mean - shortest) / (longest - shortest)
  share = rng.beta(2.2, 2.2 * (1 - level) / level)
  length = round(shortest + share * (longest - shortest))
  apex = int(np.clip(round(rng.uniform(0.25, 0.55) * (length - 1)), 2, length - 3))
  camera = "HS" if corpus.name == "smic" else ""
  canonical = corpora.canonical_subject(corpus.name, subject)
  clip = f"{canonical}{name[name.index('_') :]}" if corpus.name == "smic" else name
  return PlannedClip(
    subject=subject,
    index=index,
    clip=name,
    emotion=emotion,
    units=prototypes.choose(emotion, stream(seed, corpus, UNITS, subject, index)),
    camera=camera,
    fps=corpus.fps,
    onset=onset,
    apex=onset + apex,
    offset=onset + length - 1,
    folder=corpora.clip_folder(corpus.name, subject, name, emotion, camera, tree),
    truth=pathlib.PurePath("truth", canonical, f"{clip}.npz"),
  )


def _slow_camera(corpus: Corpus, clip: PlannedClip, camera: str, tree: str) -> PlannedClip:
  """The same act, seen at 25 frames per second."""
  ratio = corpora.SLOW_FPS / clip.fps
  shortest, longest = corpora.SLOW_LENGTH
  length = int(np.clip(round(clip.num_frames * ratio), shortest, longest))
  share = (clip.apex - clip.onset) / (clip.num_frames - 1)
  onset = round(clip.onset * ratio)
  return dataclasses.replace(
    clip,
    camera=camera,
    fps=corpora.SLOW_FPS,
    onset=onset,
    apex=onset + int(np.clip(round(share * (length - 1)), 1, length - 2)),
    offset=onset + length - 1,
    folder=corpora.clip_folder(corpus.name, clip.subject, clip.clip, clip.emotion, camera, tree),
    truth=pathlib.PurePath("truth", camera, *clip.truth.parts[1:]),
  )
