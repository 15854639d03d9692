"""Packaging, constraints, CI, citation: what they say about each other has to agree."""

import configparser
import pathlib
import re
import subprocess

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import mer_jax

ROOT = pathlib.Path(__file__).parents[2]
PYTHONS = ("3.11", "3.12", "3.13")
# Extras whose packages constraints.txt pins.
PINNED = ("test", "peers", "docs")


def metadata() -> configparser.ConfigParser:
  parser = configparser.ConfigParser()
  parser.read(ROOT / "setup.cfg", encoding="utf-8")
  return parser


def requirements(text: str) -> list[Requirement]:
  lines = (line.split("#")[0].strip() for line in text.splitlines())
  return [Requirement(line) for line in lines if line]


def normal(name: str) -> str:
  return re.sub(r"[-_.]+", "-", name).lower()


def pinned(python: str) -> dict[str, str]:
  """{package: version} of constraints.txt on one version of Python."""
  lines = requirements((ROOT / "constraints.txt").read_text(encoding="utf-8"))
  found = {}
  for line in lines:
    if line.marker is None or line.marker.evaluate({"python_version": python}):
      (specifier,) = line.specifier
      assert specifier.operator == "=="
      assert normal(line.name) not in found
      found[normal(line.name)] = specifier.version
  return found


@pytest.mark.parametrize("python", PYTHONS)
def test_constraints_pin_what_the_package_asks_for(python):
  options = metadata()["options"]
  extras = metadata()["options.extras_require"]
  versions = pinned(python)
  asked = "\n".join([options["install_requires"], *(extras[name] for name in PINNED)])
  for requirement in requirements(asked):
    assert requirement.specifier.contains(versions[normal(requirement.name)])
  assert versions["jax"] == versions["jaxlib"]


def test_constraints_cover_every_release_of_jax_that_setup_cfg_allows():
  (jax,) = (r for r in requirements(metadata()["options"]["install_requires"]) if r.name == "jax")
  pins = {".".join(pinned(python)["jax"].split(".")[:2]) for python in PYTHONS}
  assert pins == {f"0.{minor}" for minor in range(100) if jax.specifier.contains(f"0.{minor}.1")}


def test_pythons_agree():
  classifiers = re.findall(r":: (3\.\d+)$", metadata()["metadata"]["classifiers"], re.MULTILINE)
  assert tuple(classifiers) == PYTHONS
  assert SpecifierSet(metadata()["options"]["python_requires"]).contains(PYTHONS[0])
  workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
  job = workflow["jobs"]["test"]
  assert job["strategy"]["matrix"]["python"] == [PYTHONS[0], PYTHONS[-1]]
  assert [step["run"] for step in job["steps"] if "run" in step] == [
    "make test",
    "make test-all",
    "make demo",
    "make docs",
  ]


def test_what_ci_runs_are_targets_of_the_makefile():
  makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
  for target in ("install", "test", "test-fast", "test-all", "demo", "docs"):
    assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_make_alone_names_its_targets():
  out = subprocess.run(
    ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
  ).stdout
  makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
  targets = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
  assert targets
  assert {line.split()[1] for line in out.splitlines() if line.startswith("  make ")} == {
    *targets[1].split()
  } - {"help"}


def test_citation_is_of_this_version_and_names_the_paper():
  citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
  assert citation["cff-version"] == "1.2.0"
  assert {"message", "title", "authors"} <= set(citation)
  assert citation["version"] == mer_jax.__version__
  assert citation["license"] == metadata()["metadata"]["license"]
  (paper,) = citation["references"]
  assert {"type", "title", "authors"} <= set(paper)
  assert paper["doi"] in (ROOT / "configs/parallel_cnn_lstm.py").read_text(encoding="utf-8")


def test_changelog_has_a_section_for_what_is_not_released():
  text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
  sections = re.findall(r"^## \[(.+?)\]", text, re.MULTILINE)
  assert sections[0] == "Unreleased"
  assert sections[1:] == sorted(sections[1:], reverse=True)


def test_hooks_run_the_linter_of_make_test():
  hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
  entries = [hook["entry"] for repo in hooks["repos"] for hook in repo["hooks"]]
  makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
  for command in ("ruff check", "ruff format"):
    assert any(f".venv/bin/{command} " in f"{entry} " for entry in entries)
    assert f"/{command}" in makefile
