"""The site: its pages are those of docs/, and it builds where the extra `docs` is installed."""

import importlib.util
import pathlib
import subprocess
import sys

import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[2]
CONFIG = ROOT / "docs" / "site" / "mkdocs.yml"


def pages(entries: list) -> list[str]:
  """The files that a navigation names, however deep."""
  found = []
  for entry in entries:
    for value in entry.values():
      found += [value] if isinstance(value, str) else pages(value)
  return found


def test_the_navigation_names_every_page():
  named = pages(yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["nav"])
  copied = {"CONTRIBUTING.md", "CHANGELOG.md"}  # by docs/site/hooks.py
  assert sorted(named) == sorted({path.name for path in ROOT.glob("docs/*.md")} | copied)


@pytest.mark.skipif(not importlib.util.find_spec("mkdocs"), reason="needs the extra docs")
def test_the_site_builds_without_a_warning(tmp_path):
  done = subprocess.run(
    [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", CONFIG, "-d", tmp_path],
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stderr
  api = (tmp_path / "api.html").read_text(encoding="utf-8")
  assert 'id="mer_jax.experiment.results.run"' in api
  assert "<!-- api:" not in api
