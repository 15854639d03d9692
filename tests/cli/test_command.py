"""The command `mer_jax`: its subcommands, their help, and how they end when something is wrong."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

import mer_jax
from mer_jax.cli import command, examples
from mer_jax.errors import ConfigError, Interrupted, MerError, WorkdirError
from mer_jax.runtime import command_line

ROOT = pathlib.Path(__file__).parents[2]
OLD_NAMES = ("mer_jax.main", "mer_jax.compare", "mer_jax.audit", "mer_jax.classify")


def run(*arguments, cwd, **environment):
  return subprocess.run(
    [sys.executable, *arguments],
    cwd=cwd,
    env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    capture_output=True,
    text=True,
    check=False,
  )


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"]])
def test_help_shows_an_example_of_every_subcommand(arguments, capsys):
  assert command.main(arguments) == 0
  out = capsys.readouterr().out
  for name in command.COMMANDS:
    assert re.search(rf"^  mer_jax {name}\b", out, re.MULTILINE)
    assert re.search(rf"^  {name} +\w", out, re.MULTILINE)


def test_help_loads_nothing_that_takes_time():
  heavy = ("argparse", "numpy", "jax", "ml_collections", "data_builders")
  code = (
    "import sys; from mer_jax.cli import command; command.main(['--help']);"
    f"print([m for m in {heavy!r} if m in sys.modules and m != 'argparse'], file=sys.stderr)"
  )
  assert run("-c", code, cwd=ROOT).stderr.strip() == "[]"


@pytest.mark.parametrize("name", command.COMMANDS)
def test_every_subcommand_explains_all_of_its_options(name, capsys):
  with pytest.raises(SystemExit) as ended:
    command.main([name, "-h"])
  assert ended.value.code == 0
  out = capsys.readouterr().out
  assert f"mer_jax {name}" in out.split("\n\n")[0]
  assert "example" in out
  for option in re.findall(r"^  (-\S+.*)$", out, re.MULTILINE):
    # Its meaning stands beside it, or on the next line.
    position = out.index(f"  {option}")
    after = out[position + 2 + len(option) :].lstrip("\n")
    assert re.search(r"\S  +\S", option) or re.match(r" {10,}\S", after), option


def test_examples_are_of_the_subcommands():
  assert set(examples.EXAMPLES) == set(command.COMMANDS)


@pytest.mark.parametrize(
  ("arguments", "code", "message"),
  [
    (["trian"], 2, "Unknown subcommand 'trian'. Did you mean 'train'"),
    (["train", "--confg=demo", "--workdir=x"], 2, "--config is missing"),
    (["train", "--config=demo:casme2"], 2, "--workdir is missing"),
    (["train", "--config=demoo:casme2", "--workdir=x"], 2, "Did you mean demo?"),
    (["train", "--config=a/demo.py", "--workdir=x"], 2, "There is no config file a/demo.py"),
    (
      ["train", "--config=nothing.py:casme2", "--workdir=x", "--config.seeds=2"],
      2,
      "There is no config file nothing.py",
    ),
    (["train", "--config=demo:casme3", "--workdir=x"], 2, "Did you mean 'casme2'"),
    (["train", "--config=demo", "--workdir=x", "--config.sed=2"], 2, "seed"),
    (["train", "--config=demo", "--workdir=x", "--config.seeds=many"], 2, "many"),
    (["train", "--config=demo", "--workdir=x", "--worker=2"], 2, "Unknown command line flag"),
    (["train", "--config=demo", "--workdir=x", "more"], 2, "Unexpected arguments ['more']"),
    (["train", "--config=demo", "--workdir=x", "--config.model.width=2"], 3, ""),
    (["build", "casme4"], 2, "--manual_dir"),
    (["build", "casme4", "--manual_dir=x", "--data_dir=y"], 2, "Did you mean 'casme2'"),
    (["synthetic", "casme4", "--out=x"], 2, "casme4"),
    (["configs", "dem"], 2, "Did you mean demo?"),
    (["compare"], 2, "RUN"),
    (["compare", "absent"], 3, "absent"),
    (["audit", "absent"], 3, "absent"),
    (["score", "absent.npz"], 2, "--workdir"),
    (["score", "absent.npz", "--workdir=x"], 3, "absent.npz"),
  ],
)
def test_mistakes_are_one_line_with_what_to_do(
  arguments, code, message, tmp_path, monkeypatch, capsys
):
  monkeypatch.chdir(tmp_path)
  monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "none"))
  monkeypatch.setattr(sys, "path", [*sys.path])
  assert command.main(arguments) == code
  err = capsys.readouterr().err
  assert message in err
  assert err.startswith("\nerror: ")
  assert len(err.strip().splitlines()) == 1
  assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
  ("error", "kind", "says"),
  [
    (ConfigError("as it is"), ConfigError, "error: as it is"),
    (FileNotFoundError(2, "No such file", "x.png"), WorkdirError, "x.png"),
    (KeyboardInterrupt(), Interrupted, "stopped: Ctrl-C"),
    (KeyError("three\nlines\n"), MerError, "Not foreseen, and so a fault of mer_jax: KeyError"),
  ],
)
def test_no_exception_is_a_traceback_unless_asked_for(error, kind, says, capsys):
  def fails(options):
    raise error

  parser = command_line.Parser(prog="any")
  assert command_line.execute(parser, fails, []) == kind.exit_code
  err = capsys.readouterr().err
  assert says in err
  assert len(err.strip().splitlines()) == 1
  assert command_line.execute(parser, fails, ["--debug"]) == kind.exit_code
  assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("module", ["mer_jax", *OLD_NAMES])
def test_modules_are_commands_too(module, tmp_path):
  done = run("-m", module, "--help", cwd=tmp_path)
  assert done.returncode == 0, done.stderr
  assert "mer_jax" in done.stdout


def test_the_package_shows_its_functions():
  assert {"run", "load_results", "load_config", "compare", "audit", "score"} <= set(dir(mer_jax))
  for name in mer_jax.__all__:
    assert getattr(mer_jax, name)
  with pytest.raises(AttributeError, match="no attribute 'rnu'"):
    _ = mer_jax.rnu
