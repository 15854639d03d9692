"""Configs by name and by path, their overrides, and the list of those that ship."""

import pytest

import mer_jax
from mer_jax.cli import command
from mer_jax.errors import ConfigError
from mer_jax.experiment import config_files, settings

MINE = '''
"""Mine."""
from mer_jax.experiment import config_files

def get_config(arg="casme2"):
  config = config_files.module("demo").get_config(arg)
  config.training.epochs = 3
  return config
'''


@pytest.mark.parametrize(
  ("name", "argument"),
  [(n, a) for n in config_files.names() for a in config_files.describe(n)[1]],
)
def test_every_shipped_config_takes_the_arguments_that_it_lists(name, argument):
  config = mer_jax.load_config(f"{name}:{argument}")
  for system in config.systems.values() if "systems" in config else [config]:
    settings.check(system)


@pytest.mark.parametrize("name", config_files.names())
def test_an_argument_that_is_not_listed_is_refused(name):
  with pytest.raises(ConfigError, match="Unknown config argument"):
    mer_jax.load_config(f"{name}:unheard_of")


def test_a_name_and_a_path_are_the_same_config():
  by_name = mer_jax.load_config("ststnet:casme2")
  for spec in (
    "ststnet.py:casme2",
    "configs/ststnet.py:casme2",
    f"{config_files.FOLDER}/ststnet.py:casme2",
  ):
    assert mer_jax.load_config(spec).to_dict() == by_name.to_dict()


def test_a_file_of_ones_own_comes_before_a_shipped_one_and_builds_on_it(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  (tmp_path / "demo.py").write_text(MINE)
  assert mer_jax.load_config("demo.py:samm").training.epochs == 3
  assert mer_jax.load_config("demo:samm").training.epochs == 60


@pytest.mark.parametrize(
  ("content", "message"),
  [
    ("x = 1", "gives no config: AttributeError"),
    ("def get_config(): return 1", "returned a int"),
    ("import unheard_of", "ModuleNotFoundError: No module named 'unheard_of'"),
    ("def get_config(arg):\n  return arg[9]", "IndexError"),
    ("def (", "SyntaxError"),
  ],
)
def test_a_file_that_gives_no_config_is_named(tmp_path, content, message):
  (tmp_path / "mine.py").write_text(content)
  with pytest.raises(ConfigError, match=message):
    mer_jax.load_config(
      f"{tmp_path / 'mine.py'}:x" if "arg" in content else str(tmp_path / "mine.py")
    )


def test_options_of_what_is_named_can_be_set_though_the_config_does_not_list_them():
  config = mer_jax.load_config("demo:casme2")
  assert "b2" not in config.optimizer
  config_files.override(
    config, ["--config.optimizer.name=adamw", "--config.optimizer.b2=0.95", "--config.seeds=3"]
  )
  assert (config.optimizer.name, config.optimizer.b2, config.seeds) == ("adamw", 0.95, 3)
  with pytest.raises(ConfigError, match="epoch"):
    config_files.override(config, ["--config.training.epoch=2"])


def test_the_list_names_all_and_one_shows_its_fields(capsys):
  assert command.main(["configs"]) == 0
  out = capsys.readouterr().out
  for name in config_files.names():
    first_line, arguments = config_files.describe(name)
    assert f"{name}\n  {first_line}" in out
    assert arguments[0] in out
  assert command.main(["configs", "ststnet:samm"]) == 0
  out = capsys.readouterr().out
  assert "--config.data.datasets=('samm',)" in out
  assert "--config.optimizer.learning_rate=5e-05" in out
