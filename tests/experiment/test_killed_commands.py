"""Every command that trains or predicts, killed at many moments: run again, it leaves the same."""

import os
import pathlib
import random
import signal

import pytest
from fork_server import ForkServer

REPOSITORY = pathlib.Path(__file__).parents[2]
# Dies before the moment'th thing that it does to files; without a moment it counts them.
CHILD = """
import os, runpy, signal, sys
moment, counted = int(sys.argv[1]), sys.argv[2]
sys.argv = ["mer_jax", *sys.argv[3:]]
done = 0

def hook(event, arguments):
  global done
  if event == "open":
    if not isinstance(arguments[2], int) or not arguments[2] & (os.O_WRONLY | os.O_RDWR):
      return
  elif event not in ("os.rename", "os.mkdir", "os.remove", "os.rmdir"):
    return
  if arguments[0] == counted:
    return
  done += 1
  if done == moment:
    os.kill(os.getpid(), 9)

sys.addaudithook(hook)
try:
  runpy.run_module("mer_jax", run_name="__main__", alter_sys=True)
finally:
  if not moment:
    with open(counted, "w") as file:
      file.write(str(done))
"""
SMALL = {
  "input.num_frames": 4,
  "input.size": 8,
  "model.channels": "2,3",
  "model.cnn_features": 4,
  "model.lstm_features": 4,
  "model.head_features": 4,
  "training.epochs": 3,
  "checkpoint.every_epochs": 1,
}
TRAIN = {
  "sweep": {"sweep.learning_rate": "0.01,0.02"},
  "leaky": {"selection.name": "leaky_test_best"},
  "inner": {"selection.name": "inner", "selection.inner_folds": 2},
  "variants": {"variants.field": "model.branch", "variants.values": "'cnn','lstm'"},
  "start": {},
  "fit": {},
}
GRID = """
from mer_jax.experiment import config_files, settings

def get_config():
  grid = settings.grid()
  grid.corpora = ("casme2",)
  for branch in ("cnn", "lstm"):
    config = config_files.module("parallel_cnn_lstm").get_config("casme2")
    config.update_from_flattened_dict(SMALL | {"model.branch": branch, "model.channels": (2, 3)})
    config.data.builder_config = "frames48"
    settings.add_system(grid, branch, config)
  return grid
"""
# What differs from run to run, or lists times.
IGNORED = (
  "environment.json",
  "times.json",
  "results",
  "model.json",
  ".html",
  ".png",
  "checkpoints",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
  environment = {
    **os.environ,
    "PYTHONPATH": str(REPOSITORY),
    # Of their own: who kills writers must not share one.
    "JAX_COMPILATION_CACHE_DIR": str(tmp_path_factory.mktemp("cache")),
  }
  with ForkServer(environment) as server:
    yield server


@pytest.fixture(scope="module")
def run(server, tmp_path_factory):
  """Runs a command and returns its exit code and its standard error."""
  counted = tmp_path_factory.mktemp("counted") / "moments"

  def run(command, moment=0):
    process = server.start(("-c", CHILD, moment, counted, *command), REPOSITORY)
    try:
      _, printed = process.communicate(timeout=300)
    finally:
      process.kill()
    return process.returncode, printed

  run.moments = lambda: int(counted.read_text())
  return run


def command_of(kind, folder, data_dir, fitted):
  config = f"--config={REPOSITORY / 'configs' / 'parallel_cnn_lstm.py:casme2'}"
  flags = {**SMALL, "data.data_dir": data_dir, **TRAIN.get(kind, {})}
  fields = [f"--config.{name}={value}" for name, value in flags.items()]
  if kind == "grid":
    file = folder.parent / "grid.py"
    file.write_text(GRID.replace("SMALL", repr(SMALL)))
    return ["train", f"--config={file}", f"--config.data_dir={data_dir}", f"--workdir={folder}"]
  if kind == "predict":
    data = pathlib.Path(data_dir) / "casme2" / "frames48"
    return ["predict", str(data), f"--model={fitted}", f"--out={folder}"]
  if kind == "export":
    return ["export", str(fitted), "--format=npz", f"--out={folder / 'model.npz'}"]
  if kind == "start":
    fields.append(f"--config.start.weights={fitted}")
    # The weights saw the clips that are held out.
    fields.append("--config.start.leaky_weights=True")
  return ["fit" if kind == "fit" else "train", config, *fields, f"--workdir={folder}"]


@pytest.fixture(scope="module")
def fitted(run, three_corpora, tmp_path_factory):
  folder = tmp_path_factory.mktemp("fitted") / "run"
  code, printed = run(command_of("fit", folder, three_corpora, None))
  assert code == 0, printed
  return folder / "model"


def content(folder):
  """Bytes of each file that is the same whenever it is written; None of the others."""
  return {
    str(path.relative_to(folder)): None
    if any(part in str(path.relative_to(folder)) for part in IGNORED)
    else path.read_bytes().replace(str(folder).encode(), b"")
    for path in folder.rglob("*")
    if path.is_file() and "checkpoints/" not in str(path.relative_to(folder))
  }


KINDS = [*TRAIN, "grid", "predict", "export"]


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_many_moments_it_ends_as_if_never_killed(
  kind, run, fitted, three_corpora, tmp_path
):
  commands = {}
  for name in ("undisturbed", "killed"):
    (tmp_path / name).mkdir()
    commands[name] = command_of(kind, tmp_path / name / "out", three_corpora, fitted)
  code, printed = run(commands["undisturbed"])
  assert code == 0, printed
  draw, moments = random.Random(kind), run.moments()
  assert moments > 1
  for moment in draw.sample(range(1, moments + 1), min(8, moments)):
    code, printed = run(commands["killed"], moment)
    # A command that goes on has less to do than the first time, and may end before its moment.
    assert code in (0, -signal.SIGKILL), printed
  code, printed = run(commands["killed"])
  assert code == 0, printed
  assert "Traceback" not in printed
  left = content(tmp_path / "killed" / "out")
  assert left == content(tmp_path / "undisturbed" / "out")
  assert not [name for name in left if "tmp-" in name or name.endswith(".lock")]
