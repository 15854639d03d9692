"""No shortcut: looks do not tell the label, motion does. Linear classifiers under LOSO."""

import cv2
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from data_builders.synthetic import corpora, plan
from data_builders.synthetic.render import Studio
from data_builders.synthetic.scene import Setting, compose, displacement


@pytest.fixture(scope="module", params=["casme2", "smic"])
def drawn(request):
  kind = corpora.corpus(request.param)
  group = corpora.THREE_CLASS[kind.name]
  studio = Studio(Setting(kind, "cropped", 48, 1.0, 0))
  looks, moves, labels, subjects = [], [], [], []
  for clip in plan.plan(kind, 12, 12, 0, "cropped"):
    if clip.emotion in group and clip.camera in ("", "HS"):
      scene = compose(studio.setting, clip)
      frame = cv2.cvtColor(next(studio.frames(scene)), cv2.COLOR_BGR2GRAY)
      looks.append(cv2.resize(frame, (24, 24), interpolation=cv2.INTER_AREA).ravel())
      flow = displacement(scene, clip.apex - clip.onset, 2)
      moves.append(flow.ravel())
      labels.append(group[clip.emotion])
      subjects.append(clip.subject)
  return np.array(looks, float), np.array(moves), np.array(labels), np.array(subjects)


def _uar(features, labels, subjects):
  predictions = np.empty_like(labels)
  for subject in np.unique(subjects):
    out = subjects == subject
    model = make_pipeline(
      StandardScaler(), LogisticRegression(C=0.01, class_weight="balanced", max_iter=200)
    )
    predictions[out] = model.fit(features[~out], labels[~out]).predict(features[out])
  return recall_score(labels, predictions, average="macro")


def test_onset_frames_stay_at_chance(drawn):
  looks, _, labels, subjects = drawn
  # Chance is 1/3; with 80 to 140 clips it scatters by about 0.05.
  assert _uar(looks, labels, subjects) < 0.45


def test_true_displacement_separates_the_classes(drawn):
  _, moves, labels, subjects = drawn
  assert _uar(moves, labels, subjects) > 0.7


def test_a_corpus_without_motion_has_nothing_to_learn():
  kind = corpora.SMIC
  setting = Setting(kind, "cropped", 48, 0.0, 0)
  moves, labels, subjects = [], [], []
  for clip in plan.plan(kind, 12, 12, 0, "cropped"):
    if clip.camera == "HS":
      scene = compose(setting, clip)
      moves.append(displacement(scene, clip.apex - clip.onset, 4).ravel())
      labels.append(clip.emotion)
      subjects.append(clip.subject)
  assert _uar(np.array(moves), np.array(labels), np.array(subjects)) < 0.45
