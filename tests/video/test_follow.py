"""Faces through a video: landmarks, alignment, and what keeps a frame from being measured."""

import cv2
import numpy as np
import pytest
from drawn_video import FPS, drawn

from mer_jax.video import align, landmarks, regions, usable
from mer_jax.video.decode import Frame
from mer_jax.video.follow import CascadeFollower, LandmarkFollower

needs_landmarks = pytest.mark.skipif(not landmarks.installed(), reason=f"needs {landmarks.INSTALL}")


class Kept:
  """Keeps what it is given."""

  def __init__(self):
    self.crops, self.windows = [], 0

  def add(self, crop, time):
    self.crops.append(crop)

  def new_window(self):
    self.windows += 1

  def curves(self):
    raise NotImplementedError


def landmarks_of(transform: np.ndarray) -> np.ndarray:
  """float [468, 3]: those that an alignment reads, of the average face under `transform`."""
  points = np.zeros((468, 3))
  places = align._PLACES @ transform[:, :2].T + transform[:, 2]
  points[list(align._POINTS), :2] = places
  return points


def test_the_average_face_is_aligned_exactly():
  angle, size = 0.2, 150.0
  turn = size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
  transform = np.hstack([turn, [[300.0], [200.0]]])
  np.testing.assert_allclose(align.similarity(landmarks_of(transform)), transform, atol=1e-6)
  moved = transform.copy()
  moved[0, 2] += 15
  assert align.apart(transform, moved) == pytest.approx(0.1)


@pytest.mark.parametrize("size", [60.0, 400.0])
def test_places_of_the_anatomy_hold_in_the_crop(size):
  """A dot in the frame is where regions.to_crop puts it, whether the face is small or large."""
  image = np.zeros((700, 700), np.uint8)
  transform = np.array([[size, 0.0, 350.0], [0.0, size, 300.0]])
  for x, y in ((0.23, 0.0), (-0.2, 0.5)):
    place = tuple(int(v) for v in np.rint(transform @ (x, y, 1)))
    cv2.circle(image, place, max(2, round(size / 40)), 255, -1)
    crop = align.cut(image, transform).astype(float)
    rows, columns = np.indices(crop.shape)
    found = [(crop * axis).sum() / crop.sum() for axis in (columns, rows)]
    np.testing.assert_allclose(found, regions.to_crop(x, y), atol=0.8)
    image[:] = 0


@pytest.fixture(scope="module")
def person():
  return drawn(3, 2.0)


@needs_landmarks
def test_a_drawn_face_is_aligned_as_it_was_drawn(person):
  """The box is the one that the shipped networks know: within .05 face widths at its corners."""
  frames, view = person
  truth = np.hstack([view.turn(1) * view.scale, np.array(view.centre)[:, None]])
  networks = landmarks.Landmarks()
  (region,) = networks.detect(frames[0])
  mesh = networks.mesh(frames[0], region)
  assert align.apart(align.similarity(mesh.points), truth) < 0.05


@needs_landmarks
def test_a_face_is_followed_in_one_alignment_and_gaps_are_marked(person):
  frames, _ = person
  follower = LandmarkFollower(FPS, Kept)
  black = np.zeros_like(frames[0])
  shown = [*frames[:20], black, None, *frames[20:40]]
  for index, image in enumerate(shown):
    follower.add(Frame(index, index, image))
  (face,) = follower.faces
  assert [bool(c is None) for c in face.measure.crops] == [20 <= n < 22 for n in range(42)]
  assert list(face.states[20:22]) == [usable.NO_FACE] * 2
  assert face.transform_at(20) is None
  assert len(face.transforms) == 2  # one for each stretch
  assert face.seconds(FPS) == pytest.approx(40 / FPS)


@needs_landmarks
@pytest.mark.parametrize("shift", [120, 300])
def test_a_cut_of_the_film_is_marked_and_nothing_is_measured_across(person, shift):
  """The face goes on elsewhere: near enough for the mesh to see it, or for the detector alone."""
  wide = [np.pad(frame, ((0, 0), (40, 400), (0, 0)), mode="edge") for frame in person[0][:16]]
  shown = [*wide[:8], *(np.roll(frame, shift, axis=1) for frame in wide[8:])]
  follower = LandmarkFollower(FPS, Kept)
  for index, image in enumerate(shown):
    follower.add(Frame(index, index, image))
  (face,) = follower.faces
  assert list(face.states) == [usable.USABLE] * 8 + [usable.JUMP] + [usable.USABLE] * 7
  assert [n for n, crop in enumerate(face.measure.crops) if crop is None] == [8]
  first, second = face.transforms
  assert second[0, 2] - first[0, 2] == pytest.approx(shift, abs=6)


@needs_landmarks
def test_all_faces_are_followed_each_for_itself(person):
  frames, _ = person
  others = drawn(5, 1.0)[0]
  follower = LandmarkFollower(FPS, Kept, "all")
  for index in range(24):
    follower.add(Frame(index, index, np.hstack([frames[index], others[index]])))
  assert len(follower.faces) == 2
  middles = sorted(face.transforms[0][0, 2] for face in follower.faces)
  assert middles[0] < frames[0].shape[1] < middles[1]
  assert all(len(face.states) == len(face.measure.crops) == 24 for face in follower.faces)


@needs_landmarks
def test_a_small_and_a_cut_face_are_marked(person):
  frames, view = person
  x = int(view.centre[0])
  for image, state in (
    (cv2.resize(frames[0], None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA), usable.TOO_SMALL),
    (np.ascontiguousarray(frames[0][:, x - 80 :]), usable.CUT),
  ):
    follower = LandmarkFollower(FPS, Kept)
    follower.add(Frame(0, 0, image))
    assert [list(face.states) for face in follower.faces] == [[state]]


def test_closed_lids_are_a_blink_and_a_profile_is_turned():
  judge = usable.Judge()
  crop = np.random.default_rng(0).integers(60, 200, (128, 128), np.uint8)

  def face(nose: float = 0.5) -> np.ndarray:
    points = np.full((468, 3), (200.0, 200.0, 0.0))
    points[list(align.OUTER_EYES), 0] = 140, 260
    points[list(usable._EDGES), 0] = 100, 300
    points[usable._NOSE_TIP, 0] = 100 + 200 * nose
    return points

  shape = 400, 400
  states = [judge.state(face(), o, crop, shape) for o in (0.3, 0.3, 0.15, 0.3)]
  assert states == [usable.USABLE, usable.USABLE, usable.BLINKING, usable.USABLE]
  asleep = [judge.state(face(), 0.05, crop, shape) for _ in range(300)]
  assert set(asleep) == {usable.BLINKING}
  assert judge.state(face(nose=0.1), 0.3, crop, shape) == usable.TURNED
  assert judge.state(face(), 0.3, crop // 20, shape) == usable.TOO_DARK


@needs_landmarks
def test_closed_lids_are_seen_and_still_measured():
  frames, _ = drawn(3, 2.0, blink=range(10, 14))
  follower = LandmarkFollower(FPS, Kept)
  for index in range(20):
    follower.add(Frame(index, index, frames[index]))
  (face,) = follower.faces
  assert [n for n, state in enumerate(face.states) if state == usable.BLINKING] == [10, 11, 12, 13]
  assert all(crop is not None for crop in face.measure.crops)


def test_the_cascade_follows_a_face_too(person):
  frames, view = person
  follower = CascadeFollower(FPS, Kept)
  for index in range(6):
    follower.add(Frame(index, index, frames[index]))
  (face,) = follower.faces
  assert list(face.states) == [usable.USABLE] * 6
  np.testing.assert_allclose(face.transforms[0][:, 2], view.centre, atol=0.08 * view.scale)
