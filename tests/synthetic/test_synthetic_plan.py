"""Who shows what when: sizes, proportions, names, and the absence of ties to the label."""

import collections

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import recall_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from data_builders.synthetic import corpora, plan
from mer_jax.face import prototypes

ALL = list(corpora.CORPORA.values())


def _main_camera(kind, *arguments, tree=None):
  clips = plan.plan(kind, *arguments, tree or kind.trees[0])
  return [clip for clip in clips if clip.camera in ("", "HS")]


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.name)
def test_default_size_is_the_real_one(kind):
  clips = _main_camera(kind, None, None, 0)
  assert collections.Counter(clip.emotion for clip in clips) == kind.emotions
  counts = collections.Counter(clip.subject for clip in clips)
  assert sorted(counts) == list(kind.subjects)
  assert 2 <= min(counts.values()) < max(counts.values()) / 3
  assert max(counts.values()) <= kind.most_clips
  lengths = [clip.num_frames for clip in clips]
  assert kind.length[0] <= min(lengths)
  assert max(lengths) <= kind.length[2]
  assert np.mean(lengths) == pytest.approx(kind.length[1], rel=0.1)


def test_three_class_counts_of_a_full_casme2_are_those_of_the_real_one():
  groups = collections.Counter(
    corpora.THREE_CLASS["casme2"].get(clip.emotion)
    for clip in _main_camera(corpora.CASME2, None, None, 0)
  )
  assert groups == {"negative": 90, "positive": 32, "surprise": 25, None: 108}


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.name)
@pytest.mark.parametrize("seed", range(5))
def test_small_corpora_have_every_class_in_several_subjects(kind, seed):
  clips = _main_camera(kind, 6, 6, seed)
  assert len(clips) == 36
  for group in ("negative", "positive", "surprise"):
    have = {c.subject for c in clips if corpora.THREE_CLASS[kind.name].get(c.emotion) == group}
    assert len(have) >= 3


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.name)
@pytest.mark.parametrize(("subjects", "each"), [(1, 1), (2, 1), (3, 7), (40, 2)])
def test_any_size_is_exact_and_its_keys_are_unique(kind, subjects, each):
  clips = _main_camera(kind, subjects, each, 3)
  assert len(clips) == subjects * each
  assert len({clip.subject for clip in clips}) == subjects
  assert len({(clip.subject, clip.clip) for clip in clips}) == len(clips)
  assert len({clip.folder for clip in clips}) == len({clip.truth for clip in clips}) == len(clips)
  assert all(clip.onset < clip.apex < clip.offset for clip in clips)


def test_casme2_names_recur_across_subjects():
  clips = _main_camera(corpora.CASME2, None, None, 0)
  assert max(collections.Counter(clip.clip for clip in clips).values()) > 1


def test_vis_and_nir_saw_the_same_acts_as_hs():
  clips = plan.plan(corpora.SMIC, None, None, 0, "cropped")
  by_camera = {
    camera: {(c.subject, c.clip): c for c in clips if c.camera == camera}
    for camera in ("HS", "VIS", "NIR")
  }
  assert {key[0] for key in by_camera["VIS"]} == set(corpora.SLOW_SUBJECTS)
  assert by_camera["VIS"].keys() == by_camera["NIR"].keys() < by_camera["HS"].keys()
  for key, slow in by_camera["VIS"].items():
    assert slow.units == by_camera["HS"][key].units
    assert 4 <= slow.num_frames <= 13
    assert slow.onset < slow.apex < slow.offset


def test_no_metadata_tells_the_label():
  """Frame numbers, length, apex and order say nothing: LOSO stays at chance over many corpora."""
  scores = []
  for seed in range(12):
    clips = [c for c in _main_camera(corpora.CASME2, 16, 12, seed) if c.emotion in _GROUP]
    features = [
      (
        c.onset,
        c.offset,
        c.num_frames,
        c.apex - c.onset,
        (c.apex - c.onset) / c.num_frames,
        c.index,
      )
      for c in clips
    ]
    scores.append(_loso_uar(np.array(features, float), clips))
  # One corpus scatters by about 0.06 around 1/3, the mean of twelve by 0.02.
  assert 0.26 < np.mean(scores) < 0.41


_GROUP = corpora.THREE_CLASS["casme2"]


def _loso_uar(features, clips):
  labels = np.array([_GROUP[c.emotion] for c in clips])
  subjects = np.array([c.subject for c in clips])
  predictions = np.empty_like(labels)
  for subject in np.unique(subjects):
    held_out = subjects == subject
    model = make_pipeline(StandardScaler(), RidgeClassifier(class_weight="balanced"))
    model.fit(features[~held_out], labels[~held_out])
    predictions[held_out] = model.predict(features[held_out])
  return recall_score(labels, predictions, average="macro")


def test_emotions_are_dealt_without_regard_to_the_subject():
  """Chi-square of subject against class has its expected value, the degrees of freedom."""
  ratios = []
  for seed in range(20):
    clips = _main_camera(corpora.SMIC, 16, 10, seed)
    table = np.zeros((16, 3))
    subjects = sorted({c.subject for c in clips})
    for c in clips:
      table[subjects.index(c.subject), ["negative", "positive", "surprise"].index(c.emotion)] += 1
    expected = table.sum(1, keepdims=True) * table.sum(0) / table.sum()
    ratios.append(((table - expected) ** 2 / expected).sum() / (15 * 2))
  # A ratio has deviation sqrt(2 / 30) = 0.26, the mean of twenty 0.06.
  assert 0.8 < np.mean(ratios) < 1.2


def test_a_clip_does_not_depend_on_how_many_are_drawn():
  few = {(c.subject, c.index): c for c in _main_camera(corpora.CASME2, 3, 4, 1)}
  many = {(c.subject, c.index): c for c in _main_camera(corpora.CASME2, 9, 4, 1)}
  shared = few.keys() & many.keys()
  assert len(shared) >= 8
  for key in shared:
    lengths = (few[key].num_frames, few[key].apex - few[key].onset)
    assert lengths == (many[key].num_frames, many[key].apex - many[key].onset)
    if few[key].emotion == many[key].emotion:
      assert few[key].units == many[key].units


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.name)
def test_every_emotion_shows_its_core_units(kind):
  core = {
    "happiness": {12},
    "positive": {12},
    "surprise": {1, 2},
    "disgust": {4, 7, 9, 10, 17},
    "contempt": {14},
    "repression": {14, 15, 17, 24},
    "anger": {4, 5, 7, 17, 23, 24},
    "sadness": {1, 4, 15, 17},
    "fear": {1, 2},
  }
  rng = np.random.default_rng(0)
  for emotion in kind.emotions:
    for _ in range(100):
      units = prototypes.choose(emotion, rng)
      numbers = [unit.number for unit in units]
      assert numbers == sorted(set(numbers)) != []
      assert core.get(emotion.lower(), set(numbers)) & set(numbers)
      assert all(unit.left > 0 or unit.right > 0 for unit in units)


def test_contempt_is_one_sided():
  rng = np.random.default_rng(0)
  assert all(str(u)[0] in "LR" for _ in range(50) for u in prototypes.choose("Contempt", rng))


@pytest.mark.parametrize(
  ("units", "text", "objective"),
  [
    ([(6, 1, 1), (12, 1, 1)], "6+12", "I"),
    ([(1, 1, 1), (2, 1, 1)], "1+2", "II"),
    ([(4, 0, 1), (7, 1, 1)], "R4+7", "III"),
    ([(9, 1, 1)], "9", "IV"),
    ([(15, 1, 1), (17, 1, 1)], "15+17", "V"),
    ([(1, 1, 1), (2, 1, 1), (4, 1, 1)], "1+2+4", "VI"),
    ([(14, 1, 0)], "L14", "VII"),
  ],
)
def test_units_as_written_and_objective_classes(units, text, objective):
  units = tuple(prototypes.ActionUnit(*unit) for unit in units)
  assert prototypes.written(units) == text
  assert prototypes.objective_class(units) == objective
