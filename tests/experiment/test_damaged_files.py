"""Files of a run that were edited by hand or cut by a crash: one message, or a repair."""

import csv
import json

import numpy as np
import pytest

from mer_jax.cli import command
from mer_jax.errors import DataError, WorkdirError
from mer_jax.evaluation.predictions import read_csv
from mer_jax.experiment import settings, workdir
from mer_jax.report import config_groups
from mer_jax.training import history

DATA = "a" * 64
SOURCES = {"mer_jax/training/fold.py:train_step": "0123"}


def claimed(path):
  config = settings.default()
  workdir.examine(path, config)
  workdir.claim(path, config, workdir.Origin(DATA, ["cpu:0"], SOURCES))
  return config


@pytest.mark.parametrize("name", ["config.json", "environment.json"])
@pytest.mark.parametrize(
  "content",
  [
    *(b"", b"{", b"[]", b"\xff", b"[" * 100_000, b"3", b"{}"),
    *(b'{"config": 3}', b'{"config": [], "hash": ""}', b'{"data_fingerprint": 1, "packages": {}}'),
    *(b'{"data_fingerprint": "", "packages": []}',),
    b'{"data_fingerprint": "", "packages": {}, "sources": [1], "resumed": []}',
    b'{"data_fingerprint": "", "packages": {}, "resumed": [3]}',
  ],
)
def test_a_workdir_of_which_a_file_was_changed_says_so(name, content, tmp_path):
  config = claimed(tmp_path)
  (tmp_path / name).write_bytes(content)

  def go_on():
    workdir.examine(tmp_path, config)
    workdir.check_sources(tmp_path, SOURCES, allowed=False)
    workdir.claim(tmp_path, config, workdir.Origin(DATA, ["cpu:0"], SOURCES))

  with pytest.raises(WorkdirError, match=rf"{name} is damaged|other data"):
    go_on()
  assert (tmp_path / name).read_bytes() == content


def test_facts_of_another_type_do_not_stop_a_page():
  config = {"config": settings.to_json(settings.default())}
  for environment in (3, {"resumed": 3}, {"resumed": [3, {"command": 4}]}):
    assert config_groups.groups(config, environment, None)
  assert config_groups.groups([1], {}, None) == []


def test_lines_of_a_history_that_cannot_be_read_are_named(tmp_path, capsys):
  file = tmp_path / "history.jsonl"
  rows = [json.dumps({"epoch": epoch}).encode() for epoch in (1, 2, 3)]
  damaged = [b'{"epoch": "x"}', b"\xff", b"[]", b"[" * 100_000, b"3", b"{}"]
  file.write_bytes(b"\n".join([rows[0], *damaged, rows[1], rows[2], b'{"ep']))
  assert history.lines_until(file, 2) == ['{"epoch": 1}\n', '{"epoch": 2}\n']
  err = capsys.readouterr().err
  assert "warning: 6 lines of" in err
  assert "the first of them line 2" in err
  file.write_bytes(rows[0] + b"\n" + rows[1])
  assert history.lines_until(file, 2) == ['{"epoch": 1}\n']
  assert capsys.readouterr().err == ""  # a last line that was cut off comes again


HEADER = ["seed", "dataset", "subject", "clip", "label", "prediction", "p_a", "p_b"]
ROW = ["0", "casme2", "sub01", "c1", "0", "1", "0.25", "0.75"]


@pytest.mark.parametrize(
  ("column", "cell", "message"),
  [
    (6, "0.9", "line 2: the probabilities sum to 1.65; expected 1"),
    (6, "0", "sum to 0.75"),
    (6, "nan", "a probability is 'nan'"),
    (4, "2", "label is 2; expected one of"),
    (0, "x", "seed is 'x'"),
  ],
)
def test_predictions_that_are_none_are_refused_with_the_line(column, cell, message, tmp_path):
  row = [*ROW]
  row[column] = cell
  write(tmp_path / "predictions.csv", HEADER, row)
  with pytest.raises(DataError, match=message):
    read_csv(tmp_path / "predictions.csv")


def test_rounded_probabilities_are_taken(tmp_path):
  write(tmp_path / "predictions.csv", HEADER, [*ROW[:6], "0.24", "0.75"])
  np.testing.assert_allclose(read_csv(tmp_path / "predictions.csv").probabilities, [[0.24, 0.75]])


def test_a_comparison_of_thousands_of_classes_ends(tmp_path, capsys):
  names = [f"p_{n}" for n in range(2000)]
  write(tmp_path / "a.csv", [*HEADER[:6], *names], [*ROW[:6], "1", *["0"] * 1999])
  assert command.main(["compare", str(tmp_path / "a.csv")]) == DataError.exit_code
  assert "There are 2,000 classes" in capsys.readouterr().err


def write(path, *rows):
  with open(path, "w", newline="", encoding="utf-8") as file:
    csv.writer(file).writerows(rows)
