"""Logs of MEGC2019: what is written is read, what people make of them too, and nothing crashes."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from mer_jax.errors import DataError
from mer_jax.evaluation import megc_names
from mer_jax.evaluation.megc_log import log_of, pooled, read_megc_log, write_megc_log
from mer_jax.evaluation.predictions import Predictions

THREE = ("negative", "positive", "surprise")
PLAIN = """casme2 sub01
EP02_01f 1 1
EP19_05f 0 2

samm 006
006_1_2 0 0

smic s01
s01_sur_01 2 0
"""
ROWS = [
  ("casme2", "sub01", "EP02_01f", 1, 1),
  ("casme2", "sub01", "EP19_05f", 0, 2),
  ("samm", "006", "006_1_2", 0, 0),
  ("smic", "s01", "s01_sur_01", 2, 0),
]
in_tmp = hypothesis.settings(
  max_examples=150,
  deadline=None,
  suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)


def rows_of(log) -> list[tuple]:
  return list(zip(*(field.tolist() for field in log[:5]), strict=True))


def read(tmp_path, text: str | bytes, **options):
  path = tmp_path / "a.log"
  path.write_bytes(text if isinstance(text, bytes) else text.encode())
  return read_megc_log(path, **options)


def test_the_official_format(tmp_path):
  log = read(tmp_path, PLAIN)
  assert rows_of(log) == ROWS
  assert log.line.tolist() == [2, 3, 6, 9]
  assert (log.class_names, log.remarks) == (THREE, ())
  assert log.label.dtype == log.prediction.dtype == np.int64


@pytest.mark.parametrize(
  "text",
  [
    PLAIN.replace("\n", "\r\n"),
    PLAIN.replace("\n", "\r"),
    PLAIN.replace("\n\n", "\n"),
    PLAIN.replace("\n", "\n \n\t\n\n"),
    PLAIN.replace("\n\n", "\n,,,\n"),
    PLAIN.replace(" ", ","),
    PLAIN.replace(" ", ", "),
    PLAIN.replace(" ", "\t"),
    PLAIN.replace(" ", ";"),
    PLAIN.replace(" ", "   ").replace("\n", "  \n"),
    PLAIN.replace("\n", ",,\n"),
    "\ufeff" + PLAIN,
    PLAIN.encode("utf-16"),
    PLAIN.replace("sub01", "1").replace("samm 006", "samm 6").replace("smic s01", "smic s1"),
    PLAIN.replace("sub01", "sub1").replace("samm 006", "samm s006").replace("smic s01", "smic 01"),
    PLAIN.replace("sub01", "SUB 01").replace("006_1_2", "6_1_2").replace("s01_sur", "s1_SUR"),
    PLAIN.replace("casme2", "CASME2").replace("samm", "SAMM").replace("smic", "SMIC"),
    PLAIN.replace("casme2", "casme II").replace("smic", "SMIC-HS"),
    PLAIN.replace("casme2", "CASME 2").replace("smic", "smic_HS"),
    PLAIN.replace("EP02_01f", "ep02_01F").replace("EP19_05f", "sub01_EP19_05f"),
    PLAIN.replace("f 1 1", "f positive Positive").replace("f 0 2", "f NEGATIVE surprise"),
    PLAIN.replace("f 1 1", "f 1.0 1.").replace("f 0 2", "f 0 02"),
  ],
)
def test_what_people_make_of_it_is_read(tmp_path, text):
  log = read(tmp_path, text)
  assert rows_of(log) == ROWS
  assert log.remarks == ()


@pytest.mark.parametrize(
  ("text", "says"),
  [
    ("", "holds no clip"),
    ("casme2 sub01\n\n", "holds no clip"),
    ("EP02_01f 1 1", r"line 1: a clip before any line '<dataset> <subject>'"),
    (
      "casme2 sub01\nEP02_01f 1",
      r"line 2: the clip 'EP02_01f' with one class; expected its truth and",
    ),
    ("casme2 sub01\nEP02_01f 1 1 1", r"line 2: 4 words; expected '<dataset> <subject>' or"),
    ("casme2 sub01\n\nEP02_01f 1 3", r"line 3: the class '3' is unknown; expected one of 0 \(neg"),
    ("casme2 sub01\nEP02_01f 1 -1", r"line 2: the class '-1'"),
    ("casme2 sub01\nEP02_01f 1 anger", r"line 2: the class 'anger'.*2 \(surprise\)"),
    ("casme2 sub01\nEP02_01f 1 0.5", r"line 2: the class '0\.5'"),
    (b"casme2 sub01\nEP02_01f 1 1\n\xff\xfe 1 1", r"line 3: .*expected a text file"),
    (b"casme2 sub01\n\0P02_01f 1 1", r"line 2: a zero byte"),
    ("Subject: 006\nPredicted   : [0, 0]\nGround Truth: [0, 0]", r"line 2: 4 words"),
  ],
)
def test_what_cannot_be_read_is_refused_with_its_line(tmp_path, text, says):
  with pytest.raises(DataError, match=says):
    read(tmp_path, text)


def test_a_file_that_is_not_there(tmp_path):
  for path in (tmp_path / "absent", tmp_path, "zero\0byte"):
    with pytest.raises(DataError, match="Cannot read the log"):
      read_megc_log(path)


def test_what_is_odd_is_kept_and_said(tmp_path):
  text = "casme2 sub01\nEP02_01f 1 1\nsmic s02\ncasme2 1\nEP02_01f 1 0\nfoo 0 0\nown p1\nx,y 1 2\n"
  with pytest.raises(DataError, match=r"line 8: 4 words"):
    read(tmp_path, text)
  log = read(tmp_path, text.replace("x,y", "x"))
  assert rows_of(log) == [
    ("casme2", "sub01", "EP02_01f", 1, 1),
    ("casme2", "sub01", "EP02_01f", 1, 0),
    ("casme2", "sub01", "foo", 0, 0),
    ("own", "p1", "x", 1, 2),
  ]
  assert log.remarks == (
    "line 4: casme2 sub01 began in line 1 already.",
    "line 3: smic s02 has no clip.",
  )


def test_the_subject_in_a_name_is_not_hidden(tmp_path):
  log = read(tmp_path, "casme2 sub01\nsub02_EP02_01f 1 1\nsamm 006\n007_1_2 0 0\n")
  assert log.clip.tolist() == ["sub02_EP02_01f", "007_1_2"]


def test_other_classes(tmp_path):
  log = read(tmp_path, "casme2 1\nEP01_01 IV 4\n", class_names=("I", "II", "III", "IV", "V"))
  assert (log.label.tolist(), log.prediction.tolist()) == ([3], [4])


WORDS = st.sampled_from(
  [
    *("casme2", "casme", "II", "samm", "smic", "SMIC-HS", "own", "sub01", "s1", "006", "1", "01"),
    *(
      "EP02_01f",
      "006_1_2",
      "s01_ne_01",
      "0",
      "2",
      "3",
      "-1",
      "0.0",
      "1e5",
      "negative",
      "SURPRISE",
    ),
    *("\u0661", "\ufeff", "é", ",", ";", "\0", "²", "x" * 99),
  ]
)
LINES = st.lists(st.lists(WORDS, max_size=5).map(" ".join), max_size=12)


@in_tmp
@hypothesis.given(
  st.one_of(
    st.binary(max_size=80),
    st.text(max_size=80),
    st.tuples(LINES, st.sampled_from(["\n", "\r\n", "\r", "\u2028"])).map(
      lambda x: x[1].join(x[0])
    ),
  )
)
def test_nothing_but_a_data_error(tmp_path, text):
  try:
    log = read(tmp_path, text.encode("utf-8", "ignore") if isinstance(text, str) else text)
  except DataError:  # the only error there is
    return
  assert len(log.clip) == len(log.line) > 0
  assert np.all(np.isin(log.label, (0, 1, 2)) & np.isin(log.prediction, (0, 1, 2)))
  assert np.all(np.diff(log.line) > 0)


@st.composite
def official(draw):
  """Predictions with the names of the three corpora and of another one."""
  number = st.integers(1, 30)
  clips = {
    "casme2": lambda s: (f"sub{s:02d}", f"EP{draw(number):02d}_{draw(number):02d}{draw(tail)}"),
    "samm": lambda s: (f"{s:03d}", f"{s:03d}_{draw(number)}_{draw(number)}"),
    "smic": lambda s: (f"s{s:02d}", f"s{s:02d}_{draw(kind)}_{draw(number):02d}"),
    "own": lambda s: (f"p{s}", f"clip-{draw(number)}.{draw(number)}"),
  }
  tail, kind = st.sampled_from(["", "f"]), st.sampled_from(["ne", "po", "sur"])
  keys = set()
  for _ in range(draw(st.integers(1, 12))):
    dataset = draw(st.sampled_from(sorted(clips)))
    keys.add((dataset, *clips[dataset](draw(number))))
  rows = draw(st.permutations(sorted(keys)))
  labels = draw(st.lists(st.integers(0, 2), min_size=2 * len(rows), max_size=2 * len(rows)))
  dataset, subject, clip = map(np.array, zip(*rows, strict=True))
  label, prediction = np.array(labels).reshape(2, -1)
  p = np.full((len(rows), 3), 0.2, np.float32)
  return Predictions(np.zeros_like(label), dataset, subject, clip, label, prediction, p, THREE)


@in_tmp
@hypothesis.given(official())
def test_what_is_written_is_read(tmp_path, predictions):
  write_megc_log(tmp_path / "a.log", predictions)
  log = read_megc_log(tmp_path / "a.log")
  assert rows_of(log) == sorted(rows_of(log_of(predictions)))
  assert log.remarks == ()


def test_names_that_the_format_cannot_hold_are_changed(tmp_path):
  one = np.array([1])
  names = (np.array(["my lab"]), np.array(["p;1"]), np.array(["a, b"]))
  p = np.full((1, 3), 0.2, np.float32)
  write_megc_log(tmp_path / "a.log", Predictions(one, *names, one, one, p, THREE))
  assert rows_of(read_megc_log(tmp_path / "a.log")) == [("my_lab", "p_1", "a_b", 1, 1)]


def test_parts_of_one_submission(tmp_path):
  a, b = read(tmp_path, "casme2 1\nEP01_01 0 1\n"), read(tmp_path, "samm 6\n006_1_2 1 1\n")
  both = pooled([a, b])
  assert rows_of(both) == rows_of(a) + rows_of(b)
  with pytest.raises(DataError, match="different classes"):
    pooled([a, b._replace(class_names=("x", "y", "z"))])
  with pytest.raises(DataError, match="no log"):
    pooled([])


def test_names_say_what_they_say():
  assert megc_names.clip("smic", "s3_Po_7") == ("s03_po_07", "s03", "positive", True)
  assert megc_names.clip("casme2", "EP09f").known
  assert not megc_names.clip("casme2", "006_1_2").known
  assert megc_names.clip("own", "anything") == ("anything", "", "", True)
  assert megc_names.is_subject("casme2", "sub01")
  assert not megc_names.is_subject("casme2", "alice")
