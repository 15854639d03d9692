"""A model, an input, a protocol and a target of somebody else's repository, named in a config."""

import pytest

import mer_jax
from mer_jax import checks, inputs, models
from mer_jax.errors import ConfigError
from mer_jax.experiment import sources, trainer

PARTS = '''
from typing import NamedTuple
import flax.linen as nn
import numpy as np
from mer_jax import inputs, protocols, targets
from mer_jax.models import layers


class Linear(nn.Module):
  num_classes: int
  width: int = 4
  takes = "image"

  @nn.compact
  def __call__(self, inputs, weights, *, train):
    x = inputs["image"].reshape(len(inputs["image"]), -1)
    return layers.dense(self.num_classes, "logits")(nn.relu(layers.dense(self.width, "hidden")(x)))


@inputs.declares(reads=("gray", "rgb"), gives=("image",))
def mean_frame(clips, *, size=8):
  arrays = inputs.make("padded_frames", clips, num_frames=4, size=size)
  return {"image": arrays["frames"].mean(axis=1)}


def happy_or_not(clips, *, allow_incomplete=False):
  split = protocols.split("three_class", clips, allow_incomplete=allow_incomplete)
  return split._replace(labels=(split.labels == 1).astype(np.int32), class_names=("other", "happy"))


class Smoothed(NamedTuple):
  """Cross-entropy with labels that are smoothed."""

  num_classes: int
  balance: str = "none"

  def loss(self, logits, labels, weights, focal_gamma=None):
    single = targets.SingleClass(self.num_classes, self.balance)
    return FACTOR * single.loss(logits, labels, weights, focal_gamma)

  clip_weights = targets.SingleClass.clip_weights
  is_correct = targets.SingleClass.is_correct
  probabilities = targets.SingleClass.probabilities


FACTOR = 0.9
'''
OWN = (
  "--config.model.name=my_package.parts:Linear",
  "--config.model.width=3",
  "--config.input.name=my_package.parts:mean_frame",
  "--config.input.size=6",
  "--config.protocol.name=my_package.parts:happy_or_not",
  "--config.training.target=my_package.parts:Smoothed",
)
CONFIG = '''
"""Everything of one's own."""
from mer_jax.experiment import settings

def get_config():
  config = settings.default()
  config.data.data_dir = "DATA"
  config.training.epochs = 2
  config.checkpoint.every_epochs = 1
  return config
'''


@pytest.fixture
def repository(tmp_path, data_dir):
  """A folder with a package and a config, outside this checkout."""
  package = tmp_path / "my_package"
  package.mkdir()
  (package / "__init__.py").touch()
  (package / "parts.py").write_text(PARTS)
  (tmp_path / "mine.py").write_text(CONFIG.replace("DATA", str(data_dir)))
  return tmp_path


def test_it_runs_and_a_change_of_it_stops_an_unfinished_run(repository, server):
  command = ("-m", "mer_jax", "train", "--config=mine.py", "--workdir=run", *OWN)
  done = server.run(command, repository)
  assert done.returncode == 0, done.stderr
  results = mer_jax.load_results(repository / "run")
  assert results.run.summary["classes"] == ["other", "happy"]
  (repository / "run" / "predictions.csv").unlink()  # as if stopped before its end
  parts = repository / "my_package" / "parts.py"
  parts.write_text(PARTS.replace("FACTOR = 0.9", "FACTOR = 0.8"))
  refused = server.run(command, repository)
  assert refused.returncode == 5
  assert "my_package/parts.py" in refused.stderr
  parts.write_text(PARTS.replace("FACTOR = 0.9", "FACTOR = 0.9  # smoothed"))
  assert server.run(command, repository).returncode == 0


REGISTERING = """
import flax.linen as nn
from mer_jax import models
from mer_jax.experiment import settings

WIDTH = 3

class Registered(nn.Module):
  num_classes: int
  takes = "frames"

  @nn.compact
  def __call__(self, inputs, weights, *, train):
    x = inputs["frames"].reshape(len(inputs["frames"]), -1)
    return nn.Dense(self.num_classes)(nn.Dense(WIDTH)(x))

def get_config():
  models.MODELS["registered"] = Registered
  config = settings.default()
  config.model.name = "registered"
  return config
"""


def test_a_model_that_a_config_file_registers_counts_among_the_sources(tmp_path, monkeypatch):
  monkeypatch.setattr(models, "MODELS", dict(models.MODELS))
  file = tmp_path / "mine.py"

  def digests(text):
    file.write_text(text)
    sources._module.cache_clear()
    config = mer_jax.load_config(str(file))
    model = trainer.build_model(config, 3)
    return sources.digests(trainer.roots(config, model, epochs_selected=False))

  before = digests(REGISTERING)
  assert digests(REGISTERING + "# a comment\n") == before
  after = digests(REGISTERING.replace("WIDTH = 3", "WIDTH = 4"))
  changed = {name for name in before if before[name] != after[name]}
  assert changed == {"mer_jax_config_own_mine.py:WIDTH"}


@pytest.mark.parametrize(
  ("name", "message"),
  [
    ("unheard_of", r"Unknown model 'unheard_of'.*package.module:Name"),
    ("unheard_of:Model", "cannot be imported: ModuleNotFoundError"),
    ("json:Model", "cannot be imported: AttributeError"),
    (":Model", "cannot be imported: ValueError"),
  ],
)
def test_what_cannot_be_imported_is_named(name, message):
  with pytest.raises(ConfigError, match=message):
    checks.look_up("model", name, {"a": 1})


def test_what_is_no_model_or_input_is_refused():
  with pytest.raises(ConfigError, match="a model is a class of flax"):
    models.find("json:dumps")
  with pytest.raises(ConfigError, match=r"decorate it with mer_jax\.inputs\.declares"):
    inputs.find("json:dumps")
