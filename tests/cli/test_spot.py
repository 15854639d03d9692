"""mer_jax spot: from a folder of long videos to scores and intervals."""

import csv
import json

import pytest

from data_builders.synthetic import long_writer
from mer_jax.cli import spot


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
  """Twelve seconds of one person, with a coded expression."""
  root = tmp_path_factory.mktemp("spot") / "corpus"
  options = long_writer.LongOptions(subjects=1, minutes=0.2, size=96, seed=7)
  long_writer.write("casme_squared", root, options)
  return root


@pytest.mark.parametrize("method", ["regions", "mdmd", "strain"])
def test_scores_and_intervals_are_left_behind(corpus, tmp_path, method, capsys):
  if method != "regions":  # the baselines need no more than that they run
    for path in sorted(corpus.rglob("*.jpg"))[75:]:
      path.unlink()
  assert spot.main([str(corpus), f"--out={tmp_path}", f"--method={method}"]) == 0
  scores = json.loads((tmp_path / "spotting.json").read_text())
  with open(tmp_path / "intervals.csv", newline="") as file:
    rows = list(csv.DictReader(file))
  counts = scores["counts"]["overall"]
  assert len(rows) == counts["right"] + counts["wrong"]
  assert sum(int(row["right"]) for row in rows) == counts["right"]
  assert scores["method"] == method
  assert scores["false_alarms_per_minute"] == pytest.approx(counts["wrong"] / scores["minutes"])
  assert (scores["strs"] is None) == ("strs_is_null_because" in scores)
  assert all(int(row["onset"]) <= int(row["apex"]) <= int(row["offset"]) for row in rows)
  assert "drawn" in capsys.readouterr().out


@pytest.mark.parametrize(
  ("arguments", "wrong"),
  [
    (["--method=mdmdd"], "Did you mean 'mdmd'"),
    (["--threshold=0"], "threshold"),
    (["--model=ststnet_drawnn"], "model"),
  ],
)
def test_mistakes_have_a_message(corpus, tmp_path, arguments, wrong, capsys):
  assert spot.main([str(corpus), f"--out={tmp_path}", *arguments]) == 2
  assert wrong in capsys.readouterr().err


def test_a_folder_without_a_corpus_is_refused(tmp_path, capsys):
  assert spot.main([str(tmp_path), f"--out={tmp_path / 'out'}"]) == 3
  assert "no coding sheet" in capsys.readouterr().err
