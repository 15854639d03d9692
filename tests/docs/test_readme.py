"""Every command of the README runs: verbatim and in order, in a sandbox, on less of everything.

The commands run in bash with a PATH that holds nothing but the stand-ins below. Each is the real
program with further arguments that make the work small, or ends well at once for the stated reason.
Anything they do not recognise ends with `UNKNOWN`, so that a new command needs a rule here.
"""

import csv
import inspect
import json
import os
import pathlib
import re
import stat
import subprocess
import sys

import cv2
import numpy as np
import pytest

from mer_jax import errors, inputs, models, protocols
from mer_jax.clips import PER_CLIP_FIELDS

ROOT = pathlib.Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
UNKNOWN = 97
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# Compiled programs of earlier test runs; make test says the same.
CACHE = {
  "JAX_COMPILATION_CACHE_DIR": str(ROOT / ".cache" / "jax"),
  "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
  "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}
# What is left out, and why.
NOT_HERE = {
  "make demo": "a step of its own in .github/workflows/ci.yml",
  "make install": "what `make test` does before this test can run",
  "source .venv/bin/activate": "the sandbox has its own PATH",
  "pip install -e .[cuda12]": "needs the machine it is for; resolving it needs the network",
  "pip install -e .[cuda13]": "as above",
  "pip install -e .[tpu]": "as above",
  "gcloud compute tpus tpu-vm scp": "needs the pod it is for",
  "gcloud compute tpus tpu-vm ssh": "as above",
}
# Where a process waits for another machine.
ELSEWHERE = "10.0.0.1:4321"
# Nothing is traced to find how many folds fit into memory.
BLOCK_BY_HAND = "--config.training.fold_block=4"
# What is added to `python -m MODULE`, after a config's name where there is one.
LESS = {
  "data_builders.build": (),
  "data_builders.synthetic": ("--subjects=3", "--clips-per-subject=4", "--size=64"),
  "mer_jax.main parallel_cnn_lstm": (
    "--config.training.epochs=1",
    "--config.model.channels=2,2,2",
    "--config.model.cnn_features=4",
    "--config.model.lstm_features=4",
    "--config.selection.inner_folds=2",  # of three subjects, one of which is held out
    BLOCK_BY_HAND,
  ),
  "mer_jax.main ststnet": ("--config.training.epochs=1", BLOCK_BY_HAND),
  # All rows run in tests/experiment/test_table2.py.
  "mer_jax.main table2": ("--config.show=('lbp_top_p4_t10','hoof_n4_t10')",),
  "mer_jax.main micro_attention": (
    *("--config.training.epochs=1", "--config.model.channels=(2,)", BLOCK_BY_HAND),
  ),
  "mer_jax.classify": (),
  "mer_jax.compare": (),
  "mer_jax.audit": (),
}

LESS_IN_PYTHON = "config.model.channels = (2, 2, 2); config.model.lstm_features = 4"

STAND_IN = f"""#!{sys.executable}
import json, os, sys
NAME = os.path.basename(sys.argv[0])
NOT_HERE, LESS = json.loads({json.dumps(json.dumps([list(NOT_HERE), LESS]))})
arguments = sys.argv[1:]
if NAME == "gcloud":
  arguments = arguments[:4]
if " ".join([NAME, *arguments]) in NOT_HERE:
  sys.exit(0)
main = NAME == "python" and arguments[:2] == ["-m", "mer_jax.main"]
if main and os.environ.get("JAX_COORDINATOR_ADDRESS") == "{ELSEWHERE}":
  sys.exit(0)
if NAME == "srun" and arguments[:2] == ["--kill-on-bad-exit=1", "python"]:
  os.execvp("python", arguments[1:])  # as a single task
if NAME == "python" and arguments[:1] == ["-m"]:
  rule = arguments[1]
  config = [a for a in arguments if a.startswith("--config=configs/")]
  if rule == "mer_jax.main" and config:
    rule += " " + os.path.basename(config[0]).split(".py")[0]
  if rule in LESS:
    os.execv(sys.executable, [sys.executable, *arguments, *LESS[rule]])
print("no rule in tests/docs/test_readme.py for:", NAME, *arguments, file=sys.stderr)
sys.exit({UNKNOWN})
"""


def blocks(language: str) -> list[str]:
  return [content for found, content in BLOCK.findall(TEXT) if found == language]


def draw_flow_archive(folder: pathlib.Path) -> None:
  """Noise in the flat layout of a flow archive: three subjects, all labels."""
  rng = np.random.default_rng(0)
  folder.mkdir(parents=True)
  (folder / "SYNTHETIC.txt").write_text("Drawn by a test.\n")
  rows = ["dataset,sub,filename_o,label"]
  for subject in ("sub01", "sub02", "sub03"):
    for label in range(3):
      clip = f"EP0{label + 1}_01"
      rows.append(f"casme2,{subject},{clip},{label}")
      for suffix in ("", "_1", "_2", "_3"):
        noise = rng.integers(0, 255, (28, 28, 3), np.uint8)
        assert cv2.imwrite(str(folder / f"{subject}_{clip}{suffix} .png"), noise)
  (folder / "labels.csv").write_text("\n".join(rows) + "\n")


def draw_features(file: pathlib.Path) -> None:
  """Noise as somebody else's features: three subjects, three classes."""
  rng = np.random.default_rng(0)
  labels = np.tile(np.arange(3), 6)
  subjects = np.repeat(["a", "b", "c"], 6)
  np.savez(file, features=rng.normal(size=(18, 4)), labels=labels, subjects=subjects)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory) -> pathlib.Path:
  """A folder that looks like the checkout, with stand-ins for the programs the README calls."""
  folder = tmp_path_factory.mktemp("readme")
  for part in ("mer_jax", "configs", "data_builders"):
    (folder / part).symlink_to(ROOT / part)
  programs = folder / "bin"
  programs.mkdir()
  for name in ("python", "pip", "make", "srun", "gcloud"):
    (programs / name).write_text(STAND_IN, encoding="utf-8")
    (programs / name).chmod(stat.S_IRWXU)
  draw_flow_archive(folder / "corpora" / "FLOW")
  draw_features(folder / "features.npz")
  return folder


def bash(sandbox: pathlib.Path, script: str) -> subprocess.CompletedProcess[str]:
  environment = {
    **CACHE,
    **{k: v for k, v in os.environ.items() if k.startswith(("JAX_COMPILATION", "JAX_PERSIST"))},
    "HOME": str(sandbox),
    "PATH": str(sandbox / "bin"),
    "JAX_PLATFORMS": "cpu",
  }
  # bash reads files, not commands, through `source`: the one builtin that has to be replaced.
  source = 'source() { [ "source $*" = "source .venv/bin/activate" ] || exit ' + f"{UNKNOWN}; }}\n"
  return subprocess.run(
    ["/bin/bash", "-euc", source + script],
    cwd=sandbox,
    env=environment,
    capture_output=True,
    text=True,
    check=False,
  )


@pytest.fixture(scope="module")
def ran(sandbox) -> dict[str, subprocess.CompletedProcess[str]]:
  """Every bash block, in order; stops at the first that fails."""
  done = {}
  for block in blocks("bash"):
    done[block] = bash(sandbox, block)
    if done[block].returncode:
      break
  return done


def test_every_command_runs(ran):
  for block, done in ran.items():
    assert done.returncode == 0, f"{block}\nleaves with {done.returncode}\n{done.stderr[-4000:]}"
  assert list(ran) == blocks("bash")


def test_the_python_runs(ran, sandbox):
  assert len(ran) == len(blocks("bash"))  # prepared the data
  assert blocks("python")
  for block in blocks("python"):
    small = block.replace("epochs = 20", f"epochs = 1; {LESS_IN_PYTHON}")
    assert small != block
    done = subprocess.run(
      [sys.executable, "-c", small],
      cwd=sandbox,
      env={**CACHE, **os.environ, "JAX_PLATFORMS": "cpu"},
      capture_output=True,
      text=True,
      check=False,
    )
    assert done.returncode == 0, done.stderr
    uf1, uar = map(float, done.stdout.split()[-2:])
    assert 0 <= uf1 <= 1
    assert 0 <= uar <= 1


def test_what_a_run_leaves_behind_is_what_the_readme_says(ran, sandbox):
  table = TEXT.split("## What a run leaves behind")[1].split("\n## ")[0]
  named = {
    n for row in re.findall(r"^\| (`.*?) \|", table, re.M) for n in re.findall(r"`(.*?)`", row)
  }
  left = {
    p.name + "/" * p.is_dir() for p in (sandbox / "runs" / "casme2").iterdir() if p.name[0] != "."
  }
  assert {re.sub(r"seed\d+", "seed<seed>", name) for name in left} == named
  with open(sandbox / "runs" / "casme2" / "predictions.csv", encoding="utf-8") as file:
    header = next(csv.reader(file))
  stated = re.search(r"`(seed,.*?)<class>\.\.\.`", table)
  assert stated
  assert ",".join(header).startswith(stated[1])
  metrics = json.loads((sandbox / "runs" / "casme2" / "metrics.json").read_text())
  row = next(row for row in table.splitlines() if row.startswith("| `metrics.json`"))
  assert set(re.findall(r"`(\w+)`", row)) <= set(metrics)


def test_seeds_and_devices_are_those_asked_for(ran, sandbox):
  runs = sandbox / "runs"
  metrics = json.loads((runs / "branches" / "model.branch=cnn" / "metrics.json").read_text())
  assert metrics["seeds"] == [0, 1]
  environment = json.loads((runs / "two_devices" / "environment.json").read_text())
  assert len(environment["devices"]) == 2
  environment = json.loads((runs / "two_processes" / "environment.json").read_text())
  assert len(environment["devices"]) == 2
  assert not (runs / "by_hand").exists()
  assert (runs / "slurm" / "report.html").is_file()


@pytest.mark.parametrize(("study", "rows"), [("rates", 3), ("branches", 2)])
def test_sweeps_and_variants_leave_what_the_readme_says(ran, sandbox, study, rows):
  folder = sandbox / "runs" / study
  with open(folder / "variants.csv", encoding="utf-8") as file:
    names = [row["name"] for row in csv.DictReader(file)]
  assert len(names) == rows
  for name in names:
    assert (folder / name / "report.html").is_file()
  for name in re.findall(r"`(variants\.\w+)`", TEXT):
    assert (folder / name).is_file()


@pytest.mark.parametrize(
  "command",
  [
    "ls",
    "make clean",
    "pip install x",
    "source x",
    "python train.py",
    "python -c 1",
    "python -m mer_jax.report",
    "python -m mer_jax.main --config=configs/unheard_of.py --workdir=x",
  ],
)
def test_an_unknown_command_is_noticed(sandbox, command):
  assert bash(sandbox, command).returncode in (UNKNOWN, 127)


def test_every_config_has_a_rule_or_is_not_mentioned():
  mentioned = set(re.findall(r"configs/(\w+)\.py", "".join(blocks("bash"))))
  assert {f"mer_jax.main {name}" for name in mentioned} == {r for r in LESS if " " in r}
  assert all((ROOT / "configs" / f"{name}.py").is_file() for name in mentioned)


def test_no_rule_is_left_over():
  commands = "\n".join(blocks("bash")).replace("'", "")
  for command in NOT_HERE:
    assert command in commands
  for rule in LESS:
    assert f"python -m {rule.split()[0]}" in commands


def test_exit_codes_are_those_of_the_classes():
  stated = {name: int(code) for code, name in re.findall(r"^\| (\d) \| `(\w+)` \|", TEXT, re.M)}
  classes = inspect.getmembers(errors, lambda x: inspect.isclass(x) and issubclass(x, Exception))
  assert stated == {name: kind.exit_code for name, kind in classes}


def rows_of(head: str) -> list[list[str]]:
  """The rows of the table that begins with `head`, as cells without outer blanks."""
  table = TEXT.split(f"\n{head}\n")[1].split("\n\n")[0]
  return [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()[1:]]


def test_every_documented_input_gives_what_is_documented():
  rows = rows_of("| input | gives | what |")
  assert len(rows) > 5
  for name, gives, _ in rows:
    declared = inputs.declaration(inputs.INPUTS[name.strip("`")]).gives
    assert gives.split(", ") == [array for array in declared if array != "mask"]


def test_every_documented_model_and_protocol_exists():
  documented = {row[0].strip("`") for row in rows_of("| model | reads |")}
  assert documented <= {*models.MODELS, "svm"}
  assert {row[0].strip("`") for row in rows_of("| protocol | clips and classes |")} <= {
    *protocols.PROTOCOLS
  }


def test_links_lead_somewhere():
  links = re.findall(r"\]\(([^)#]+)\)", TEXT)
  local = [link for link in links if "://" not in link]
  assert local
  missing = [link for link in local if not (ROOT / link).exists()]
  assert missing == []


def test_the_columns_of_predictions_are_known_annotations():
  stated = re.search(r"`seed,(.*?),label", TEXT)
  assert stated
  assert set(stated[1].split(",")) <= set(PER_CLIP_FIELDS)
