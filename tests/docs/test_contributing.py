"""What CONTRIBUTING.md shows is done to a copy of the checkout, and has to work there."""

import csv
import json
import os
import pathlib
import re
import shutil

import cv2
import numpy as np
import pytest
from processes import output_of_python

ROOT = pathlib.Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PARTS = (
  *("mer_jax", "configs", "data_builders", "tests", "notebooks", "docs", "README.md"),
  *("CONTRIBUTING.md", "CHANGELOG.md", "CITATION.cff", "LICENSE", "Makefile", "setup.cfg"),
  *("constraints.txt", "pyproject.toml", ".pre-commit-config.yaml", ".github", ".gitignore"),
)
# Tests that go through the tables of models, inputs, protocols and corpora, or through all files;
# in what is long among them, all that names the new entries or every entry.
BY_TABLE = (
  *("tests/docs/test_layering.py", "tests/docs/test_project_files.py", "tests/docs/test_tables.py"),
  *("tests/inputs/test_make.py", "tests/training/test_engine.py", "tests/training/test_sweep.py"),
  "tests/experiment/test_settings.py",
)
CHOSEN = (
  "test_layering or test_project_files or test_settings or (test_tables and documented)"
  " or (test_make and (apex_difference or every_input or refuse)) or mean_difference"
)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"`([\w./]+\.py)`")


def blocks() -> list[tuple[str, str, str]]:
  """(language, the file named last before it, content) of every block."""
  found = []
  for block in BLOCK.finditer(TEXT):
    named = FILE.findall(TEXT[: block.start()])
    found.append((block[1], named[-1] if named else "", block[2]))
  return found


def apply_hunk(text: str, hunk: str) -> str:
  """`text` with the lines "+" of `hunk` added where its other lines stand, which must be once."""
  lines = hunk.splitlines()
  old = "".join(f"{line[1:]}\n" for line in lines if line.startswith(" "))
  new = "".join(f"{line[1:]}\n" for line in lines)
  assert text.count(old) == 1, f"{text.count(old)} places for\n{hunk}"
  return text.replace(old, new)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> pathlib.Path:
  """A copy of the checkout with everything in it that CONTRIBUTING.md adds."""
  copy = tmp_path_factory.mktemp("checkout")
  ignored = shutil.ignore_patterns("__pycache__", "build")
  for part in PARTS:
    if (ROOT / part).is_dir():
      shutil.copytree(ROOT / part, copy / part, ignore=ignored)
    else:
      shutil.copy(ROOT / part, copy / part)
  for language, name, content in blocks():
    path = copy / name
    if language == "python":
      assert not path.exists(), f"{name} is there already; choose another name for the example"
      path.parent.mkdir(exist_ok=True)
      path.write_text(content, encoding="utf-8")
    elif language == "diff":
      text = path.read_text(encoding="utf-8")
      for hunk in content.split("@@\n"):
        text = apply_hunk(text, hunk)
      path.write_text(text, encoding="utf-8")
  return copy


def python(checkout: pathlib.Path, *arguments: object) -> str:
  environment = {
    # Compiled programs of earlier test runs; make test says the same.
    "JAX_COMPILATION_CACHE_DIR": str(ROOT / ".cache" / "jax"),
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    **os.environ,
    "PYTHONPATH": str(checkout),
  }
  return output_of_python(arguments, checkout, environment)


def draw_mylab(folder: pathlib.Path) -> pathlib.Path:
  """Three people, three clips each in the layout of the example, and one clip without a frame."""
  rng = np.random.default_rng(0)
  for subject in ("p01", "p02", "p10"):
    for emotion in ("happiness", "disgust", "surprise"):
      clip = folder / subject / f"{emotion}_1"
      clip.mkdir(parents=True)
      for t in range(4):
        noise = rng.integers(0, 255, (20, 20), np.uint8)
        assert cv2.imwrite(str(clip / f"{t + 98}.png"), cv2.resize(noise, (60, 60)))
  (folder / "p01" / "disgust_2").mkdir()
  return folder


def test_all_four_kinds_are_shown():
  shown = {name for language, name, _ in blocks() if language == "python"}
  for package in ("mer_jax/models", "mer_jax/inputs", "mer_jax/protocols", "data_builders/mylab"):
    assert any(name.startswith(package) for name in shown)
  assert {language for language, _, _ in blocks()} == {"python", "diff", "bash"}


def test_examples_are_formatted(checkout):
  changed = {name for language, name, _ in blocks() if language in ("python", "diff")}
  settings = ("--config", ROOT / "pyproject.toml")
  python(checkout, "-m", "ruff", "check", *settings, *sorted(changed))
  python(checkout, "-m", "ruff", "format", "--diff", *settings, *sorted(changed))


@pytest.mark.exhaustive
def test_what_goes_through_the_tables_takes_the_new_entries(checkout):
  options = ("-q", "-p", "no:cacheprovider", "-W", "error", "--rootdir", checkout, "-rA")
  out = python(checkout, "-m", "pytest", *options, *BY_TABLE, "-k", CHOSEN)
  passed = re.findall(r"^PASSED (\S+?)::(.*)$", out, re.MULTILINE)
  assert {file for file, _ in passed} == set(BY_TABLE)
  assert sum("mean_difference" in name for _, name in passed) >= 8


RUN = """
import json, sys
import mer_jax
from data_builders import synthetic
from data_builders.build import build

mylab, data = sys.argv[1:]
report, *_ = build("mylab", mylab, data, crop="as_is")
assert list(report.refused) == ["mylab/p01/disgust_2"], report.text()
synthetic.write("casme2", f"{data}/corpus", subjects=3, clips_per_subject=4, size=64)
build("casme2", f"{data}/corpus", data)

def run(name, **fields):
  config = mer_jax.load_config("mean_difference:casme2")
  config.data.data_dir = data
  config.training.epochs = 2
  config.training.batch_size = 4
  config.update_from_flattened_dict({k.replace("__", "."): v for k, v in fields.items()})
  if config.model.name == "ststnet":
    config.input.size = 12
  return mer_jax.run(config, f"{data}/{name}", quiet=True).run.summary

scores = [
  run("own", data__datasets=("mylab",), protocol__name="native", protocol__minimum=1),
  run("drawn", protocol__name="valence", model__name="ststnet", input__name="apex_difference"),
]
print(json.dumps([[s["classes"], s["clips"], s["folds"]] for s in scores]))
"""


def test_corpus_protocol_input_and_model_run_together(checkout, tmp_path):
  out = python(checkout, "-c", RUN, draw_mylab(tmp_path / "mylab"), tmp_path / "data")
  own, drawn = json.loads(out.splitlines()[-1])
  assert own == [["disgust", "happiness", "surprise"], 9, 3]
  assert drawn[0] == ["negative", "positive"]
  with open(tmp_path / "data" / "drawn" / "predictions.csv", encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
  assert len(rows) == drawn[1]
  assert {row["label"] for row in rows} == {"0", "1"}
  page = (tmp_path / "data" / "drawn" / "report.html").read_text(encoding="utf-8")
  assert "Clips of surprise were left out" in page
