"""What decides whether a run may go on: the code that its training reaches, and nothing else."""

import importlib
import json
import sys

import pytest

from mer_jax import errors, models
from mer_jax.experiment import data, run, sources, trainer

# A package with a model, as somebody might keep it beside mer_jax.
FILES = {
  "engine.py": """
LIMIT = 3

def step(x):
  \"\"\"One step.\"\"\"
  return scale(x) + LIMIT  # a comment

def scale(x):
  return 2 * x

def metric(x):
  return x

scale.rule = str
""",
  "model.py": """
from outside.engine import step as take
from outside import extra

class Model:
  def __call__(self, x):
    return take(x) + extra.bias(x)
""",
  "extra.py": """
def bias(x):
  return x

def unused(x):
  return x
""",
  "__init__.py": "",
}


@pytest.fixture
def digest(tmp_path, monkeypatch):
  """Digests of what outside.model.Model reaches, after changes (file, old, new)."""
  monkeypatch.syspath_prepend(tmp_path)

  def of(*changes):
    for name, text in FILES.items():
      for file, old, new in changes:
        if file == name:
          assert old in text or not old
          text = text.replace(old, new) if old else text + new
      (tmp_path / "outside").mkdir(exist_ok=True)
      (tmp_path / "outside" / name).write_text(text)
    for name in [name for name in sys.modules if name.split(".")[0] == "outside"]:
      del sys.modules[name]
    importlib.invalidate_caches()
    sources._module.cache_clear()
    sources._path.cache_clear()
    return sources.digests([importlib.import_module("outside.model").Model])

  yield of
  sources._module.cache_clear()
  sources._path.cache_clear()


def test_what_is_named_is_reached_through_imports_and_aliases(digest):
  assert {*digest()} == {
    "outside/model.py:Model",
    "outside/engine.py:step",
    "outside/engine.py:scale",
    "outside/engine.py:LIMIT",
    "outside/extra.py:bias",
  }


@pytest.mark.parametrize(
  "change",
  [
    ("engine.py", "# a comment", "# another comment"),
    ("engine.py", "One step.", "A step."),
    ("engine.py", "return scale(x) + LIMIT", "return (scale(x) +\n    LIMIT)"),
    ("engine.py", "def metric(x):\n  return x", "def metric(x):\n  return -x"),
    ("extra.py", "", "\ndef new_metric(x):\n  return x\n"),
  ],
)
def test_comments_docstrings_layout_and_other_functions_do_not_count(digest, change):
  assert digest(change) == digest()


@pytest.mark.parametrize(
  ("change", "name"),
  [
    (("engine.py", "2 * x", "3 * x"), "outside/engine.py:scale"),
    (("engine.py", "LIMIT = 3", "LIMIT = 4"), "outside/engine.py:LIMIT"),
    (("engine.py", "scale.rule = str", "scale.rule = int\nscale(1)"), "outside/engine.py:scale"),
    (("extra.py", "def bias(x):\n  return x", "def bias(x):\n  return 0"), "outside/extra.py:bias"),
    (("model.py", "take(x) +", "take(x) -"), "outside/model.py:Model"),
  ],
)
def test_a_change_of_what_is_reached_is_seen_where_it_is(digest, change, name):
  before, after = digest(), digest(change)
  assert {key for key in before if before[key] != after[key]} == {name}


def reached(config):
  model = trainer.build_model(config, 3)
  return sources.digests(trainer.roots(config, model, epochs_selected=False))


def test_a_run_reaches_its_model_its_input_and_the_engine_and_no_other(config):
  names = {*reached(config)}
  assert {
    "mer_jax/training/fold.py:train_step",
    "mer_jax/training/program.py:_train",
    "mer_jax/targets/single_class.py:SingleClass",
    "mer_jax/models/parallel_cnn_lstm.py:ParallelCnnLstm",
    "mer_jax/models/layers/conv_pool.py:conv_pool_relu",
    "mer_jax/models/layers/conv_pool.py:_backward_of_fold",
    "mer_jax/inputs/padded_frames.py:padded_frames",
    "mer_jax/inputs/resize.py:resized",
    "mer_jax/protocols/three_class.py:three_class",
    "mer_jax/training/optimizers.py:Optimizer",
  } <= names
  folders = ("mer_jax/report/", "mer_jax/cli/", "mer_jax/evaluation/")
  assert [name for name in names if name.startswith(folders)] == []
  others = ("ststnet", "atnet", "hoof", "megc2018", "scores", "confusion")
  assert [name for name in names if name.rpartition(":")[2].lower() in others] == []


def test_registering_a_model_refuses_no_run(config, monkeypatch):
  before = reached(config)
  monkeypatch.setitem(models.MODELS, "another", models.MODELS["ststnet"])
  assert reached(config) == before


def stopped(config, path, monkeypatch):
  """A workdir whose run was stopped before its end."""

  def stop(*_):
    raise errors.Interrupted("stopped")

  with monkeypatch.context() as patch:
    patch.setattr(run, "write_results", stop)
    with pytest.raises(errors.Interrupted):
      run.run(config, path, quiet=True)


def with_other_code(path):
  file = path / "environment.json"
  stored = json.loads(file.read_text())
  stored["sources"]["mer_jax/training/fold.py:train_step"] = "of another version"
  file.write_text(json.dumps(stored))


def test_an_unfinished_run_of_other_code_goes_on_only_if_allowed(
  config, tmp_path, monkeypatch, capsys
):
  stopped(config, tmp_path / "run", monkeypatch)
  with_other_code(tmp_path / "run")
  with pytest.raises(errors.WorkdirError, match=r"fold\.py:train_step \(changed\)"):
    run.run(config, tmp_path / "run", quiet=True)
  config.checkpoint.allow_changed_code = True
  run.run(config, tmp_path / "run", quiet=True)
  assert "fold.py:train_step (changed); it goes on all the same" in capsys.readouterr().err
  run.run(config, tmp_path / "whole", quiet=True)
  first, second = ((tmp_path / name / "predictions.csv").read_bytes() for name in ("run", "whole"))
  assert first == second


def test_a_finished_run_is_reported_again_whatever_changed(config, tmp_path, monkeypatch, capsys):
  summary = run.run(config, tmp_path, quiet=True)
  with_other_code(tmp_path)
  kept = (tmp_path / "predictions.csv").read_bytes()
  (tmp_path / "metrics.json").unlink()
  monkeypatch.setattr(trainer, "build", None)  # nothing trains
  assert run.run(config, tmp_path) == summary
  assert "holds a finished run, which is reported again" in capsys.readouterr().out
  assert (tmp_path / "predictions.csv").read_bytes() == kept
  assert json.loads((tmp_path / "metrics.json").read_text())["clips"] == summary["clips"]
  monkeypatch.setattr(data, "fingerprint", lambda split: "another")
  with pytest.raises(errors.WorkdirError, match="other data"):
    run.run(config, tmp_path, quiet=True)
