"""Planted problems in which the last epoch, or a setting, is wrong: inner folds find that out."""

import json
import types

import numpy as np

from mer_jax.experiment import settings, trainer
from mer_jax.experiment.selection.options import INNER
from mer_jax.protocols.split import Split


def selected(workdir):
  return json.loads((workdir / "selection.json").read_text())["selected"]


def planted(shown, noisy=0.0):
  """Four subjects with twelve images each, the class as their colour; `noisy` of them mislabelled.

  Returns:
    Split and arrays.
  """
  rng = np.random.default_rng(0)
  truth = rng.integers(0, 3, 48)
  image = (
    rng.random((48, 6, 6, 3), np.float32)
    + shown * np.eye(3, dtype=np.float32)[truth][:, None, None]
  )
  labels = np.where(rng.random(48) < noisy, rng.integers(0, 3, 48), truth).astype(np.int32)
  subject = np.array([f"{s}" for s in np.repeat(range(4), 12)])
  clips = types.SimpleNamespace(dataset=np.full(48, "casme2"), subject=subject)
  held_out = subject == np.arange(4).astype(str)[:, None]
  names = tuple(f"casme2/{s}" for s in range(4))
  return Split(clips, labels, ("a", "b", "c"), held_out, names, ()), {"image": image}


def learned(split, arrays, folder, epochs, rates, metric, every=1):
  """float32 [N, K], what STSTNet says with the choices of inner folds."""
  config = settings.default()
  config.model = {"name": "ststnet", "dropout": 0.0}
  config.sweep.learning_rate = rates
  config.training.epochs, config.training.batch_size, config.devices = epochs, 16, 1
  config.selection.update(name=INNER, inner_folds=3, metric=metric, every_epochs=every)
  config.checkpoint.every_epochs = epochs
  model = trainer.build_model(config, 3)
  (by_clip,) = trainer.build(config, split, arrays, model).train(folder)
  return by_clip[0]


def test_inner_rejects_a_learning_rate_that_learns_nothing(tmp_path):
  split, arrays = planted(shown=1.0)
  found = learned(split, arrays, tmp_path, 25, (1e-6, 0.02), "uf1")
  assert {entry["setting"] for entry in selected(tmp_path)} == {"learning_rate=0.02"}
  assert np.mean(found.argmax(axis=-1) == split.labels) > 0.8


def test_inner_stops_before_it_knows_by_heart_what_is_mislabelled(tmp_path):
  split, arrays = planted(shown=0.3, noisy=0.6)
  early = learned(split, arrays, tmp_path / "early", 60, (0.04, 0.03), "loss")
  # Who looks at the last epoch alone has none to choose from.
  late = learned(split, arrays, tmp_path / "late", 60, (0.04, 0.03), "loss", every=60)
  assert max(entry["epoch"] for entry in selected(tmp_path / "early")) < 40
  assert {entry["epoch"] for entry in selected(tmp_path / "late")} == {60}
  truth = np.arange(48), split.labels
  assert -np.log(early[truth]).mean() < 0.8 * -np.log(late[truth]).mean()
