"""Long videos: drawn in the owners' formats, read back, and the same from the same seed."""

import cv2
import numpy as np
import openpyxl
import pytest

from data_builders import long_videos
from data_builders.synthetic import long_formats, long_plan, long_render, long_writer
from data_builders.synthetic.long_writer import LongOptions
from mer_jax.errors import ConfigError, DataError
from mer_jax.face.anatomy import draw_identity

TINY = LongOptions(subjects=2, minutes=0.15, size=64, seed=1)


@pytest.fixture(scope="module", params=["casme_squared", "samm_lv"])
def corpus(request, tmp_path_factory):
  """Name and folder of a corpus of two videos of a few seconds."""
  root = tmp_path_factory.mktemp("long") / request.param
  seconds = 9 if request.param == "casme_squared" else 4
  assert long_writer.write(request.param, root, TINY._replace(minutes=seconds / 60))
  return request.param, root


def test_a_corpus_is_read_back_as_it_was_planned(corpus):
  name, root = corpus
  read = long_videos.read(root)
  kind = long_formats.of(name)
  assert (read.format, read.fps, read.synthetic, read.remarks) == (name, kind.fps, True, ())
  assert [video.subject for video in read.videos] == {
    "casme_squared": ["15", "16"],
    "samm_lv": ["006", "007"],
  }[name]
  for video in read.videos:
    assert video.numbers == tuple(range(1, len(video.frames) + 1))
    with np.load(root / "truth" / f"{video.name}.npz") as truth:
      assert truth["head"].shape == (len(video.frames), 6)
      coded = np.isin(truth["kind"], ["micro", "macro"])
      columns = [truth[key][coded].tolist() for key in ("onset", "apex", "offset", "kind")]
    rows = [(e.onset, e.apex, e.offset, e.kind) for e in video.expressions]
    assert rows == list(zip(*columns, strict=True))
  frame = cv2.imread(str(read.videos[0].frames[0]), cv2.IMREAD_UNCHANGED)
  assert (frame.ndim == 3) == kind.colour


def test_the_same_options_draw_nothing_again_and_others_are_refused(corpus):
  name, root = corpus
  minutes = len(long_videos.read(root).videos[0].frames) / long_formats.of(name).fps / 60
  options = TINY._replace(minutes=minutes)
  assert not long_writer.write(name, root, options)
  with pytest.raises(DataError, match="seed 1 instead of 2"):
    long_writer.write(name, root, options._replace(seed=2))


def test_the_number_of_threads_changes_nothing(tmp_path):
  options = TINY._replace(minutes=1 / 15)
  for workers in (1, 3):
    long_writer.write("casme_squared", tmp_path / str(workers), options, workers=workers)
  first, second = (sorted((tmp_path / n).rglob("*.jpg")) for n in ("1", "3"))
  assert len(first) == 240
  assert all(a.read_bytes() == b.read_bytes() for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("name", ["casme_squared", "samm_lv"])
def test_a_plan_holds_what_a_video_should(name):
  kind, rng = long_formats.of(name), np.random.default_rng(0)
  person = draw_identity(rng)
  motion = long_plan.draw(kind, person, 180 * kind.fps, rng)
  kinds = [event.kind for event in motion.events]
  assert {"micro", "macro", "speech", "blink", "twitch"} == set(kinds)
  assert 4 <= kinds.count("micro") <= 6
  for event in motion.expressions:
    seconds = (event.end - event.start + 1) / kind.fps
    assert event.start < event.apex < event.end
    assert (seconds <= 0.5) == (event.kind == "micro")
    assert np.all(event.weights[0] == 0)
    assert np.abs(event.weights[-1]).max() < 0.01 * np.abs(event.weights).max()
  for one, other in zip(motion.expressions, motion.expressions[1:], strict=False):
    assert other.start - one.end >= 0.5 * kind.fps
  assert np.abs(motion.head[:, 4]).max() > np.deg2rad(3)


def test_frames_show_the_motion_of_the_plan():
  kind, rng = long_formats.CASME_SQUARED, np.random.default_rng(0)
  person = draw_identity(rng)
  weights = np.float32([[0.0], [0.02], [0.04]])
  event = long_plan.Event("macro", 0, 2, 2, ["L12"], weights)
  still, zero = np.zeros((3, 6), np.float32), np.zeros(3, np.float32)
  motion = long_plan.LongMotion([event], still, zero, np.ones(3, np.float32))
  sitting = long_render.Sitting(kind, person, 128, rng)
  frames = [frame[..., 0] for frame in sitting.frames(motion, rng)]
  flow = cv2.calcOpticalFlowFarneback(frames[0], frames[2], None, 0.5, 3, 15, 3, 5, 1.2, 0)
  view = sitting.view

  def at(x: float, y: float) -> np.ndarray:
    column, row = np.array(view.centre) + view.scale * np.array([x, y]) @ view.turn(1).T
    return flow[round(row) - 3 : round(row) + 4, round(column) - 3 : round(column) + 4].mean((0, 1))

  assert at(0.18, 0.5)[1] < -1.5
  assert np.abs(at(-0.2, -0.14)).max() < 0.4


def edited(corpus_root, tmp_path, sheet: str, edit) -> long_videos.LongCorpus:
  """The corpus with a sheet that `edit` has changed, its first page given."""
  root = tmp_path / "edited"
  root.mkdir()
  for entry in corpus_root.iterdir():
    if entry.name != sheet:
      (root / entry.name).symlink_to(entry)
  book = openpyxl.load_workbook(corpus_root / sheet)
  edit(book.worksheets[0])
  book.save(root / sheet)
  return long_videos.read(root)


@pytest.fixture
def casme_squared(tmp_path):
  root = tmp_path / "drawn"
  long_writer.write("casme_squared", root, TINY._replace(minutes=1 / 15))
  return root


def test_known_faults_of_sheets_are_survived_and_reported(casme_squared, tmp_path):
  def edit(page):
    page.delete_rows(1, page.max_row)
    page.append([1, "disgust1_1", 10, 15, 0, "4", "negative", "micro-expression", None])
    page.append([1, "disgust1_2", 50, 400, 70, "4", "negative", "macro-expression", None])
    page.append([2, "disgust1_1", 500, 510, 520, "12", "positive", "macro-expression", None])
    page.append([2, "film9_1", 5, 6, 7, "12", "positive", "macro-expression", None])

  read = edited(casme_squared, tmp_path, "CAS(ME)^2code_final.xlsx", edit)
  first, second = read.videos[0].expressions
  assert (first.onset, first.apex, first.offset, first.kind) == (9, 14, 14, "micro")
  assert (second.onset, second.apex, second.offset) == (49, 59, 69)
  assert read.videos[1].expressions == ()
  assert len(read.remarks) == 2
  assert "no frame from 500 to 520" in " ".join(read.remarks)


def test_frames_with_a_gap_are_counted_by_their_numbers(casme_squared):
  frames = sorted(casme_squared.rglob("rawpic/s15/*/*.jpg"))
  for path in frames[:5]:
    path.unlink()
  video = long_videos.read(casme_squared).videos[0]
  assert video.numbers[0] == 6
  assert len(video.frames) == len(frames) - 5


def test_a_folder_that_is_no_corpus_is_refused(tmp_path):
  with pytest.raises(DataError, match="cannot be read"):
    long_videos.read(tmp_path / "absent")
  with pytest.raises(DataError, match="no coding sheet"):
    long_videos.read(tmp_path)


@pytest.mark.parametrize(
  "options",
  [{"subjects": 0}, {"minutes": 0.0}, {"minutes": 0.01}, {"size": 10}, {"seed": -1}],
  ids=str,
)
def test_options_out_of_range_are_refused(tmp_path, options):
  with pytest.raises(ConfigError, match=next(iter(options))):
    long_writer.write("samm_lv", tmp_path / "out", TINY._replace(**options))
