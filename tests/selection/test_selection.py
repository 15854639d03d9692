"""Whole runs that choose an epoch or a setting: honestly, or with the word leaky on everything."""

import dataclasses
import json
import shutil

import jax
import numpy as np
import pytest

from configs import parallel_cnn_lstm
from mer_jax import errors, evaluation
from mer_jax.experiment import data, run, variants
from mer_jax.experiment.selection import snapshots, train
from mer_jax.experiment.selection.options import INNER, LEAKY
from mer_jax.runtime import atomic

RATES = (0.0, 0.1)


def tiny(data_dir, name, epochs=6):
  """The paper's config, shrunk, and so eager that what it predicts changes from epoch to epoch."""
  config = parallel_cnn_lstm.get_config("casme2")
  config.data.data_dir = str(data_dir)
  config.input.name, config.input.num_frames, config.input.size = "onset_difference", 4, 16
  config.input.gain = 30.0
  config.model.channels, config.model.branch = (3,), "cnn"
  config.model.cnn_features = config.model.head_features = 4
  config.optimizer.learning_rate = 0.1
  config.training.epochs, config.training.batch_size = epochs, 5
  config.training.fold_block = 5
  config.training.balance = "class_weights"
  config.devices = 1
  config.checkpoint.every_epochs = 2
  config.selection.name = name
  config.selection.inner_folds = 2
  return config


@pytest.fixture(scope="module")
def leaky(data_dir, tmp_path_factory):
  """The workdir of a finished run with `leaky_test_best` over two seeds."""
  workdir = tmp_path_factory.mktemp("leaky") / "run"
  config = tiny(data_dir, LEAKY)
  config.seeds = 2
  run.run(config, workdir, quiet=True)
  return workdir


@pytest.fixture(scope="module")
def inner(data_dir, tmp_path_factory):
  """The workdir of a finished nested sweep."""
  workdir = tmp_path_factory.mktemp("inner") / "run"
  variants.run(nested(data_dir), workdir, quiet=True)
  return workdir


def nested(data_dir):
  config = tiny(data_dir, INNER)
  config.sweep.learning_rate = RATES
  return config


def selected(workdir, name="selection.json"):
  return json.loads((workdir / name).read_text())["selected"]


def test_beside_the_leaky_choice_everything_is_of_the_last_epoch(data_dir, leaky, tmp_path):
  config = tiny(data_dir, "last")
  config.seeds = 2
  run.run(config, tmp_path / "run", quiet=True)
  for name in ("predictions.csv", "metrics.json", "history.jsonl", "megc2019_seed1.log"):
    assert (tmp_path / "run" / name).read_bytes() == (leaky / name).read_bytes()
  more = {p.name for p in leaky.iterdir()} - {p.name for p in (tmp_path / "run").iterdir()}
  parts = ("snapshots.jsonl", "selection.json", "predictions.csv", "metrics.json")
  logs = ("megc2019_seed0.log", "megc2019_seed1.log")
  assert more == {f"leaky_test_best_{part}" for part in (*parts, *logs)}


def test_the_leaky_choice_is_marked_and_never_loses(data_dir, leaky, capsys):
  honest, chosen = (
    evaluation.read_csv(leaky / name)
    for name in ("predictions.csv", "leaky_test_best_predictions.csv")
  )
  right = [p.prediction == p.label for p in (honest, chosen)]
  for fold in {*zip(honest.seed, honest.subject, strict=True)}:
    mine = (honest.seed == fold[0]) & (honest.subject == fold[1])
    assert right[1][mine].sum() >= right[0][mine].sum()
  assert right[1].sum() > right[0].sum()
  summary = evaluation.summarise(chosen)
  stored = json.loads((leaky / "leaky_test_best_metrics.json").read_text())
  assert stored == json.loads(json.dumps(summary))
  config = tiny(data_dir, LEAKY)
  config.seeds = 2
  kept = {p.name: p.read_bytes() for p in leaky.glob("leaky*")}
  run.run(config, leaky)  # finished: reported again
  assert {p.name: p.read_bytes() for p in leaky.glob("leaky*")} == kept
  said, page = capsys.readouterr().out, (leaky / "report.html").read_text()
  gain = summary["pooled"]["uf1"] - evaluation.summarise(honest)["pooled"]["uf1"]
  for text in (said, page):
    assert "leaky gain" in text
    assert "Do not report them as results" in text
    assert f"{gain:+.4f}".replace("0.", ".") in text
  for line in said.splitlines():
    if f"{summary['pooled']['uf1']:.4f}".lstrip("0") in line:
      assert "leaky" in line
  assert (leaky / "figures" / "leaky_test_best.png").is_file()


def with_other_clips(split, fold, labels, noise=True):
  """`split` with other labels, and noise for frames, of the clips that `fold` holds out."""
  rng, held = np.random.default_rng(0), split.held_out[fold]
  frames = split.clips.frames.copy()
  for n in np.flatnonzero(held) if noise else ():
    part = slice(*split.clips.starts[n : n + 2])
    frames[part] = rng.integers(0, 256, frames[part].shape)
  changed = split.labels.copy()
  changed[held] = labels
  return split._replace(clips=dataclasses.replace(split.clips, frames=frames), labels=changed)


def test_labels_of_the_held_out_subject_move_the_leaky_choice_of_its_fold(data_dir, tmp_path):
  """Its training is the same bit by bit; what is reported of it is not."""
  config = tiny(data_dir, LEAKY)
  split = data.load_split(config)
  run.run(config, tmp_path / "run", quiet=True)
  epochs, looks = snapshots.read(tmp_path / "run" / "leaky_test_best_snapshots.jsonl")
  said = looks["probabilities"][:, 0].argmax(axis=-1)
  before = selected(tmp_path / "run", "leaky_test_best_selection.json")
  at = [epochs.index(entry["epoch"]) for entry in before]
  # What a fold said at another epoch, as the truth, makes that epoch its best.
  fold, other = next(
    (f, e)
    for f, held in enumerate(split.held_out)
    for e in range(1, len(epochs))
    if e != at[f] and not any(np.array_equal(said[e][held], look[held]) for look in said[:e])
  )
  held = split.held_out[fold]
  changed = with_other_clips(split, fold, said[other][held], noise=False)
  run.run(config, tmp_path / "changed", quiet=True, split=changed)
  after = selected(tmp_path / "changed", "leaky_test_best_selection.json")
  assert after[fold]["epoch"] == epochs[other] != before[fold]["epoch"]
  _, again = snapshots.read(tmp_path / "changed" / "leaky_test_best_snapshots.jsonl")
  np.testing.assert_array_equal(
    again["probabilities"][:, :, held], looks["probabilities"][:, :, held]
  )


def test_noise_and_other_labels_for_the_held_out_subject_move_no_bit_with_inner(
  data_dir, tmp_path, monkeypatch
):
  config, fold, states = nested(data_dir), 2, []
  original = train.training.train

  def spy(*args):
    states.append(original(*args))
    return states[-1]

  monkeypatch.setattr(train.training, "train", spy)
  split = data.load_split(config)
  labels = (split.labels[split.held_out[fold]] + 1) % 3
  for name, one in (("run", split), ("noise", with_other_clips(split, fold, labels))):
    run.run(config, tmp_path / name, quiet=True, split=one)
  found, noisy = (selected(tmp_path / name) for name in ("run", "noise"))
  assert found[fold] == noisy[fold]
  rows = [p * 2 * len(split.fold_names) + 2 * fold + i for p in range(2) for i in range(2)]
  (_, clean), (_, other) = (
    snapshots.read(tmp_path / name / "inner" / "snapshots.jsonl") for name in ("run", "noise")
  )
  for name in ("counts", "loss"):
    np.testing.assert_array_equal(clean[name][:, :, rows], other[name][:, :, rows])
    assert np.any(clean[name] != other[name])
  inner_before, final_before, inner_after, final_after = map(jax.tree.leaves, states)
  for before, after, mine in (
    (inner_before, inner_after, rows),
    (final_before, final_after, [fold]),
  ):
    for a, b in zip(before, after, strict=True):
      np.testing.assert_array_equal(np.asarray(a)[:, mine], np.asarray(b)[:, mine])


def test_a_sweep_with_inner_is_one_nested_result(data_dir, inner, capsys):
  summary = variants.run(nested(data_dir), inner)  # finished: reported again
  assert summary == run.run(nested(data_dir), inner, quiet=True)
  assert summary["clips"] == len(data.load_split(nested(data_dir)).labels)
  assert not list(inner.glob("learning_rate=*"))
  assert not (inner / "variants.html").exists()
  assert {p.name for p in (inner / "inner").iterdir()} == {
    "snapshots.jsonl",
    *(f"learning_rate={rate:g}" for rate in RATES),
  }
  found = selected(inner)
  assert [entry["fold"] for entry in found] == list(data.load_split(nested(data_dir)).fold_names)
  assert {entry["setting"] for entry in found} <= {f"learning_rate={rate:g}" for rate in RATES}
  rows = [json.loads(line) for line in (inner / "history.jsonl").read_text().splitlines()]
  for entry in found:
    epochs = [row["epoch"] for row in rows if row["subject"] == entry["fold"]]
    assert epochs == list(range(1, entry["epoch"] + 1))
  said, page = capsys.readouterr().out, (inner / "report.html").read_text()
  for text in (said, page):
    assert "Selected for every fold on 2 inner folds of its training subjects, by uf1" in text
  assert all(entry["setting"] in page for entry in found)
  assert "values of the loss are missing" not in page
  assert "leaky" not in said + page


class Killed(BaseException):
  """What nothing catches."""


def killing(monkeypatch, moment):
  """Ends whoever writes or removes a path that ends so: within a line, or before the rest."""

  def dying(write, is_append):
    def wrapped(path, data):
      if str(path).endswith(moment):
        if is_append:
          write(path, data[: len(data) // 2])
        raise Killed
      write(path, data)

    return wrapped

  monkeypatch.setattr(atomic, "append_text", dying(atomic.append_text, True))
  monkeypatch.setattr(atomic, "write_bytes", dying(atomic.write_bytes, False))
  rmtree = shutil.rmtree

  def removing(path, *args, **kwargs):
    if str(path).endswith(moment):
      raise Killed
    rmtree(path, *args, **kwargs)

  monkeypatch.setattr(shutil, "rmtree", removing)


def same_results(workdir, undisturbed):
  names = {p.relative_to(undisturbed) for p in undisturbed.rglob("*") if p.is_file()}
  files = {name for name in names if name.suffix in (".csv", ".json", ".jsonl", ".log")}
  files -= {name for name in files if name.parts[-1] == "environment.json"}
  for name in sorted(name for name in files if "checkpoints" not in name.parts):
    assert (workdir / name).read_bytes() == (undisturbed / name).read_bytes(), name
  left = {p.relative_to(workdir).parts[:2] for p in workdir.rglob("*")}
  assert left == {p.relative_to(undisturbed).parts[:2] for p in undisturbed.rglob("*")}


def test_killed_in_both_phases_it_ends_with_the_same_bytes(data_dir, inner, tmp_path, monkeypatch):
  workdir = tmp_path / "run"
  for moment in (
    "inner/snapshots.jsonl",
    "learning_rate=0.1/history.jsonl",
    "selection.json",
    "inner/checkpoints",
    "run/history.jsonl",
    "predictions.csv",
  ):
    with monkeypatch.context() as patch:
      killing(patch, moment)
      with pytest.raises(Killed):
        run.run(nested(data_dir), workdir, quiet=True)
  run.run(nested(data_dir), workdir, quiet=True)
  same_results(workdir, inner)


def test_killed_while_it_looks_at_held_out_clips(data_dir, leaky, tmp_path, monkeypatch):
  config = tiny(data_dir, LEAKY)
  config.seeds = 2
  for moment in ("snapshots.jsonl", "leaky_test_best_metrics.json"):
    with monkeypatch.context() as patch:
      killing(patch, moment)
      with pytest.raises(Killed):
        run.run(config, tmp_path / "run", quiet=True)
  run.run(config, tmp_path / "run", quiet=True)
  same_results(tmp_path / "run", leaky)


@pytest.mark.parametrize("which", ["leaky", "inner"])
def test_looks_that_are_lost_are_named(which, data_dir, request, tmp_path):
  workdir = tmp_path / "run"
  shutil.copytree(request.getfixturevalue(which), workdir)
  if which == "leaky":
    config, looks = tiny(data_dir, LEAKY), workdir / "leaky_test_best_snapshots.jsonl"
    config.seeds = 2
  else:
    config, looks = nested(data_dir), workdir / "inner" / "snapshots.jsonl"
  lines = looks.read_text().splitlines(keepends=True)
  looks.write_text("".join(lines[1:]))
  if which == "leaky":
    with pytest.raises(errors.WorkdirError, match=r"lacks snapshots .*\(1 of 6, .* epoch 1\)"):
      run.run(config, workdir, quiet=True)
  else:  # the first phase comes again, unless the run has ended
    run.run(config, workdir, quiet=True)
    assert looks.read_text() == "".join(lines[1:])
    (workdir / "predictions.csv").unlink()
    run.run(config, workdir, quiet=True)
    assert looks.read_text() == "".join(lines)


def test_a_setting_that_diverges_is_not_chosen(data_dir, tmp_path):
  config = tiny(data_dir, INNER)
  config.sweep.learning_rate = (1e30, 0.1)
  summary = run.run(config, tmp_path, quiet=True)
  assert not summary["missing"]
  assert {entry["setting"] for entry in selected(tmp_path)} == {"learning_rate=0.1"}


@pytest.mark.parametrize(
  ("field", "value", "says"),
  [
    ("selection.name", "best", "inner.*leaky_test_best"),
    ("selection.metric", "f1", "uf1"),
    ("selection.inner_folds", 1, "inner_folds is 1"),
    ("selection.inner_folds", 5, "inner_folds is 5, but fold casme2/sub01 learns from 4 subject"),
    ("selection.every_epochs", 0, "every_epochs is 0"),
    ("model.name", "svm", "config.selection.name is inner, but an SVM"),
  ],
)
def test_what_cannot_be_selected_by_is_named(data_dir, tmp_path, field, value, says):
  config = tiny(data_dir, INNER)
  config.update_from_flattened_dict({field: value})
  with pytest.raises(errors.ConfigError, match=says):
    run.run(config, tmp_path / "run", quiet=True)
  assert not (tmp_path / "run").exists()
