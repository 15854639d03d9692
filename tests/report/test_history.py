import json

import numpy as np
import pytest

from mer_jax.report import curves, history


def line(chunk, seed=0, fold=0, loss=0.5, **changes):
  entry = {
    "chunk": chunk,
    "epoch": 5 * (chunk + 1),
    "step": 10 * (chunk + 1),
    "seed": seed,
    "fold": fold,
    "subject": f"casme2/sub{fold:02d}",
    "loss": loss,
    "accuracy": 1 - loss if loss is not None else None,
  }
  return json.dumps(entry | changes) + "\n"


def test_axes(tmp_path):
  path = tmp_path / "history.jsonl"
  order = [(c, s, f) for f in (1, 0) for s in (4, 3) for c in (0, 1, 2)]
  path.write_text("".join(line(c, s, f, loss=c + s / 10 + f / 100) for c, s, f in order))
  found = history.read(path)
  np.testing.assert_array_equal(found.epochs, [5, 10, 15])
  assert found.subjects == ["casme2/sub00", "casme2/sub01"]
  chunk, seed, fold = np.arange(3), np.array([3, 4])[:, None, None], np.arange(2)[:, None]
  np.testing.assert_allclose(found.loss, chunk + seed / 10 + fold / 100)
  np.testing.assert_allclose(found.accuracy, 1 - found.loss)


def test_a_killed_run(tmp_path):
  path = tmp_path / "history.jsonl"
  # Chunk 1 was written, then again after the run was resumed; the next kill cut a line in two.
  cut = line(2)[:25]
  path.write_text(line(0) + line(1, loss=9.0) + line(1, loss=0.4) + cut + line(2) + cut)
  found = history.read(path)
  np.testing.assert_array_equal(found.loss[0, 0], [0.5, 0.4])
  assert found.unreadable == 2


def test_gaps_and_values_that_are_not_finite(tmp_path):
  path = tmp_path / "history.jsonl"
  path.write_text(
    line(0)
    + line(0, fold=1, loss=float("nan"))
    + line(1, loss=float("inf"))
    + line(2, loss=None)
    + "[1, 2]\n"
    + '"text"\n'
    + line(3, subject=7)
    + line(4, epoch="5")
  )
  found = history.read(path)
  np.testing.assert_array_equal(found.loss[0], [[0.5, np.inf, np.nan], [np.nan, np.nan, np.nan]])
  assert found.unreadable == 4


@pytest.mark.parametrize("text", ["", "\n", line(0)[:30], "\udcff\udcfe"])
def test_nothing_to_read(tmp_path, text):
  (tmp_path / "history.jsonl").write_bytes(text.encode("utf-8", "surrogateescape"))
  assert history.read(tmp_path / "history.jsonl") is None
  assert history.read(tmp_path / "absent.jsonl") is None


def test_prior_leaves_the_held_out_subject_out(make_predictions):
  run = make_predictions(subjects=(("casme2", 3),), names=("a", "b"), clips_each=2, seeds=(0, 1))
  # Subject 0 shows class b twice, the others class a twice each.
  label = np.where(run.subject == "sub00", 1, 0)
  prior = curves.prior(run._replace(label=label), ["casme2/sub00", "casme2/sub01"])
  np.testing.assert_allclose(prior.loss, [0, np.log(2)], atol=1e-12)
  np.testing.assert_allclose(prior.accuracy, [1, 0.5])


def test_prior_leaves_the_held_out_corpus_out(make_predictions, tmp_path, make_workdir):
  run = make_predictions(subjects=(("casme2", 3), ("samm", 1), ("smic", 1)), names=("a", "b"))
  run = run._replace(fold=run.dataset, label=np.where(run.dataset == "samm", 1, 0))
  trained = history.read(make_workdir(run) / "history.jsonl")
  assert trained.subjects == ["casme2", "samm", "smic"]
  prior = curves.prior(run, trained.subjects)
  np.testing.assert_allclose(prior.accuracy, [0.5, 1, 0.75])
  np.testing.assert_allclose(prior.loss[:2], [np.log(2), 0], atol=1e-12)


def test_learned_counts_trainings_below_their_prior():
  loss = np.array([[[0.1, 0.5], [0.1, 0.7]], [[0.1, np.nan], [0.1, 0.2]]])
  trained = history.History(np.array([1, 2]), loss, 1 - loss, ["a", "b"], 0)
  reference = curves.Prior(np.array([0.6, 0.6]), np.array([0.5, 0.5]))
  assert curves.learned(trained, reference) == (2, 4)


def test_a_training_that_was_stopped(tmp_path):
  path = tmp_path / "history.jsonl"
  ended = {"loss": None, "stopped_at": 17}
  path.write_text(
    "".join(
      line(chunk, seed, fold, **(ended if (seed, fold) == (4, 1) and chunk else {}))
      for chunk in range(3)
      for seed in (3, 4)
      for fold in (0, 1)
    )
  )
  found = history.read(path)
  assert dict(found.stopped) == {(1, 1): 17}
  np.testing.assert_array_equal(found.loss[1, 1], [0.5, np.nan, np.nan])
  assert np.isfinite(found.loss).sum() == 10
  assert found.unreadable == 0
  assert curves.learned(found, curves.Prior(np.ones(2), np.ones(2))) == (3, 4)
