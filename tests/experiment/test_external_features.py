"""Features from anywhere, from a file to the report."""

import csv
import json
import re
import subprocess
import sys

import numpy as np
import pytest

from mer_jax import evaluation, svm
from mer_jax.cli import score as command
from mer_jax.errors import ConfigError, DataError, WorkdirError
from mer_jax.experiment import external_features
from mer_jax.experiment.feature_table import collect, read

NAMES = ("negative", "positive", "surprise")


def table(n: int = 24, subjects: int = 4) -> dict[str, np.ndarray]:
  """features [N, 2, 3], labels and subjects as text, classes that can be told apart."""
  rng = np.random.default_rng(0)
  labels = np.arange(n) % 3
  features = rng.normal(size=(n, 2, 3)) + 1.5 * rng.normal(size=(3, 2, 3))[labels]
  people = np.array([f"s{i}" for i in np.arange(n) // 3 % subjects])
  return {"features": features, "labels": np.array(NAMES)[labels], "subjects": people}


def write(path, **arrays):
  np.savez(path, **arrays)
  return path


def test_a_file_leaves_what_a_run_leaves(tmp_path, capsys):
  file, workdir = write(tmp_path / "f.npz", **table()), tmp_path / "run"
  arguments = [str(file), f"--workdir={workdir}", "--cost=1", "--scale=standardise"]
  assert command.main(arguments) == 0
  said = capsys.readouterr().out
  assert "24 clips, 4 held-out subjects, 3 classes" in said
  assert "not calibrated" in said
  left = {path.name for path in workdir.iterdir()}
  assert left == {
    *("config.json", "environment.json", "predictions.csv", "metrics.json"),
    *("megc2019_seed0.log", "report.html", "figures"),
  }
  predictions = evaluation.read_csv(workdir / "predictions.csv")
  assert predictions.class_names == NAMES
  metrics = json.loads((workdir / "metrics.json").read_text())
  assert metrics == json.loads(json.dumps(evaluation.summarise(predictions)))
  config = json.loads((workdir / "config.json").read_text())["config"]
  assert (config["model"]["name"], config["model"]["cost"]) == ("svm", 1.0)
  page = (workdir / "report.html").read_text()
  assert "SVM (linear, C = 1) on features" in page
  assert "not calibrated" in page


def test_a_second_time_it_writes_the_same_and_another_run_is_refused(tmp_path, capsys):
  file, workdir = write(tmp_path / "f.npz", **table()), tmp_path / "run"
  arguments = [str(file), f"--workdir={workdir}", "--cost=1"]
  assert command.main(arguments) == 0
  before = (workdir / "predictions.csv").read_bytes()
  assert command.main(arguments) == 0
  assert (workdir / "predictions.csv").read_bytes() == before
  capsys.readouterr()
  assert command.main([*arguments, "--kernel=rbf"]) == WorkdirError.exit_code
  assert "model.kernel: 'linear' there, 'rbf' now" in capsys.readouterr().err
  write(file, **{**table(), "features": table()["features"] + 1})
  assert command.main(arguments) == WorkdirError.exit_code
  assert "other data" in capsys.readouterr().err
  assert (workdir / "predictions.csv").read_bytes() == before


def test_predictions_are_those_of_the_svm_whatever_the_order_of_rows(tmp_path):
  given = table()
  features, labels, subjects = given.values()
  scores = external_features.run(
    features, labels, subjects, tmp_path / "a", kernel="rbf", quiet=True
  )
  truth = np.searchsorted(NAMES, labels)
  held_out = subjects == np.unique(subjects)[:, None]
  expected = svm.loso(features, truth, held_out, 3, svm.Machine(kernel="rbf")).prediction
  assert scores["pooled"]["accuracy"] == pytest.approx((expected == truth).mean())
  order = np.random.default_rng(1).permutation(24)
  names = np.array([f"{n:02d}" for n in range(24)])[order]
  shuffled = (part[order] for part in given.values())
  external_features.run(*shuffled, tmp_path / "b", clips=names, kernel="rbf", quiet=True)
  texts = [(tmp_path / name / "predictions.csv").read_text() for name in "ab"]
  assert texts[0] == texts[1]


def test_a_subject_is_one_of_its_dataset(tmp_path):
  given = table(subjects=2)
  datasets = np.array([7, 8])[np.arange(24) % 2]
  scores = external_features.run(*given.values(), tmp_path, datasets=datasets, cost=1.0, quiet=True)
  assert scores["folds"] == 4
  assert set(scores["per_dataset"]) == {"7", "8"}
  with open(tmp_path / "predictions.csv", encoding="utf-8") as file:
    assert {row["dataset"] for row in csv.DictReader(file)} == {"7", "8"}


def test_labels_count_the_class_names_or_name_themselves():
  features, labels, subjects = table().values()
  numbers = np.searchsorted(NAMES, labels)
  named = collect(features, numbers, subjects, class_names=NAMES)
  assert named.class_names == NAMES
  own = collect(features, 5 * numbers - 5, subjects)
  assert own.class_names == ("-5", "0", "5")
  reordered = collect(features, labels, subjects, class_names=NAMES[::-1])
  np.testing.assert_array_equal(own.labels, named.labels)
  np.testing.assert_array_equal(reordered.labels, 2 - named.labels)
  as_bytes = collect(features, labels.astype("S"), subjects.astype("S"))
  assert as_bytes.class_names == NAMES
  assert as_bytes.fingerprint() == named.fingerprint()


def test_a_class_of_one_subject_is_told(tmp_path, capsys):
  features, labels, subjects = table().values()
  subjects = np.where(labels == "surprise", "s0", subjects)
  external_features.run(features, labels, subjects, tmp_path / "run", cost=1.0)
  assert "All clips of class surprise are of features/s0" in capsys.readouterr().out


def refused(arrays) -> dict[str, tuple[dict, str]]:
  nan = arrays["features"].copy()
  nan[5, 1, 2] = np.nan
  return {
    "no labels": ({"labels": None}, "lacks labels; it holds features, subjects"),
    "a typing error": ({"subject": arrays["subjects"]}, "Did you mean 'subjects'"),
    "NaN": ({"features": nan}, "row 5 .*column 5: nan"),
    "text": ({"features": arrays["labels"]}, "real numbers"),
    "fewer labels": ({"labels": arrays["labels"][1:]}, r"labels has the shape \(23,\)"),
    "more subjects": ({"subjects": np.arange(25)}, r"subjects has the shape \(25,\)"),
    "labels of 2 axes": ({"labels": arrays["labels"][:, None]}, r"labels has the shape \(24, 1\)"),
    "float labels": ({"labels": np.zeros(24)}, "labels must be whole numbers or text"),
    "float subjects": ({"subjects": np.zeros(24)}, "subjects must be whole numbers or text"),
    "one class": ({"labels": np.zeros(24, int)}, "two classes at least .*found 24 0"),
    "one subject": ({"subjects": np.zeros(24, int)}, "two subjects"),
    "objects": ({"labels": np.array(list(arrays["labels"]), object)}, "Python objects"),
    "an empty name": ({"subjects": np.array([""] * 24)}, "subjects is empty in row 0"),
    "a clip twice": ({"clips": np.array(["x"] * 24)}, "two predictions for features/s0/x"),
    "a line break": ({"clips": np.array([f"{n}\n" for n in range(24)])}, "line break"),
    "strange label": ({"class_names": np.array(NAMES[:2])}, "'surprise' in row 2"),
    "empty class": ({"class_names": np.array([*NAMES, "fear"])}, "0 fear"),
    "classes of one name": ({"class_names": np.array(["a", "a", *NAMES])}, "0 a"),
    "no UTF-8": ({"subjects": np.array([b"\xff"] * 24)}, "subjects is not text in UTF-8"),
  }


@pytest.mark.parametrize("case", refused(table()))
def test_mistakes_in_a_file_are_named_and_leave_nothing(case, tmp_path, capsys):
  change, said = refused(table())[case]
  arrays = {name: array for name, array in {**table(), **change}.items() if array is not None}
  file = write(tmp_path / "f.npz", **arrays)
  code = command.main([str(file), f"--workdir={tmp_path / 'run'}"])
  assert code == DataError.exit_code
  assert re.search(said, capsys.readouterr().err)
  assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("kind", ["absent", "one array", "text", "cut", "folder"])
def test_files_that_are_no_npz(kind, tmp_path, capsys):
  path = tmp_path / "f.npz"
  if kind == "one array":
    with open(path, "wb") as file:
      np.save(file, np.zeros(3))
  elif kind == "text":
    path.write_text("features,labels\n")
  elif kind == "cut":
    data = write(path, **table()).read_bytes()
    path.write_bytes(data[: len(data) // 2])
  elif kind == "folder":
    path.mkdir()
  code = command.main([str(path), f"--workdir={tmp_path / 'run'}"])
  assert code == DataError.exit_code
  said = capsys.readouterr().err
  assert str(path) in said
  assert "numpy.savez" in said


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_damaged_file_is_read_as_it_was_or_refused(save, tmp_path):
  path, given = tmp_path / "f.npz", table()
  save(path, **given)
  whole, rng = path.read_bytes(), np.random.default_rng(0)
  for _ in range(200):
    data = bytearray(whole)
    data[rng.integers(len(data))] ^= 1 << rng.integers(8)
    path.write_bytes(data)
    try:
      found = read(path)
    except DataError:
      continue
    for name, array in given.items():
      np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize(
  ("arguments", "said"),
  [
    ([], "--workdir"),
    (["f.npz"], "--workdir"),
    (["--workdir=x"], "FEATURES.npz"),
    (["a.npz", "b.npz", "--workdir=x"], "Unrecognized arguments: b.npz"),
    (["f.npz", "--workdir=x", "--krnel=rbf"], "Did you mean --kernel?"),
    (["f.npz", "--workdir=x", "--cost=much"], "cost"),
  ],
)
def test_mistakes_on_the_command_line(arguments, said, capsys):
  assert command.main([*arguments]) == ConfigError.exit_code
  assert said in capsys.readouterr().err


def test_options_are_checked_before_anything_is_written(tmp_path):
  with pytest.raises(ConfigError, match="'kernel'"):
    external_features.run(*table().values(), tmp_path / "run", kernal="rbf")
  with pytest.raises(ConfigError, match="cost"):
    external_features.run(*table().values(), tmp_path / "run", cost=-1.0)
  assert not (tmp_path / "run").exists()


def test_the_command_tells_its_use():
  done = subprocess.run(
    [sys.executable, "-m", "mer_jax.classify", "--help"], capture_output=True, text=True, check=True
  )
  assert "features [N, D]" in done.stdout
  assert "--workdir" in done.stdout
  assert done.stderr == ""
