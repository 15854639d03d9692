"""Predictions as others write them: tables by their columns, logs of one corpus, printed lists."""

import pytest

from mer_jax.cli import audit as command
from mer_jax.errors import DataError
from mer_jax.evaluation import audit
from mer_jax.evaluation.megc_log import read_megc_log
from mer_jax.evaluation.prediction_tables import read_lists, read_table
from mer_jax.protocols.megc2019_labels import CLASS_NAMES

ROWS = [("casme2", f"sub{s:02d}", f"EP0{s}_01", s % 3, 0) for s in range(1, 6)]
EXPECTED = [(*row[:3], row[3], row[4]) for row in ROWS]


def written(tmp_path, text: str, name: str = "a.csv", encoding: str = "utf-8"):
  path = tmp_path / name
  path.write_text(text, encoding=encoding)
  return path


def rows_of(log) -> list[tuple]:
  return list(zip(*(field.tolist() for field in log[:5]), strict=True))


@pytest.mark.parametrize(
  ("header", "order", "delimiter", "encoding"),
  [
    ("dataset,subject,clip,label,prediction", (0, 1, 2, 3, 4), ",", "utf-8"),
    ("Prediction;Ground Truth;File Name;Subject;Database", (4, 3, 2, 1, 0), ";", "utf-8-sig"),
    ("corpus\tsub\tvideo\ty_true\ty_pred", (0, 1, 2, 3, 4), "\t", "utf-16"),
  ],
)
def test_columns_by_name(tmp_path, header, order, delimiter, encoding):
  lines = [delimiter.join(str(row[k]) for k in order) for row in ROWS]
  path = written(tmp_path, "\n".join([header, *lines, ""]), encoding=encoding)
  table = read_table(path, CLASS_NAMES)
  assert table is not None
  assert rows_of(table[0]) == EXPECTED
  (found,) = audit.audit([path])
  assert rows_of(found.logs[0]) == EXPECTED


def test_seeds_and_class_names_and_a_corpus_from_the_option(tmp_path):
  lines = [
    f"{seed},{int(row[1][3:])},{row[2]},{CLASS_NAMES[row[3]]},{row[4]}"
    for seed in (3, 9)
    for row in ROWS
  ]
  path = written(tmp_path, "\n".join(["seed,subject,clip,label,prediction", *lines]))
  table = read_table(path, CLASS_NAMES, "CASME II")
  assert table is not None
  assert list(table) == [3, 9]
  assert rows_of(table[9]) == EXPECTED
  with pytest.raises(DataError, match="--corpus"):
    read_table(path, CLASS_NAMES)


@pytest.mark.parametrize(
  ("line", "why"),
  [("casme2,sub01,EP01_01,7,0", "class '7'"), ("casme2,sub01", "too few cells")],
)
def test_a_line_that_cannot_be_understood_is_named(tmp_path, line, why):
  path = written(tmp_path, f"dataset,subject,clip,label,prediction\n{line}\n")
  with pytest.raises(DataError, match=f"line 2: .*{why}"):
    read_table(path, CLASS_NAMES)


@pytest.mark.parametrize("begin", ["sub{:02d}", "{}", "subject {}", "s{}"])
def test_a_log_of_one_corpus(tmp_path, begin):
  text = "".join(f"{begin.format(int(r[1][3:]))}\n{r[2]} {r[3]} {r[4]}\n" for r in ROWS)
  path = written(tmp_path, text, "log.txt")
  assert rows_of(read_megc_log(path, corpus="casme2")) == EXPECTED
  if begin == "sub{:02d}":
    with pytest.raises(DataError, match="--corpus"):
      read_megc_log(path)


@pytest.mark.parametrize(
  "text",
  [
    "Subject: 006\nPredicted    : [0, 1, 2]\nGround Truth : [0, 1, 1]\n",
    "y_true = tensor([0, 1, 1])\ny_pred = tensor([0, 1, 2])\n",
    "Predictions: ['negative' 'positive' 'surprise']\nTrue labels: [0\n 1 1]\n",
  ],
)
def test_printed_lists_are_scored_without_a_check_of_clips_and_it_is_said(tmp_path, text, capsys):
  path = written(tmp_path, text, "lists.txt")
  log = read_lists(path, CLASS_NAMES)
  assert log is not None
  assert (log.label.tolist(), log.prediction.tolist()) == ([0, 1, 1], [0, 1, 2])
  assert command.main([str(path)]) == 0
  out = capsys.readouterr().out
  assert "no clip was checked" in out
  assert ".6667" in out  # the accuracy


def test_lists_that_do_not_fit_together(tmp_path):
  with pytest.raises(DataError, match="3 truths and 2 predictions"):
    read_lists(written(tmp_path, "pred: [0, 1]\ntruth: [0, 1, 2]\n"), CLASS_NAMES)
  with pytest.raises(DataError, match="2 lists of predictions and 1 of truths"):
    read_lists(written(tmp_path, "pred: [0]\npred: [0]\ntruth: [0]\n"), CLASS_NAMES)
  assert read_lists(written(tmp_path, "smic s01\ns1_ne_01 0 0\n"), CLASS_NAMES) is None
