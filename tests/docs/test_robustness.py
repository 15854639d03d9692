"""docs/robustness.md promises what tests hold."""

import pathlib
import re

ROOT = pathlib.Path(__file__).parents[2]


def test_every_row_names_a_test_that_exists():
  page = (ROOT / "docs" / "robustness.md").read_text(encoding="utf-8")
  rows = [line for line in page.splitlines() if re.match(r"\| (?!fault|---)", line)]
  assert len(rows) > 10
  for row in rows:
    *_, cell = row.strip("| ").split(" | ")
    file, _, name = cell.strip("`").partition("::")
    text = (ROOT / file).read_text(encoding="utf-8")
    assert re.search(rf"^def {name}\(", text, re.MULTILINE), cell
