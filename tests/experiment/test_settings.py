"""Configs: every field known, every file in configs/ usable, mistakes named."""

import importlib
import pathlib

import pytest
from ml_collections import config_dict

from mer_jax.errors import ConfigError
from mer_jax.experiment import config_files, corpora, identity, settings

CONFIGS = sorted(
  path.stem
  for path in (pathlib.Path(__file__).parents[2] / "configs").glob("*.py")
  # but for tables of configs
  if path.stem not in ("__init__", "table1", "table2", "recognition", "composite", "ablation")
)
# Those of drawn motion alone take no corpus.
OF_CORPORA = [name for name in CONFIGS if not name.endswith("_drawn")]


@pytest.mark.parametrize("arg", corpora.CORPORA)
@pytest.mark.parametrize("name", OF_CORPORA)
def test_every_config_takes_every_corpus(name, arg):
  config = importlib.import_module(f"configs.{name}").get_config(arg)
  settings.check(config)
  assert config.data.datasets == corpora.CORPORA[arg][0]


@pytest.mark.parametrize("name", CONFIGS)
def test_every_config_opens_with_paper_command_time_and_score(name):
  text = importlib.import_module(f"configs.{name}").__doc__
  for word in ("Paper:", "Command:", "Time:", "Score:"):
    assert word in text


@pytest.mark.parametrize("name", OF_CORPORA)
def test_an_unknown_argument_lists_the_known(name):
  with pytest.raises(ConfigError, match="casme2"):
    importlib.import_module(f"configs.{name}").get_config("casme")


@pytest.mark.parametrize(
  ("field", "value", "says"),
  [
    ("training.epochs", 0, "epochs is 0; it must be >= 1"),
    ("training.batch_size", 0, "batch_size"),
    ("seeds", 0, "seeds"),
    ("training.schedule", "sharde", "shared"),
    ("training.balance", "weights", "class_weights"),
    ("data.datasets", (), "empty"),
  ],
)
def test_values_out_of_range_are_named(field, value, says):
  config = settings.default()
  config.update_from_flattened_dict({field: value})
  with pytest.raises(ConfigError, match=says):
    settings.check(config)


def test_an_unknown_field_is_named_with_its_nearest():
  config = settings.default()
  config.training.epoch = 5
  with pytest.raises(ConfigError, match=r"training\.epoch'. Did you mean 'training\.epochs'"):
    settings.check(config)


def test_a_missing_field_is_named():
  config = settings.default()
  del config.training.epochs
  with pytest.raises(ConfigError, match=r"training\.epochs"):
    settings.check(config)


def test_where_and_how_do_not_change_what_a_run_is():
  config = settings.default()
  digest = identity.digest(settings.to_json(config))
  config.devices = 3
  config.data.data_dir = "elsewhere"
  config.training.fold_block = 2
  assert identity.digest(settings.to_json(config)) == digest
  config.training.epochs = 7
  assert identity.digest(settings.to_json(config)) != digest


def test_options_are_all_fields_but_the_name():
  section = config_dict.ConfigDict({"name": "x", "size": 3})
  assert settings.options(section) == {"size": 3}


@pytest.mark.parametrize(
  ("assignment", "near"),
  [
    ("training.lr=0.1", "config.optimizer.learning_rate"),
    ("epochs=3", "config.training.epochs"),
    ("training.epoch=3", "config.training.epochs"),
    ("optimiser.name=adam", "config.optimizer.name"),
  ],
)
def test_an_unknown_field_of_the_command_line_is_answered_with_the_nearest(assignment, near):
  with pytest.raises(ConfigError, match=r"There is no config\.") as error:
    config_files.override(settings.default(), [f"--config.{assignment}"])
  assert f"({near})?" in str(error.value)
  section = "training" if assignment.startswith("training") else ""
  listed = settings.default()[section] if section else settings.default()
  assert ", ".join(sorted(listed)) in str(error.value)
