"""The kinds of cases. Each is a function of a `random.Random` and the `Ground` it works on."""

import contextlib
import io
import pathlib
import random
import shutil
import tempfile
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import hypothesis

import mer_jax
from mer_jax import inputs, models, protocols, recognizer
from mer_jax.cli import command
from mer_jax.errors import MerError
from mer_jax.experiment import config_files, dry_run, settings, sweep, variants
from mer_jax.recognizer import folder
from tests.builders import test_fuzz as trees
from tests.evaluation import audit_logs
from tests.fuzz import mutate
from tests.shared import trained_models

SMALL = (
  *("--config.devices=1", "--config.input.num_frames=6", "--config.input.size=16"),
  *("--config.model.channels=(2,3)", "--config.model.cnn_features=4", "--config.training.epochs=1"),
  *("--config.model.lstm_features=4", "--config.model.head_features=4"),
  "--config.training.fold_block=5",
)


# Those of small models; the first is the cheapest to try.
CONFIGS = (
  *("parallel_cnn_lstm", "demo", "parallel_cnn_lstm", "demo"),
  *("motion_net_scratch", "ststnet", "off_apexnet", "rcn", "sssnet", "pairwise_bilstm"),
)
CLAIMS = (".5", "50%", "0", "1.0", "-1", "x", "", "nan")
# Of what the fields of a config choose from.
NAMES = (
  *(*models.MODELS, "svm", *inputs.INPUTS, *inputs.APEXES, *protocols.PROTOCOLS),
  *("inner", "leaky_test_best", "loss", "adam", "adamw", "lion", "cosine", "step", "balanced"),
  *("class_weights", "ema", "swa", "linear", "clip", "stack", "conv3d", "td_gap", "sequential"),
  *("lstm", "pooled_8x8", "gated", "late", "group", "batch", "json:dumps", "casme2", "", "\ud800"),
)


class Ground(NamedTuple):
  """What cases start from: prepared data, and the workdir of a finished run on it."""

  data_dir: pathlib.Path
  run: pathlib.Path

  @property
  def arguments(self) -> list[str]:
    """Those of the run, without its workdir."""
    data_dir = f"--config.data.data_dir={self.data_dir}"
    return ["--config=parallel_cnn_lstm:casme2", data_dir, *SMALL]


def prepared(data_dir: pathlib.Path, root: pathlib.Path) -> Ground:
  """The ground on `data_dir`, where casme2 lies prepared; its run goes below `root`."""
  ground = Ground(data_dir, root / "run")
  _command("train", *ground.arguments, f"--workdir={ground.run}")
  return ground


def config(draw: random.Random, ground: Ground) -> None:
  """A config with values of any kind, tried as before a grid."""
  tried = config_files.load_config(f"{draw.choice(CONFIGS)}:casme2")
  tried.data.data_dir, tried.data.builder_config = str(ground.data_dir), "frames48"
  for _ in range(draw.randrange(1, 3)):
    line = draw.choice(config_files.as_text(tried))
    path = line.split("=")[0].removeprefix("--config.")
    if path not in ("data.data_dir", "data.cache_dir"):
      _set(draw, tried, path)
  settings.check(tried)
  for variant in variants.expand(tried)[:2]:
    settings_of_it = sweep.settings_of(variant.config)
    dry_run.check([("", settings_of_it[0].config)])


def workdir(draw: random.Random, ground: Ground) -> None:
  """A finished run, one of whose files was changed, is read in one of the ways there are."""
  with tempfile.TemporaryDirectory() as place:
    copy = pathlib.Path(place, "run")
    shutil.copytree(ground.run, copy)
    file = draw.choice(sorted(path for path in copy.rglob("*") if path.is_file()))
    small = [p for p in copy.iterdir() if p.suffix in (".json", ".jsonl", ".csv", ".log")]
    file = draw.choice((file, *sorted(small)))
    change = mutate.json_text if file.suffix in (".json", ".jsonl") else mutate.text
    file.write_bytes(change(draw, file.read_bytes()))
    way = draw.randrange(12)
    if way == 0:
      _command("train", *ground.arguments, f"--workdir={copy}")
    elif way == 1:
      (copy / "predictions.csv").unlink()
      _command("train", *ground.arguments, f"--workdir={copy}")
    elif way < 5:
      _command("compare", ground.run, copy)
    elif way < 7:
      _command("audit", copy, "--protocol=three_class")
    elif way < 9:
      results = mer_jax.load_results(copy)
      results.rows()
      _ = results.run.config
    else:
      mer_jax.load(copy, fold="casme2/sub01")


def model(draw: random.Random, ground: Ground) -> None:
  """A trained model whose model.json was changed, mostly with the seal that fits it."""
  del ground
  with tempfile.TemporaryDirectory() as place:
    recognizer.save(trained_models.ststnet(), place)
    file = pathlib.Path(place, folder.FACTS)
    text = mutate.json_text(draw, file.read_bytes())
    if draw.random() < 0.8:
      with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
        text = folder.sealed(text.decode()).encode("utf-8", "backslashreplace")
    file.write_bytes(text)
    recognizer.load(place)


def predictions(draw: random.Random, ground: Ground) -> None:
  """A predictions.csv that somebody changed, compared or audited."""
  with tempfile.TemporaryDirectory() as place:
    file = pathlib.Path(place, "predictions.csv")
    file.write_bytes(mutate.lines(draw, (ground.run / "predictions.csv").read_bytes()))
    if draw.random() < 0.5:
      options = draw.choice(([], ["--permutation=5"], [f"--workdir={place}/out"]))
      _command("compare", file, ground.run, *options)
    else:
      _command("audit", file, "--protocol=three_class", f"--claimed=uf1={draw.choice(CLAIMS)}")


def log(draw: random.Random, ground: Ground) -> None:
  """A published log, or lists and tables of predictions, with lines that were changed."""
  del ground
  rows = audit_logs.official_rows()[:: draw.randrange(1, 30)]
  header = ("db", "subject", "clip", "truth", "pred")
  forms: Mapping[str, Callable[[], str]] = {
    "log": lambda: audit_logs.text_of(rows),
    "table": lambda: "\n".join(",".join(map(str, row)) for row in (header, *rows)),
    "lists": lambda: f"truth: {[r[3] for r in rows]}\npredicted: {[r[4] for r in rows]}\n",
  }
  data = forms[draw.choice(sorted(forms))]().encode()
  with tempfile.TemporaryDirectory() as place:
    file = pathlib.Path(place, "any.log")
    file.write_bytes(mutate.lines(draw, data, draw.choice((b" ", b","))))
    _command("audit", file, *draw.choice(([], ["--pool"], [f"--workdir={place}/out"])))


def tree(draw: random.Random, ground: Ground) -> None:
  """A corpus on disk, by the tests of the builders."""
  del ground
  test = draw.choice((trees.test_casme2, trees.test_samm, trees.test_smic, trees.test_listing))
  handle: Any = getattr(test, "hypothesis")  # noqa: B009
  once = hypothesis.settings(
    max_examples=1,
    deadline=None,
    database=None,
    phases=[hypothesis.Phase.generate],
    suppress_health_check=list(hypothesis.HealthCheck),
  )
  again = once(hypothesis.given(**handle._given_kwargs)(handle.inner_test))
  hypothesis.seed(draw.randrange(2**32))(again)()


KINDS: Mapping[str, Callable[[random.Random, Ground], None]] = {
  "config": config,
  "workdir": workdir,
  "model": model,
  "predictions": predictions,
  "log": log,
  "tree": tree,
}


def run(seed: int, ground: Ground) -> str:
  """Runs the case of `seed`; returns its kind. Anything but an end or a message is raised."""
  draw = random.Random(seed)
  kind = draw.choice(sorted(KINDS))
  with contextlib.suppress(MerError):
    KINDS[kind](draw, ground)
  return kind


def kind_of(seed: int) -> str:
  """The kind of the case of `seed`."""
  return random.Random(seed).choice(sorted(KINDS))


def _set(draw: random.Random, tried: Any, path: str) -> None:
  section, _, key = path.rpartition(".")
  holder = settings.field(tried, section) if section else tried
  value = draw.choice(NAMES) if isinstance(holder[key], str) else mutate.like(draw, holder[key])
  if draw.random() < 0.3:  # as the command line does
    config_files.override(tried, [f"--config.{path}={value}"])
    return
  with tried.unlocked(), tried.ignore_type():
    holder[key] = value


def _command(*arguments: object) -> int:
  """The exit code of a command; what it would call a fault of ours is raised."""
  out, err = io.StringIO(), io.StringIO()
  with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
    code = command.main([*map(str, arguments), "--debug"])
  if "Not foreseen" in err.getvalue():
    raise AssertionError(err.getvalue())
  return code
