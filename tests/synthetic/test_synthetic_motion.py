"""The physics: conventions of displacement, sizes of motion, profiles, nuisance."""

import dataclasses
import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_builders.synthetic import corpora, plan, truth, warp
from data_builders.synthetic.render import Studio
from data_builders.synthetic.scene import Setting, compose, displacement, expressed, face_grid
from mer_jax.face import action_units
from mer_jax.face.anatomy import draw_identity
from mer_jax.face.prototypes import ActionUnit

SIZE = 96


def _scenes(kind=corpora.CASME2, subjects=8, each=8, intensity=1.0, seed=2):
  setting = Setting(kind, kind.trees[0], SIZE, intensity, seed)
  clips = plan.plan(kind, subjects, each, seed, kind.trees[0])
  return setting, [compose(setting, clip) for clip in clips]


def _gray(frame):
  return (frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)).astype(np.float32)


@pytest.mark.parametrize("kind", [corpora.CASME2, corpora.SAMM], ids=lambda kind: kind.name)
def test_truth_carries_the_onset_frame_onto_the_apex_frame(kind):
  """apex(p + d(p)) = onset(p): right sign, right axes, right unit, for every kind of frame."""
  setting, scenes = _scenes(kind, subjects=4, each=2, intensity=2.0)
  studio, ratios = Studio(setting), []
  for scene in scenes:
    if scene.motion.lids.any():  # a blink hides what the truth describes
      continue
    apex = scene.clip.apex - scene.clip.onset
    frames = [_gray(frame) for frame in itertools.islice(studio.frames(scene), apex + 1)]
    flow = displacement(scene, apex)
    rows, columns = flow.shape[:2]
    here = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), -1).astype(np.float32)
    inside = (slice(6, -6), slice(6, -6))

    def error(sign, *, frames=frames, apex=apex, flow=flow, here=here, inside=inside):
      difference = warp.read_at(frames[apex], here + sign * flow) - frames[0]
      return np.sqrt(np.mean((difference - np.median(difference))[inside] ** 2))

    # What remains is the noise of two frames, 1.8 grey levels each, and interpolation.
    assert error(1) < 1.2 * np.hypot(1.8, 1.8)
    assert error(1) < error(0) < error(-1)
    ratios.append(error(1) / error(0))
  assert len(ratios) >= 4
  assert np.mean(ratios) < 0.8


def test_stored_truth_is_the_field_at_its_stated_places(tmp_path):
  setting, scenes = _scenes(subjects=1, each=1)
  big = dataclasses.replace(
    scenes[0], view=dataclasses.replace(scenes[0].view, width=320, height=300)
  )
  truth.save(tmp_path / "a.npz", big, 300)
  known = truth.load(tmp_path / "a.npz")
  assert known["stride"] == 3
  assert known["displacement"].shape == (100, 106, 2)
  full = displacement(big, int(known["apex"]))
  assert np.allclose(known["displacement"][4, 7], full[13, 22], atol=2e-3)
  assert setting.size == SIZE


def test_peak_motion_is_0_3_to_3_px_at_128_px():
  _, scenes = _scenes()
  peaks = []
  for scene in scenes:
    coded = scene.motion.coded
    names = [n for n, c in zip(scene.motion.names, coded, strict=True) if c]
    weights = scene.motion.weights[scene.clip.apex - scene.clip.onset, coded]
    field = scene.amplitude * expressed(scene.person, names, weights, face_grid())
    peaks.append(128 * np.linalg.norm(field, axis=-1).max())
  assert min(peaks) >= 0.3 - 1e-3
  assert max(peaks) <= 3 + 1e-3
  assert 0.8 < np.median(peaks) < 1.25


def test_intensity_scales_the_expression_and_nothing_else():
  _, plain = _scenes(subjects=2, each=3)
  _, strong = _scenes(subjects=2, each=3, intensity=2.0)
  for weak, double in zip(plain, strong, strict=True):
    assert double.amplitude == pytest.approx(2 * weak.amplitude)
    assert np.array_equal(weak.motion.head, double.motion.head)
    assert weak.view == double.view


@pytest.mark.parametrize("kind", corpora.CORPORA.values(), ids=lambda kind: kind.name)
def test_profiles_rise_to_the_apex_and_fall_slower(kind):
  _, scenes = _scenes(kind)
  longer = []
  for scene in scenes:
    apex = scene.clip.apex - scene.clip.onset
    profile = scene.motion.profile
    assert profile[0] == 0
    assert int(np.argmax(profile)) == apex
    assert profile[apex] == 1
    assert (np.diff(profile[: apex + 1]) >= -1e-6).all()
    assert (np.diff(profile[apex:]) <= 1e-6).all()
    assert profile[-1] < 0.5
    longer.append(len(profile) - 1 - apex > apex)
  assert np.mean(longer) > 0.6


def test_onset_frame_shows_no_expression():
  _, scenes = _scenes()
  for scene in scenes:
    assert np.abs(displacement(scene, 0, 4)).max() < 1e-4
    assert scene.motion.gain[0] == 1
    assert not scene.motion.head[0].any()


def test_drift_is_smooth_and_about_as_large_as_the_motion():
  _, scenes = _scenes()
  shifts = 128 * np.concatenate([s.motion.head[s.clip.apex - s.clip.onset, :2] for s in scenes])
  steps = 128 * np.concatenate([np.diff(s.motion.head[:, :2], axis=0).ravel() for s in scenes])
  assert 0.25 < np.sqrt(np.mean(shifts**2)) < 1.2
  assert np.sqrt(np.mean(steps**2)) < 0.1  # per frame of 5 ms


def test_nuisance_does_not_know_the_emotion():
  """The same clip with another label has another expression, and all else to the bit."""
  setting, scenes = _scenes(subjects=2, each=2)
  studios = Studio(setting), Studio(setting)
  for scene in scenes:
    other = dataclasses.replace(scene.clip, emotion="x", units=(ActionUnit(12, 1.0, 1.0),))
    changed = compose(setting, other)
    for field in ("head", "lids", "gain"):
      assert np.array_equal(getattr(changed.motion, field), getattr(scene.motion, field))
    assert changed.view == scene.view
    first, same = (
      next(studio.frames(s)) for studio, s in zip(studios, (scene, changed), strict=True)
    )
    assert np.array_equal(first, same)


def test_some_clips_blink_and_most_do_not():
  _, scenes = _scenes()
  blinks = np.mean([scene.motion.lids.max() > 0.5 for scene in scenes])
  assert 0.05 < blinks < 0.4


def test_people_differ_and_a_person_stays_the_same():
  setting, scenes = _scenes(subjects=3, each=2)
  studio = Studio(setting)
  first = {}
  for scene in scenes:
    first.setdefault(scene.clip.subject, []).append(_gray(next(studio.frames(scene))))
  own = [np.abs(a - b).mean() for a, b in (frames[:2] for frames in first.values())]
  others = [np.abs(first[1][0] - first[n][0]).mean() for n in (2, 3)]
  assert max(own) < min(others)


@pytest.mark.parametrize("unit", [1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 24, 25, 26])
def test_left_and_right_mirror_each_other_on_a_symmetric_face(unit):
  person = draw_identity(np.random.default_rng(0))
  person = dataclasses.replace(person, anatomy=np.zeros_like(person.anatomy))
  x, y = np.meshgrid(np.linspace(-0.5, 0.5, 41), np.linspace(-0.4, 0.85, 50))
  left, right = action_units.fields([f"L{unit}", f"R{unit}"], person, x, y)
  assert np.allclose(left[:, ::-1] * (-1, 1), right, atol=1e-6)
  strength = np.linalg.norm(left, axis=-1)
  assert strength.max() > 0.25
  assert (strength * x).sum() > 0  # the person's left is right in the picture


@pytest.mark.parametrize(
  ("unit", "place", "direction"),
  [
    (1, (0.15, -0.135), (0, -1)),
    (2, (0.31, -0.135), (0, -1)),
    (4, (0.15, -0.135), (-1, 1)),
    (12, (0.185, 0.50), (1, -1)),
    (15, (0.185, 0.52), (0, 1)),
    (17, (0.03, 0.70), (0, -1)),
    (20, (0.185, 0.51), (1, 0)),
    (26, (0.04, 0.69), (0, 1)),
  ],
)
def test_units_pull_where_facs_says(unit, place, direction):
  person = draw_identity(np.random.default_rng(0))
  person = dataclasses.replace(person, anatomy=np.zeros_like(person.anatomy))
  u, v = action_units.fields([f"L{unit}"], person, *(np.array([c]) for c in place))[0, 0]
  for pull, expected in zip((u, v), direction, strict=True):
    assert abs(pull) < 0.3 if expected == 0 else np.sign(pull) == expected


@settings(max_examples=25, deadline=None)
@given(
  u=st.floats(-2, 2),
  v=st.floats(-2, 2),
  width=st.floats(5, 20),
  x=st.floats(15, 35),
  y=st.floats(15, 35),
)
def test_inverse_of_a_smooth_field(u, v, width, x, y):
  grid = np.stack(np.meshgrid(np.arange(50), np.arange(50)), -1).astype(np.float32)
  bump = np.exp(-0.5 * (((grid - (x, y)) / width) ** 2).sum(-1, keepdims=True))
  forward = (bump * (u, v)).astype(np.float32)
  origin = grid + warp.invert(forward, steps=12)
  back = origin + warp.read_at(forward, origin)
  inside = (slice(4, -4), slice(4, -4))
  assert np.abs(back - grid)[inside].max() < 0.04  # OpenCV reads at 32nds of a pixel


@pytest.mark.parametrize(("kind", "tree"), [(corpora.SAMM, "raw"), (corpora.CASME2, "raw")])
def test_a_face_detector_finds_the_faces(kind, tree):
  path = cv2.data.haarcascades + "haarcascade_frontalface_default.xml"
  cascade = cv2.CascadeClassifier(path)
  studio = Studio(Setting(kind, tree, SIZE, 1.0, 0))
  clips = plan.plan(kind, 12, 1, 0, tree)
  detected = 0
  for clip in clips:
    scene = compose(studio.setting, clip)
    frame = _gray(next(studio.frames(scene))).astype(np.uint8)
    boxes = cascade.detectMultiScale(frame, 1.1, 3, minSize=(SIZE // 2, SIZE // 2))
    centres = [np.array([x + w / 2, y + h / 2]) for x, y, w, h in boxes]
    middle = np.add(scene.view.centre, (0, 0.2 * SIZE))
    detected += any(np.linalg.norm(c - middle) < 0.4 * SIZE for c in centres)
  assert detected >= 10
