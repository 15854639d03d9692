"""The command that compares finished runs, from predictions.csv to the page."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from mer_jax import evaluation
from mer_jax.cli import compare as command
from mer_jax.errors import ConfigError, DataError
from mer_jax.evaluation import remarks
from mer_jax.evaluation.predictions import Predictions, select
from mer_jax.experiment import comparison
from mer_jax.protocols import completeness

NAMES = ("negative", "positive", "surprise")
DATASETS = ("casme2", "samm")


def predictions(right=0.6, seeds=(0,), model=0, people=40) -> Predictions:
  """What a model says that is right on a share of the clips of 2 x `people` / 2 subjects."""
  random = np.random.default_rng(1)
  clips = [(DATASETS[s % 2], f"s{s:02d}", f"c{c}") for s in range(people) for c in range(s % 9 + 2)]
  label = random.choice(3, len(clips), p=(0.5, 0.3, 0.2))
  random = np.random.default_rng((2, model))
  n = len(clips) * len(seeds)
  label = np.tile(label, len(seeds))
  prediction = np.where(random.random(n) < right, label, (label + random.integers(1, 3, n)) % 3)
  p = np.where(prediction[:, None] == np.arange(3), 0.8, 0.1).astype(np.float32)
  dataset, subject, clip = np.tile(np.array(clips), (len(seeds), 1)).T
  seed = np.repeat(np.array(seeds), len(clips))
  return Predictions(seed, dataset, subject, clip, label, prediction, p, NAMES)


@pytest.fixture
def write_run(tmp_path):
  def make(name, run: Predictions) -> pathlib.Path:
    evaluation.write_csv(tmp_path / "runs" / name / "predictions.csv", run)
    return tmp_path / "runs" / name

  return make


def stopped(run: Predictions, rows: np.ndarray) -> Predictions:
  p = np.where(rows[:, None], np.nan, run.probabilities).astype(np.float32)
  return run._replace(prediction=np.where(rows, -1, run.prediction), probabilities=p)


def test_the_command_line(write_run, tmp_path):
  runs = [write_run("flow", predictions(0.7)), write_run("frames", predictions(0.5, model=1))]
  command = [sys.executable, "-W", "error", "-m", "mer_jax.compare", *map(str, runs)]
  done = subprocess.run(
    [*command, f"--workdir={tmp_path / 'out'}", "--permutation=50", "--level=0.9"],
    capture_output=True,
    text=True,
    check=False,
    cwd=pathlib.Path(__file__).parents[2],
  )
  assert (done.returncode, done.stderr) == (0, "")
  assert "frames minus flow" in done.stdout
  assert "90 % interval" in done.stdout
  assert str(tmp_path / "out" / "comparison.html") in done.stdout
  content = json.loads((tmp_path / "out" / "comparison.json").read_text())
  assert content == comparison.compare(runs, level=0.9, permutations=50)
  assert [run["name"] for run in content["runs"]] == ["flow", "frames"]
  left = {path.name for path in (tmp_path / "out").iterdir()}
  assert left == {"comparison.csv", "comparison.html", "comparison.json", "figures"}


def test_scores_are_those_of_the_runs(write_run):
  runs = [predictions(0.7, seeds=(0, 1)), predictions(0.5, seeds=(4, 5, 6), model=1)]
  content = comparison.compare(
    [write_run("a", runs[0]), write_run("b", runs[1]) / "predictions.csv"]
  )
  assert (content["clips"], content["subjects"]) == (len(runs[0].clip) // 2, 40)
  for run, compared in zip(runs, content["runs"], strict=True):
    pooled = evaluation.summarise(run)["pooled"]
    assert compared["seeds"] == np.unique(run.seed).tolist()
    for key, entry in compared["scores"].items():
      assert entry["mean"] == pytest.approx(pooled[key])
      assert entry["std"] == pytest.approx(pooled["std"][key])
      assert entry["interval"] == pooled["interval"][key]
  (pair,) = content["comparisons"]
  assert pair["mcnemar"] is None
  for key, entry in pair["scores"].items():
    first, second = (run["scores"][key]["mean"] for run in content["runs"])
    assert entry["difference"] == pytest.approx(second - first)
    assert entry["interval"][1] < 0
    assert entry["p"] == entry["p_holm"] < 0.01
  assert any("different numbers of seeds" in remark for remark in content["remarks"])


def test_a_run_with_itself(write_run, capsys):
  run = str(write_run("a", predictions(seeds=(0, 1))))
  assert command.main([run, run]) == 0
  assert "a (2) minus a" in capsys.readouterr().out
  (pair,) = comparison.compare([run, run])["comparisons"]
  for entry in pair["scores"].values():
    assert entry == {"difference": 0, "interval": [0, 0], "p": 1, "p_holm": 1}


def test_one_run_alone(write_run, capsys):
  run = str(write_run("a", predictions(0.9)))
  assert command.main([run, "--permutation=99"]) == 0
  printed = capsys.readouterr().out
  assert "labels shuffled within each subject" in printed
  assert "minus" not in printed
  content = comparison.compare([run], permutations=99)
  assert content["comparisons"] == []
  assert content["runs"][0]["chance"]["subjects"]["uf1"]["p"] == pytest.approx(0.01)
  assert comparison.compare([run])["runs"][0]["chance"] is None


def test_several_pairs_are_corrected(write_run):
  runs = [write_run(f"r{i}", predictions(0.6, model=i)) for i in range(3)]
  first, every = (comparison.compare(runs, pairs=pairs) for pairs in ("first", "all"))
  names = [(pair["b"], pair["a"]) for pair in every["comparisons"]]
  assert names == [("r1", "r0"), ("r2", "r0"), ("r2", "r1")]
  assert [(p["b"], p["a"]) for p in first["comparisons"]] == names[:2]
  for content in (first, every):
    for tests in (
      [pair["scores"]["uf1"] for pair in content["comparisons"]],
      [pair["mcnemar"] for pair in content["comparisons"]],
    ):
      lowest = min(tests, key=lambda test: test["p"])
      assert lowest["p_holm"] == pytest.approx(min(lowest["p"] * len(tests), 1))
      assert all(test["p_holm"] >= test["p"] for test in tests)


def test_one_dataset(write_run):
  runs = [predictions(0.7), predictions(0.5, model=1)]
  inside = [select(run, run.dataset == "samm") for run in runs]
  paths = [write_run(name, run) for name, run in zip("ab", runs, strict=True)]
  alone = [write_run(name, run) for name, run in zip("cd", inside, strict=True)]
  content, expected = comparison.compare(paths, dataset="samm"), comparison.compare(alone)
  assert content["datasets"] == ["samm"]
  assert content["clips"] == content["clips_in_all"] == len(inside[0].clip)
  for run, other in zip(content["runs"], expected["runs"], strict=True):
    assert run["scores"] == other["scores"]
  assert content["comparisons"][0]["scores"] == expected["comparisons"][0]["scores"]


def test_gaps_are_left_out_of_all_runs(write_run):
  run, other = predictions(0.7, seeds=(0, 1, 2)), predictions(0.5, model=1)
  rows = (run.seed == 1) & (run.subject == "s08") | (run.seed == 2)
  content = comparison.compare([write_run("a", stopped(run, rows)), write_run("b", other)])
  assert content["runs"][0]["seeds"] == [0, 1]
  assert content["clips_in_all"] - content["clips"] == (other.subject == "s08").sum()
  assert content["subjects"] == 39
  remark = content["remarks"][0]
  assert "10 of 230 clips are left out for all runs: folds were stopped in a," in remark
  kept = select(other, other.subject != "s08")
  pooled = evaluation.summarise(kept)["pooled"]
  assert content["runs"][1]["scores"]["uf1"]["mean"] == pytest.approx(pooled["uf1"])


def test_runs_with_corpora_held_out(write_run):
  complete = [predictions(model=i) for i in range(2)]
  plain = comparison.compare([write_run(f"s{i}", run) for i, run in enumerate(complete)])
  runs = [write_run(f"c{i}", run._replace(fold=run.dataset)) for i, run in enumerate(complete)]
  content = comparison.compare(runs)
  for key in ("clips", "subjects", "remarks"):
    assert content[key] == plain[key]
  for ours, theirs in zip(content["comparisons"], plain["comparisons"], strict=True):
    assert ours["scores"] == theirs["scores"]
  mixed = comparison.compare([write_run("s", complete[0]), *runs])
  (remark,) = mixed["remarks"]
  assert remark.startswith("c0, c1: the folds are others than in s,")


def test_few_subjects_are_told(write_run):
  runs = [write_run(str(i), predictions(model=i, people=5)) for i in range(2)]
  content = comparison.compare(runs)
  assert any("With 5 subjects, p cannot fall below 0.0625" in text for text in content["remarks"])


@pytest.mark.parametrize(
  ("change", "says"),
  [
    (lambda run: select(run, run.subject != "s07"), "9 in a only (samm/s07/c0, samm/s07/c1"),
    (lambda run: run._replace(clip=np.char.add(run.clip, "x")), "in b only (casme2/s00/c0x"),
    (lambda run: run._replace(label=(run.label + 1) % 3), "230 labelled otherwise (casme2/s00/c0"),
    (lambda run: run._replace(class_names=("negative", "others", "surprise")), "others"),
    (lambda run: stopped(run, run.label >= 0), "every fold was stopped"),
    (lambda run: stopped(run, run.dataset == "samm"), "No clip was predicted by every seed"),
  ],
)
def test_runs_that_cannot_be_compared(write_run, capsys, change, says):
  run = predictions()
  if "every seed" in says:
    first = write_run("a", stopped(run, run.dataset == "casme2"))
  else:
    first = write_run("a", run)
  second = write_run("b", change(predictions(model=1)))
  assert command.main([str(first), str(second)]) == DataError.exit_code
  printed = capsys.readouterr()
  assert says in printed.err
  assert printed.out == ""


@pytest.mark.parametrize(
  ("options", "code", "says"),
  [
    (["--level=95"], ConfigError.exit_code, "level is 95.0"),
    (["--pairs=each"], ConfigError.exit_code, "Known: all, first"),
    (["--permutation=-1"], ConfigError.exit_code, "permutation is -1"),
    (["--dataset=sam"], DataError.exit_code, "Did you mean 'samm'?"),
    (["elsewhere"], DataError.exit_code, "Cannot read the predictions in elsewhere"),
  ],
)
def test_mistakes_on_the_command_line(write_run, capsys, tmp_path, options, code, says):
  run = str(write_run("a", predictions()))
  out = tmp_path / "out"
  assert command.main([run, f"--workdir={out}", *options]) == code
  assert says in capsys.readouterr().err
  assert not out.exists()


def test_the_warning_of_synthetic_clips_is_repeated(write_run):
  runs = [write_run(name, predictions()) for name in "ab"]
  warning = completeness.SYNTHETIC_REMARK
  assert warning not in " ".join(comparison.compare(runs)["remarks"])
  remarks.write(runs[0], ["Something else.", warning])
  assert comparison.compare(runs)["remarks"][0] == f"a: {warning}"
  remarks.write(runs[1], [warning])
  files = [run / "predictions.csv" for run in runs]
  assert comparison.compare(files)["remarks"] == [warning]


@pytest.mark.parametrize("text", ["", "{", "7", '{"a": 1}', '["x", 3]'])
def test_damaged_remarks_change_no_number(write_run, text):
  run = write_run("a", predictions())
  before = comparison.compare([run])
  (run / remarks.FILE).write_text(text)
  assert comparison.compare([run]) == before


def write_config(run, **fields):
  config = {"training": {"epochs": 5, "fold_block": 0}, "model": {"name": "x"}, **fields}
  (run / "config.json").write_text(json.dumps({"hash": "0", "config": config}))


def test_config_fields_that_differ(write_run):
  runs = [write_run(name, predictions()) for name in "abcd"]
  write_config(runs[0])
  write_config(runs[1], training={"epochs": 7, "fold_block": 3}, selection={"name": "inner"})
  (runs[2] / "config.json").write_text("{")
  assert comparison.compare(runs)["config"] == {
    "fields": [  # fold_block says how, not what
      {"field": "training.epochs", "values": ["5", "7", None, None]},
      {"field": "selection.name", "values": [None, "inner", None, None]},
    ],
    "absent": ["c", "d"],
  }
  write_config(runs[1])
  assert comparison.compare(runs[:2])["config"] == {"fields": [], "absent": []}


def with_prediction(run: Predictions, changes) -> Predictions:
  """`run`, every clip right but those of `changes`: (seed, clip's row) -> class."""
  prediction = run.label.copy()
  n = len(run.clip) // len(np.unique(run.seed))
  for (seed, row), k in changes.items():
    prediction[seed * n + row] = k
  return run._replace(prediction=prediction)


def test_clips_that_changed_sides(write_run):
  run = predictions()
  wrong = (run.label + 1) % 3
  a = with_prediction(run, {(0, 4): wrong[4], (0, 9): wrong[9]})
  b = with_prediction(run, {(0, 9): wrong[9], (0, 0): wrong[0]})
  content = comparison.compare([write_run("a", a), write_run("b", b)])
  (pair,) = content["comparisons"]
  assert [
    (entry["right"], "/".join(entry[key] for key in ("dataset", "subject", "clip")))
    for entry in sorted(pair["changed"], key=lambda entry: entry["right"])
  ] == [
    ("a", f"{run.dataset[0]}/{run.subject[0]}/{run.clip[0]}"),
    ("b", f"{run.dataset[4]}/{run.subject[4]}/{run.clip[4]}"),
  ]
  for entry, row in zip(
    sorted(pair["changed"], key=lambda entry: entry["right"]), (0, 4), strict=True
  ):
    assert entry["truth"] == entry[entry["right"]] == NAMES[run.label[row]]
    assert entry["b" if entry["right"] == "a" else "a"] == NAMES[wrong[row]]
  assert pair["mcnemar"]["a_only"] == pair["mcnemar"]["b_only"] == 1


def test_of_several_seeds_more_than_half_must_agree(write_run):
  several, single = predictions(seeds=(0, 1)), predictions()
  wrong = (single.label + 1) % 3
  a = with_prediction(several, {(0, 0): wrong[0], (0, 1): wrong[1], (1, 1): wrong[1]})
  content = comparison.compare([write_run("a", a), write_run("b", with_prediction(single, {}))])
  (entry,) = content["comparisons"][0]["changed"]  # one seed of two is no side
  assert (entry["clip"], entry["right"]) == (str(single.clip[1]), "b")
  assert entry["a"] == f"{NAMES[wrong[1]]} 2"


def test_a_folder_of_runs_is_no_run(write_run):
  folder = write_run("a", predictions()).parent
  write_run("b", predictions())
  with pytest.raises(DataError, match=r"is no run but the folder of 2: a, b\. Name those"):
    comparison.compare([folder])


def test_names_are_what_tells_the_runs_apart(write_run):
  paths = [write_run(name, predictions()) for name in ("x/one/run", "y/one/run", "y/two/run")]
  names = [run["name"] for run in comparison.compare(paths)["runs"]]
  assert names == ["x/one/run", "y/one/run", "y/two/run"]
  names = [run["name"] for run in comparison.compare(paths[1:])["runs"]]
  assert names == ["one/run", "two/run"]


def test_the_table_alone_draws_nothing(write_run):
  run = write_run("a", predictions())
  code = (
    "import sys; from mer_jax.cli import compare;"
    f" assert compare.main([{str(run)!r}]) == 0; assert 'matplotlib' not in sys.modules"
  )
  root = pathlib.Path(__file__).parents[2]
  subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=root)
