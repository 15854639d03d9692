import os

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis.extra import numpy as st_numpy

from mer_jax.clips import Clips
from mer_jax.errors import DataError, WorkdirError
from mer_jax.evaluation import folds
from mer_jax.evaluation.megc_log import write_megc_log, write_megc_logs
from mer_jax.evaluation.predictions import (
  Predictions,
  check,
  made,
  predictions_of,
  read_csv,
  select,
  write_csv,
)
from mer_jax.protocols import Split

HEADER = "seed,dataset,subject,clip,label,prediction,p_negative,p_positive"
FOLD_HEADER = HEADER.replace("clip", "clip,fold")
GOOD = "0,casme2,sub01,EP02_01f,1,0,0.75,0.25"
# Commas, quotes and blanks included; NumPy would drop a trailing NUL.
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), min_size=1, max_size=8)


def small(seeds=(0, 1)) -> Predictions:
  rows = [
    (seed, *key)
    for seed in seeds
    for key in (("smic", "s02", "b", 1), ("casme2", "sub10", "a", 0), ("casme2", "sub02", "a", 1))
  ]
  seed, dataset, subject, clip, label = zip(*rows, strict=True)
  p = np.linspace(0.1, 0.9, len(rows), dtype=np.float32)
  p = np.stack([p, 1 - p], axis=1)
  return Predictions(
    *map(np.array, (seed, dataset, subject, clip, label)), p.argmax(1), p, ("negative", "positive")
  )


@st.composite
def arbitrary(draw):
  k = draw(st.integers(1, 4))
  keys = draw(
    st.lists(st.tuples(st.integers(0, 3), NAMES, NAMES, NAMES), min_size=1, max_size=6, unique=True)
  )
  r = len(keys)
  classes = st_numpy.arrays(np.int64, r, elements=st.integers(0, k - 1))
  unit = st.floats(0, 1, width=32)
  gap = draw(st_numpy.arrays(np.bool_, r))
  p = draw(st_numpy.arrays(np.float32, (r, k), elements=unit)) + np.float32(1e-3)
  p /= p.sum(axis=1, keepdims=True)
  seed, dataset, subject, clip = zip(*keys, strict=True)
  return Predictions(
    np.array(seed),
    np.array(dataset),
    np.array(subject),
    np.array(clip),
    draw(classes),
    np.where(gap, -1, draw(classes)),
    np.where(gap[:, None], np.float32(np.nan), p),
    tuple(draw(st.lists(NAMES, min_size=k, max_size=k, unique=True))),
    draw(st.none() | st.lists(NAMES, min_size=r, max_size=r).map(np.array)),
  )


@hypothesis.given(arbitrary())
@hypothesis.settings(
  max_examples=60,
  deadline=None,
  suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
def test_round_trip_is_exact(tmp_path, predictions):
  write_csv(tmp_path / "predictions.csv", predictions)
  first = (tmp_path / "predictions.csv").read_bytes()
  found = read_csv(tmp_path / "predictions.csv")
  keys = list(zip(*found[:4], strict=True))
  assert keys == sorted(keys)
  sent = {key: i for i, key in enumerate(zip(*predictions[:4], strict=True))}
  order = [sent[key] for key in keys]
  assert found.class_names == predictions.class_names
  np.testing.assert_array_equal(found.label, predictions.label[order])
  np.testing.assert_array_equal(found.prediction, predictions.prediction[order])
  sent = (folds.names(p.dataset, p.subject, p.fold) for p in (found, select(predictions, order)))
  np.testing.assert_array_equal(*sent)
  assert found.probabilities.dtype == np.float32
  there = made(found)
  assert found.probabilities[there].tobytes() == predictions.probabilities[order][there].tobytes()
  assert np.isnan(found.probabilities[~there]).all()
  write_csv(tmp_path / "predictions.csv", found)
  assert (tmp_path / "predictions.csv").read_bytes() == first


def test_predictions_of_a_split():
  one = np.zeros(2, np.int64)
  text = {
    "dataset": np.array(["casme2", "smic"]),
    "subject": np.array(["sub01", "s03"]),
    "clip": np.array(["EP02_01f", "s03_po_01"]),
  }
  blank = np.array(["", ""])
  clips = Clips(
    **text,
    frames=np.zeros((2, 2, 2, 1), np.uint8),
    starts=np.arange(3),
    emotion=blank,
    action_units=blank,
    objective_class=blank,
    onset=one,
    apex=one,
    offset=one,
    apex_missing=one > 0,
    fps=one,
    first_frame=one,
    last_frame=one,
    synthetic=one > 0,
  )
  split = Split(
    clips=clips,
    labels=np.array([1, 0], np.int32),
    class_names=("negative", "positive"),
    held_out=np.eye(2, dtype=bool),
    fold_names=("casme2/sub01", "smic/s03"),
    remarks=(),
  )
  p = np.array([[[0.2, 0.8], [0.5, 0.5]], [[0.6, 0.4], [0.1, 0.9]]], np.float32)
  found = predictions_of([3, 9], split, p)
  assert found.fold is None
  assert list(zip(*found[:6], strict=True)) == [
    (3, "casme2", "sub01", "EP02_01f", 1, 1),
    (3, "smic", "s03", "s03_po_01", 0, 0),
    (9, "casme2", "sub01", "EP02_01f", 1, 0),
    (9, "smic", "s03", "s03_po_01", 0, 1),
  ]
  np.testing.assert_array_equal(found.probabilities, p.reshape(4, 2))
  check(found)
  whole = predictions_of([3, 9], split._replace(fold_names=("casme2", "smic")), p)
  assert whole.fold.tolist() == ["casme2", "smic"] * 2
  check(whole)
  p[1, 0] = np.nan
  stopped = predictions_of([3, 9], split, p)
  np.testing.assert_array_equal(stopped.prediction, [1, 0, -1, 1])
  check(stopped)
  p[1, 0, 0] = 0.5  # half a row is no gap but a fault
  with pytest.raises(DataError, match=r"casme2/sub01/EP02_01f \(seed 9\).*expected finite"):
    check(predictions_of([3, 9], split, p))
  with pytest.raises(DataError, match=r"shape \(2, 2, 2\); expected \(1, 2, 2\)"):
    predictions_of([3], split, p)


def test_a_clip_without_a_prediction_keeps_an_empty_row(tmp_path):
  predictions = small(seeds=(0,))
  gap = predictions.subject == "sub10"
  predictions.prediction[gap], predictions.probabilities[gap] = -1, np.nan
  check(predictions)
  write_csv(tmp_path / "predictions.csv", predictions)
  assert (tmp_path / "predictions.csv").read_text().splitlines() == [
    HEADER,
    "0,casme2,sub02,a,1,0,0.899999976,0.100000024",
    "0,casme2,sub10,a,0,,,",
    "0,smic,s02,b,1,1,0.100000001,0.899999976",
  ]
  found = read_csv(tmp_path / "predictions.csv")
  np.testing.assert_array_equal(found.prediction, [0, -1, 1])
  assert np.isnan(found.probabilities[1]).all()
  np.testing.assert_array_equal(made(found), [True, False, True])


def test_text_of_the_file(tmp_path):
  write_csv(tmp_path / "predictions.csv", small(seeds=(0,)))
  assert (tmp_path / "predictions.csv").read_text().splitlines() == [
    HEADER,
    "0,casme2,sub02,a,1,0,0.899999976,0.100000024",
    "0,casme2,sub10,a,0,0,0.5,0.5",
    "0,smic,s02,b,1,1,0.100000001,0.899999976",
  ]


def by_corpus(predictions: Predictions) -> Predictions:
  return predictions._replace(fold=predictions.dataset.copy())


def test_folds_that_are_corpora_stand_behind_the_clip(tmp_path):
  write_csv(tmp_path / "predictions.csv", by_corpus(small(seeds=(0,))))
  assert (tmp_path / "predictions.csv").read_text().splitlines() == [
    FOLD_HEADER,
    "0,casme2,sub02,a,casme2,1,0,0.899999976,0.100000024",
    "0,casme2,sub10,a,casme2,0,0,0.5,0.5",
    "0,smic,s02,b,smic,1,1,0.100000001,0.899999976",
  ]
  assert read_csv(tmp_path / "predictions.csv").fold.tolist() == ["casme2", "casme2", "smic"]


def test_folds_that_are_subjects_need_no_column(tmp_path):
  predictions = small()
  named = [f"{d}/{s}" for d, s in zip(predictions.dataset, predictions.subject, strict=True)]
  write_csv(tmp_path / "plain.csv", predictions)
  write_csv(tmp_path / "named.csv", predictions._replace(fold=np.array(named)))
  text = (tmp_path / "plain.csv").read_text()
  assert (tmp_path / "named.csv").read_text() == text
  first, *lines = (line.split(",") for line in text.splitlines())
  rows = [[*first[:4], "fold", *first[4:]]]
  rows += [[*line[:4], f"{line[1]}/{line[2]}", *line[4:]] for line in lines]
  (tmp_path / "column.csv").write_text("".join(",".join(row) + "\n" for row in rows))
  found = read_csv(tmp_path / "column.csv")
  assert found.fold is None
  np.testing.assert_array_equal(found.prediction, read_csv(tmp_path / "plain.csv").prediction)


def test_one_fold_that_is_no_subject_brings_the_column(tmp_path):
  predictions = small(seeds=(0,))
  fold = np.array(["smic/s02", "casme2/sub10", "both"])
  write_csv(tmp_path / "predictions.csv", predictions._replace(fold=fold))
  found = read_csv(tmp_path / "predictions.csv")
  assert found.fold.tolist() == ["both", "casme2/sub10", "smic/s02"]
  assert folds.held_out(found.dataset, found.subject, found.fold) == folds.OTHER


@pytest.mark.parametrize(
  ("line", "message"),
  [
    ("0,casme2,sub01,EP02_01f,1,0,0.75,0.25", "8 fields; expected 9"),
    ("0,casme2,sub01,EP02_01f,,1,0,0.75,0.25", "the fold is ''"),
    ("0,casme2,sub01,EP02_01f,casme2,,0,0.75,0.25", "label is ''"),
    ("0,smic,s02,b,other,1,0,0.75,0.25", "already stand in line 2"),
  ],
)
def test_a_bad_line_with_a_fold_is_named(tmp_path, line, message):
  path = tmp_path / "predictions.csv"
  path.write_text("\n".join([FOLD_HEADER, "0,smic,s02,b,smic,1,1,0.25,0.75", line]) + "\n")
  with pytest.raises(DataError, match=f"line 3: .*{message}"):
    read_csv(path)


@pytest.mark.parametrize(
  ("line", "message"),
  [
    ("0,casme2,sub01,EP02_01f,1,0,0.75", "7 fields; expected 8"),
    ("0,casme2,sub01,EP02_01f,1,0,0.75,0.25,", "9 fields; expected 8"),
    ("", "0 fields; expected 8"),
    ("x,casme2,sub01,EP02_01f,1,0,0.75,0.25", "seed is 'x'"),
    ("0,casme2,sub01,EP02_01f,positive,0,0.75,0.25", "label is 'positive'"),
    ("0,casme2,sub01,EP02_01f,1,2,0.75,0.25", r"prediction is 2; expected one of 0\.\.1"),
    ("0,casme2,sub01,EP02_01f,-1,0,0.75,0.25", r"label is -1; expected one of 0\.\.1"),
    ("0,casme2,sub01,EP02_01f,1.0,0,0.75,0.25", "label is '1.0'"),
    ("0,casme2,sub01,EP02_01f,1,0,nan,0.25", "probability is 'nan'"),
    ("0,casme2,sub01,EP02_01f,1,0,1.5,0.25", "probability is '1.5'"),
    ("0,casme2,sub01,EP02_01f,1,0,,0.25", "probability is ''"),
    ("0,casme2,sub01,EP02_01f,1,0,,", "probability is ''"),
    ("0,casme2,sub01,EP02_01f,1,,,0.25", "probability is ''"),
    ("0,casme2,sub01,EP02_01f,1,,0.75,0.25", "prediction is ''"),
    ("0,casme2,sub01,EP02_01f,1,-1,,", "probability is ''"),
    ("0,casme2,sub01,EP02_01f,1,-1,0.75,0.25", r"prediction is -1; expected one of 0\.\.1"),
    ("0,casme2,sub01,EP02_01f,,,,", "label is ''"),
    (",casme2,sub01,EP02_01f,1,,,", "seed is ''"),
    ("9" * 30 + ",casme2,sub01,EP02_01f,1,0,0.75,0.25", "seed is '9+'"),
    (GOOD, "already stand in line 2"),
  ],
)
def test_a_bad_line_is_named(tmp_path, line, message):
  path = tmp_path / "predictions.csv"
  path.write_text("\n".join([HEADER, GOOD, GOOD.replace("01f", "02f"), line]) + "\n")
  with pytest.raises(DataError, match=f"line 4: .*{message}"):
    read_csv(path)


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("", "line 1: the header is ''"),
    (GOOD + "\n", "line 1: the header"),
    (HEADER.replace("clip", "video") + "\n" + GOOD, "line 1: the header"),
    ("seed,dataset,subject,clip,label,prediction\n", "line 1: the header"),
    (HEADER.replace("p_positive", "positive") + "\n" + GOOD, "line 1: the header"),
    (HEADER.replace("label", "label,fold") + "\n" + GOOD, "perhaps fold behind clip"),
    (HEADER + ",fold\n" + GOOD, "perhaps fold behind clip"),
    (HEADER.replace("p_positive", "p_negative") + "\n" + GOOD, "share a name"),
    (HEADER + "\n", "no prediction"),
    (HEADER + '\n0,casme2,"sub01', "not a csv file"),
    (HEADER + "\n\udcff", "not a csv file in UTF-8"),
  ],
)
def test_bad_files(tmp_path, text, message):
  (tmp_path / "predictions.csv").write_bytes(text.encode("utf-8", "surrogateescape"))
  with pytest.raises(DataError, match=message):
    read_csv(tmp_path / "predictions.csv")


def test_a_spreadsheet_may_have_saved_it(tmp_path):
  write_csv(tmp_path / "predictions.csv", small())
  text = (tmp_path / "predictions.csv").read_text().replace("\n", "\r\n")
  (tmp_path / "saved.csv").write_bytes(text.encode("utf-8-sig"))
  for ours, theirs in zip(
    read_csv(tmp_path / "predictions.csv"), read_csv(tmp_path / "saved.csv"), strict=True
  ):
    np.testing.assert_array_equal(ours, theirs)


def test_absent_file(tmp_path):
  with pytest.raises(DataError, match=r"Cannot read .*No such file"):
    read_csv(tmp_path / "predictions.csv")


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"label": np.zeros(5, int)}, r"label has the shape \(5,\); expected \(6,\)"),
    ({"probabilities": np.zeros((6, 3), np.float32)}, r"\(6, 3\); expected \(6, 2\)"),
    ({"probabilities": np.full((6, 2), np.nan, np.float32)}, "smic/s02/b.*finite"),
    ({"prediction": np.full(6, 2)}, r"prediction of smic/s02/b \(seed 0\) is 2"),
    ({"prediction": np.full(6, -1)}, "expected NaN only"),
    ({"prediction": np.full(6, -2)}, r"prediction of smic/s02/b \(seed 0\) is -2"),
    ({"label": np.full(6, -1)}, r"label of smic/s02/b \(seed 0\) is -1"),
    (
      {"prediction": np.full(6, -1), "probabilities": np.tile(np.float32([np.nan, 0.5]), (6, 1))},
      "expected NaN only",
    ),
    ({"probabilities": np.tile(np.float32([np.nan, 0.5]), (6, 1))}, "expected finite"),
    ({"probabilities": np.full((6, 2), np.inf, np.float32)}, "expected finite"),
    ({"label": np.full(6, 0.5)}, "integer"),
    ({"seed": np.zeros(6, int)}, "two predictions for casme2/sub02/a"),
    ({"class_names": ("a", "a")}, "share a name"),
    ({"class_names": ("a", "b\n")}, r"name 'b\\n' holds a line break"),
    ({"clip": np.array(["a\rb"] * 6)}, r"name 'a\\rb' holds a line break"),
    ({"fold": np.array(["a\nb"] * 6)}, r"name 'a\\nb' holds a line break"),
    ({"fold": np.array(["smic"] * 5)}, r"fold has the shape \(5,\); expected \(6,\)"),
    (
      {"fold": np.array(["smic", ""] * 3)},
      r"fold of casme2/sub10/a \(seed 0\) is ''; expected the",
    ),
  ],
)
def test_contradictions_are_not_written(tmp_path, change, message):
  with pytest.raises(DataError, match=message):
    write_csv(tmp_path / "predictions.csv", small()._replace(**change))
  assert not list(tmp_path.iterdir())


def test_a_failing_disk_leaves_the_old_file(tmp_path, monkeypatch):
  path = tmp_path / "predictions.csv"
  write_csv(path, small(seeds=(0,)))
  before = path.read_bytes()

  def full(descriptor):
    raise OSError(28, "No space left on device")

  monkeypatch.setattr(os, "fsync", full)
  with pytest.raises(WorkdirError, match="No space"):
    write_csv(path, small())
  assert path.read_bytes() == before
  assert list(tmp_path.iterdir()) == [path]


def test_megc_log(tmp_path):
  predictions = small()
  predictions = predictions._replace(clip=np.array(["b 1", *predictions.clip[1:]]))
  paths = write_megc_logs(tmp_path, predictions)
  assert [path.name for path in paths] == ["megc2019_seed0.log", "megc2019_seed1.log"]
  assert paths[0].read_text() == (
    "casme2 sub02\na 1 1\n\ncasme2 sub10\na 0 1\n\nsmic s02\nb_1 1 1\n"
  )
  with pytest.raises(DataError, match="holds one seed"):
    write_megc_log(tmp_path / "log", predictions)


def test_megc_log_leaves_out_what_has_no_prediction(tmp_path):
  predictions = small()
  gap = (predictions.subject == "sub10") | (predictions.seed == 1)
  predictions.prediction[gap], predictions.probabilities[gap] = -1, np.nan
  (path,) = write_megc_logs(tmp_path, predictions)
  assert path.name == "megc2019_seed0.log"
  assert path.read_text() == "casme2 sub02\na 1 1\n\nsmic s02\nb 1 1\n"
  alone = predictions._replace(seed=np.arange(6)[::-1] // 3)  # the first three, seed 1 now
  with pytest.raises(DataError, match="would be empty"):
    write_megc_log(tmp_path / "log", Predictions(*(f[3:] for f in alone[:7]), alone.class_names))
  assert not (tmp_path / "log").exists()
