"""The wheel, installed elsewhere, does everything from any folder."""

import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
from processes import output_of_python

ROOT = pathlib.Path(__file__).parents[2]
SOURCES = ("mer_jax", "configs", "data_builders")
FILES = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE")
OWN_CONFIGS = 'raise ImportError("a package of the user, which mer_jax has no business with")\n'
SMALL = (
  *("--config.training.epochs=1", "--config.training.fold_block=3"),
  "--config.data.data_dir=data",
)


WITHOUT_MER_JAX = """
import sys
sys.modules["mer_jax"] = None
import json, jax, jax.export, numpy as np
arrays = json.load(open("model.bin.json"))["arrays"]
exported = jax.export.deserialize(bytearray(open("model.bin", "rb").read()))
given = {name: np.ones((2, *a["shape"]), a["dtype"]) for name, a in arrays.items()}
p = exported.call(**given)["probabilities"]
print(p.shape, np.allclose(p.sum(axis=1), 1, atol=1e-5))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> pathlib.Path:
  """What `pip install` of the wheel leaves, without the libraries that it needs."""
  folder = tmp_path_factory.mktemp("wheel")
  sources = folder / "sources"
  for name in SOURCES:
    shutil.copytree(ROOT / name, sources / name, ignore=shutil.ignore_patterns("__pycache__"))
  for name in FILES:
    shutil.copy(ROOT / name, sources / name)
  pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
  for command in (
    (*pip, "wheel", "--no-deps", f"--wheel-dir={folder}", str(sources)),
    (
      *pip,
      "install",
      "--no-deps",
      f"--target={folder / 'site'}",
      f"--find-links={folder}",
      "mer_jax",
    ),
  ):
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
  return folder / "site"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> pathlib.Path:
  return tmp_path_factory.mktemp("anywhere")


@pytest.fixture(scope="module")
def mer_jax(installed, folder):
  """The installed command, run in a folder of the user's."""

  def mer_jax(*arguments):
    environment = {**os.environ, "PYTHONPATH": str(installed), "JAX_PLATFORMS": "cpu"}
    return output_of_python((installed / "bin" / "mer_jax", *arguments), folder, environment)

  return mer_jax


@pytest.mark.slow
def test_every_subcommand_works_from_an_empty_folder(mer_jax, folder):
  mer_jax(
    "synthetic", "casme2", "--out=corpus", "--subjects=3", "--clips_per_subject=4", "--size=64"
  )
  mer_jax("build", "casme2", "--manual_dir=corpus", "--data_dir=data")
  assert "demo" in mer_jax("configs")
  mer_jax("train", "--config=demo:casme2", "--workdir=runs/demo", *SMALL)
  # A folder of that name, as many a repository has one, changes nothing.
  (folder / "configs").mkdir()
  for name in ("__init__", "demo", "parallel_cnn_lstm"):
    (folder / "configs" / f"{name}.py").write_text(OWN_CONFIGS)
  mer_jax("fit", "--config=demo:casme2", "--workdir=runs/demo", *SMALL)
  mer_jax("compare", "runs/demo", "--workdir=runs/comparison")
  assert (folder / "runs" / "comparison" / "comparison.html").is_file()
  assert "Synthetic corpus" in mer_jax("audit", "runs/demo", "--protocol=three_class")
  rng = np.random.default_rng(0)
  labels, subjects = np.tile(np.arange(3), 6), np.repeat(["a", "b", "c"], 6)
  np.savez(folder / "f.npz", features=rng.normal(size=(18, 4)), labels=labels, subjects=subjects)
  mer_jax("score", "f.npz", "--workdir=runs/features", "--kernel=rbf")
  assert (folder / "runs" / "features" / "report.html").is_file()
  _check_the_model(mer_jax, folder)


def _check_the_model(mer_jax, folder):
  """The fitted model predicts three clips, and its export does so where there is no mer_jax."""
  assert "motion_net_drawn" in mer_jax("models")
  clips = sorted((folder / "corpus" / "Cropped" / "sub01").iterdir())[:3]
  mer_jax("predict", *clips, "--crop=as_is", "--model=runs/demo/model", "--out=predicted")
  assert len((folder / "predicted" / "predictions.csv").read_text().splitlines()) == 4
  mer_jax("export", "runs/demo/model", "--format=stablehlo", "--out=model.bin")
  elsewhere = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
  printed = output_of_python(("-c", WITHOUT_MER_JAX), folder, elsewhere)
  assert printed.split() == ["(2,", "3)", "True"]


def test_pip_leaves_no_copy_of_the_modules_in_the_tree(installed):
  sources = installed.parent / "sources"
  left = {path.relative_to(sources).parts[0] for path in sources.rglob("*.py")}
  assert left == {*SOURCES, ".cache"}
