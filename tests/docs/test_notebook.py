"""The notebooks: clean as they are stored, and working when they are run on little."""

import base64
import configparser
import functools
import json
import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Callable
from typing import cast

import nbformat
import numpy as np
import pytest
from matplotlib import image

FOLDER = pathlib.Path(__file__).parents[2] / "notebooks"
# Into a cell of its own behind the one tagged "parameters".
SMALL = {
  "own_video": {"SECONDS": 6, "THRESHOLD": 1.0},
  "quickstart": {"SUBJECTS": 3, "CLIPS_PER_SUBJECT": 4, "EPOCHS": 2},
  "trust": {
    "SUBJECTS": 5,
    "CLIPS_PER_SUBJECT": 5,
    "EPOCHS": 3,
    "SEEDS": 1,
    "REPEATS": 1,
    "CHOSEN": 50,
  },
}

# In a process of its own: kernels leave sockets behind, which pytest would rightly complain about.
EXECUTE = """
import sys
import nbclient, nbformat

path, folder = sys.argv[1:]
notebook = nbformat.read(path, as_version=4)
client = nbclient.NotebookClient(
  notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": folder}}
)
client.execute()
nbformat.write(notebook, path)
"""

Executed = tuple[nbformat.NotebookNode, pathlib.Path]


def stored(name: str) -> nbformat.NotebookNode:
  return read(FOLDER / f"{name}.ipynb")


@pytest.fixture(scope="module")
def executed(tmp_path_factory) -> Callable[[str], Executed]:
  """What runs a notebook, once however many tests ask for it."""
  return functools.cache(lambda name: execute(name, tmp_path_factory.mktemp(name)))


def execute(name: str, folder: pathlib.Path) -> Executed:
  """The notebook after a run with `SMALL`, and its workfolder."""
  notebook = stored(name)
  (at,) = (i for i, c in enumerate(notebook.cells) if "parameters" in c.metadata.get("tags", []))
  values = {**SMALL[name], "WORK": str(folder / "work")}
  names = re.findall(r"^(\w+) = ", notebook.cells[at].source, re.MULTILINE)
  assert set(values) <= set(names)
  injected = "\n".join(f"{name} = {value!r}" for name, value in values.items())
  notebook.cells.insert(at + 1, nbformat.v4.new_code_cell(injected))
  copy = folder / f"{name}.ipynb"
  nbformat.write(notebook, copy)
  done = subprocess.run(
    # Far from the checkout, as after a plain pip install.
    [sys.executable, "-c", EXECUTE, str(copy), str(folder)],
    env={**os.environ, "JAX_PLATFORMS": "cpu"},
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stderr[-4000:]
  return read(copy), folder / "work"


def read(path: pathlib.Path) -> nbformat.NotebookNode:
  return cast(nbformat.NotebookNode, nbformat.read(path, as_version=4))


def outputs(notebook: nbformat.NotebookNode, kind: str) -> list[str]:
  return [
    output["data"][kind]
    for cell in notebook.cells
    for output in cell.get("outputs", [])
    if kind in output.get("data", {})
  ]


def rows(notebook: nbformat.NotebookNode) -> list[list[str]]:
  """The rows of the one table."""
  (table,) = outputs(notebook, "text/markdown")
  return [row.strip("| ").split(" | ") for row in table.splitlines()[2:]]


def test_every_notebook_is_tested():
  assert {path.stem for path in FOLDER.glob("*.ipynb")} == set(SMALL)


@pytest.mark.parametrize("name", SMALL)
def test_outputs_are_stripped(name):
  nbformat.validate(stored(name))
  for cell in stored(name).cells:
    if cell.cell_type == "code":
      assert cell.outputs == []
      assert cell.execution_count is None


@pytest.mark.parametrize("name", SMALL)
def test_opens_in_colab(name):
  cells = stored(name).cells
  install = cells[1].source
  assert 'find_spec("mer_jax") is None' in install
  assert sum("# @param" in cell.source for cell in cells) == 2
  hosts = set(re.findall(r"https?://([^/)\s]+)", " ".join(c.source for c in cells)))
  assert hosts == {"colab.research.google.com"}


@pytest.mark.parametrize("name", SMALL)
def test_the_badge_opens_the_notebook_itself_once_the_project_has_an_address(name):
  """setup.cfg is the one place that holds the address; there is none yet."""
  parser = configparser.ConfigParser()
  parser.read(FOLDER.parent / "setup.cfg", encoding="utf-8")
  urls = parser["metadata"].get("project_urls", "")
  source = re.search(r"^Source *= *https://github\.com/(\S+?)/?$", urls, re.MULTILINE)
  first, install, *_ = stored(name).cells
  (link,) = re.findall(r"\]\((https://colab\S+)\)", first.source)
  if source:
    assert (
      link
      == f"https://colab.research.google.com/github/{source[1]}/blob/main/notebooks/{name}.ipynb"
    )
    assert f'REPOSITORY = "https://github.com/{source[1]}"' in install.source
  else:
    assert "while the project has no public address" in first.source
    assert 'REPOSITORY = ""' in install.source


@pytest.mark.parametrize(
  "name", [pytest.param(n, marks=[pytest.mark.exhaustive] * (n == "trust")) for n in SMALL]
)
def test_runs_from_top_to_bottom(executed, name):
  notebook, _ = executed(name)
  code = [cell for cell in notebook.cells if cell.cell_type == "code"]
  assert all(cell.execution_count for cell in code)
  bars = [o.text for c in code for o in c.outputs if o.get("name") == "stderr"]
  last = "faces: 100%" if name == "own_video" else "training: 100%"
  assert any(last in bar for bar in bars)
  said = [line for bar in bars for line in re.split(r"[\r\n]+", bar) if line.strip()]
  said = [line for line in said if "INFO: Created TensorFlow Lite" not in line]
  assert [line for line in said if not re.search(r"%\|.*\[.*<", line)] == []


def test_compares_three_runs(executed):
  notebook, work = executed("quickstart")
  table = rows(notebook)
  assert len(table) == 4
  for _, *numbers in table:
    assert all(0 <= float(number) <= 1 for number in numbers)
  kept = {}
  for run in (work / "runs").iterdir():
    kept[run.name] = json.loads((run / "metrics.json").read_text())["pooled"]["uf1"]
  assert sorted(f"{uf1:.3f}" for uf1 in kept.values()) == sorted(row[1] for row in table[1:])
  configs = [json.loads((run / "config.json").read_text()) for run in (work / "runs").iterdir()]
  inputs = sorted(c["config"]["input"]["name"] for c in configs)
  assert inputs == ["onset_difference", "onset_difference", "padded_frames"]
  assert sorted(c["config"]["optimizer"]["name"] for c in configs) == ["adam", "sgd", "sgd"]


def test_a_video_leaves_a_page_and_its_table(executed):
  notebook, work = executed("own_video")
  page = (work / "report" / "report.html").read_text(encoding="utf-8")
  assert len(rows(notebook)) == page.count('<article class="spotted"') >= 1


def test_draws_clips_curves_and_a_confusion_matrix(executed):
  notebook, _ = executed("quickstart")
  assert len(outputs(notebook, "image/png")) == 3


@pytest.mark.exhaustive
def test_measures_each_leak_against_the_honest_number(executed):
  notebook, work = executed("trust")
  found = {}
  for practice, honest, uf1, gain, accuracy, printed, accuracy_gain in rows(notebook):
    value, low, high = map(float, re.findall(r"\d\.\d+", honest))
    assert low <= value <= high
    assert float(uf1) - value == pytest.approx(float(gain), abs=0.0011)
    assert float(printed) - float(accuracy) == pytest.approx(float(accuracy_gain), abs=0.0011)
    found[practice] = {"honest": value, "uf1": float(uf1), "accuracy": float(printed)}
  assert len(found) == 12
  # The predictions are those of one system, whatever their average is called.
  honest = found["split per clip"]["honest"]
  averages = [name for name in found if "called F1" in name or "mean of folds" in name]
  assert len(averages) == 5
  assert {found[name]["honest"] for name in averages} == {honest}
  micro = found["micro F1 called F1"]
  assert micro["uf1"] == micro["accuracy"]
  conventions = [found[f"mean of folds, absent class {c}"]["uf1"] for c in ("0", "left out", "1")]
  assert conventions == sorted(conventions)
  # A clip that meets a magnified copy of itself in training is recognised.
  across = found["copies on both sides of the split"]
  assert across["uf1"] > across["honest"] + 0.2
  chosen = found["features chosen over all clips"]
  assert chosen["uf1"] > chosen["honest"]
  files = ("metrics.json", "leaky_test_best_metrics.json")
  last, best = (json.loads((work / "network" / f).read_text())["pooled"] for f in files)
  network = found["best epoch on the held-out subject"]
  assert (network["honest"], network["uf1"]) == (round(last["uf1"], 3), round(best["uf1"], 3))
  assert best["accuracy"] >= last["accuracy"]


@pytest.mark.exhaustive
def test_draws_the_leaks(executed):
  notebook, work = executed("trust")
  (picture,) = outputs(notebook, "image/png")
  assert base64.b64decode(picture) == (work / "leaks.png").read_bytes()
  small, kept = map(image.imread, (work / "leaks.png", FOLDER / "images" / "leaks.png"))
  # The README's is the same figure with other numbers.
  assert small.shape == kept.shape
  assert np.any(small != kept)
