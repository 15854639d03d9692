"""The quickstart notebook: clean as it is stored, and working when it is run on little."""

import json
import os
import pathlib
import re
import subprocess
import sys

import nbformat
import pytest

PATH = pathlib.Path(__file__).parents[2] / "notebooks" / "quickstart.ipynb"
# Into a cell of its own behind the one tagged "parameters".
SMALL = {"SUBJECTS": 3, "CLIPS_PER_SUBJECT": 4, "EPOCHS": 2}

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


@pytest.fixture(scope="module")
def stored() -> nbformat.NotebookNode:
  notebook = nbformat.read(PATH, as_version=4)
  nbformat.validate(notebook)
  return notebook


@pytest.fixture(scope="module")
def executed(stored, tmp_path_factory) -> tuple[nbformat.NotebookNode, pathlib.Path]:
  """The notebook after a run with `SMALL`, and its workfolder."""
  folder = tmp_path_factory.mktemp("notebook")
  notebook = nbformat.from_dict(json.loads(json.dumps(stored)))
  (at,) = (i for i, c in enumerate(notebook.cells) if "parameters" in c.metadata.get("tags", []))
  values = {**SMALL, "WORK": str(folder / "work")}
  names = re.findall(r"^(\w+) = ", notebook.cells[at].source, re.MULTILINE)
  assert set(values) <= set(names)
  injected = "\n".join(f"{name} = {value!r}" for name, value in values.items())
  notebook.cells.insert(at + 1, nbformat.v4.new_code_cell(injected))
  copy = folder / "quickstart.ipynb"
  nbformat.write(notebook, copy)
  done = subprocess.run(
    [sys.executable, "-c", EXECUTE, str(copy), str(PATH.parent)],
    env={**os.environ, "JAX_PLATFORMS": "cpu"},
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stderr[-4000:]
  return nbformat.read(copy, as_version=4), folder / "work"


def outputs(notebook: nbformat.NotebookNode, kind: str) -> list[str]:
  return [
    output["data"][kind]
    for cell in notebook.cells
    for output in cell.get("outputs", [])
    if kind in output.get("data", {})
  ]


def test_outputs_are_stripped(stored):
  for cell in stored.cells:
    if cell.cell_type == "code":
      assert cell.outputs == []
      assert cell.execution_count is None


def test_opens_in_colab(stored):
  assert "](https://colab.research.google.com/" in stored.cells[0].source
  install = stored.cells[1].source
  assert '"google.colab" in str(get_ipython())' in install
  assert sum("# @param" in cell.source for cell in stored.cells) == 2
  hosts = set(re.findall(r"https?://([^/)\s]+)", " ".join(c.source for c in stored.cells)))
  assert hosts == {"colab.research.google.com"}


def test_runs_from_top_to_bottom(executed):
  notebook, _ = executed
  code = [cell for cell in notebook.cells if cell.cell_type == "code"]
  assert all(cell.execution_count for cell in code)
  bars = [o.text for c in code for o in c.outputs if o.get("name") == "stderr"]
  assert any("training: 100%" in bar for bar in bars)
  said = [line for bar in bars for line in re.split(r"[\r\n]+", bar) if line.strip()]
  assert [line for line in said if not re.search(r"%\|.*\[.*<", line)] == []


def test_compares_three_runs(executed):
  notebook, work = executed
  (table,) = outputs(notebook, "text/markdown")
  rows = [row.strip("| ").split(" | ") for row in table.splitlines()[2:]]
  assert len(rows) == 4
  for _, *numbers in rows:
    assert all(0 <= float(number) <= 1 for number in numbers)
  kept = {}
  for run in (work / "runs").iterdir():
    kept[run.name] = json.loads((run / "metrics.json").read_text())["pooled"]["uf1"]
  assert sorted(f"{uf1:.3f}" for uf1 in kept.values()) == sorted(row[1] for row in rows[1:])
  configs = [json.loads((run / "config.json").read_text()) for run in (work / "runs").iterdir()]
  inputs = sorted(c["config"]["input"]["name"] for c in configs)
  assert inputs == ["onset_difference", "onset_difference", "padded_frames"]
  assert sorted(c["config"]["optimizer"]["name"] for c in configs) == ["adam", "sgd", "sgd"]


def test_draws_clips_curves_and_a_confusion_matrix(executed):
  notebook, _ = executed
  assert len(outputs(notebook, "image/png")) == 3
