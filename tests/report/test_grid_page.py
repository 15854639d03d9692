"""The page of a grid: every measured score with its interval, in the table and in the figure."""

import html
import io
import re

import numpy as np
import PIL.Image
import pytest

from mer_jax import evaluation
from mer_jax.report import grid, grid_figure, published, ranges, score_table


@pytest.fixture
def results(tmp_path, make_predictions, make_gap):
  """Two systems on two corpora; one cell is over a corpus of one subject, one has no result."""
  made = grid.Results(tmp_path, ["a", "b"], remarks=["Read me."])
  for dataset, subjects in (("casme2", 4), ("samm", 1)):
    run = make_predictions(subjects=((dataset, subjects),), seeds=(0, 1), wrong=0.5)
    folder = tmp_path / "a" / dataset
    made.add("a", dataset, grid.Result(folder, evaluation.summarise(run), 3.0))
  made.add("b", "casme2", grid.Result(tmp_path / "b" / "casme2", None, 1.0, "Every fold stopped."))
  return made


def cells_of(page: str) -> list[list[str]]:
  """The cells of each row of the table of scores, what stands below a score behind a blank."""
  body = page[page.index("<tbody>") : page.index("</tbody>")]
  rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in body.split("</tr>")]
  return [[" ".join(re.sub(r"<[^>]*>", " ", c).split()) for c in row] for row in rows if row]


def test_every_measured_score_has_its_interval(results, tmp_path):
  page = html.unescape(results.write().read_text(encoding="utf-8"))
  first, second, majority = cells_of(page)
  pooled = results.summaries()["a"]["casme2"]["pooled"]
  expected = [
    f"{score_table.number(pooled[key], pooled['std'][key])}"
    f" {score_table.span(pooled['interval'][key])}"
    for key in ("accuracy", "uf1", "uar")
  ]
  assert first[:3] == expected
  alone = results.summaries()["a"]["samm"]["pooled"]
  assert alone["interval"] is None
  assert first[4] == score_table.number(alone["accuracy"], alone["std"]["accuracy"])
  assert second[0] == "–"
  assert not any("–." in cell for cell in majority)
  assert "its 95 % interval" in page


@pytest.mark.parametrize("system", ["ststnet", "own"])
def test_published_numbers_have_a_column_where_there_are_any(system, tmp_path, make_predictions):
  known = published.load("composite")
  made = grid.Results(tmp_path, [system], known)
  summary = evaluation.summarise(make_predictions(subjects=(("casme2", 4),)))
  made.add(system, "megc2019", grid.Result(tmp_path / system, summary, 3.0))
  number = known.numbers.get((system, "megc2019"))
  assert (number is None) == (system == "own")
  assert ("published" in made.console().splitlines()[0]) == (number is not None)
  assert ("(published" in made.line(system, "megc2019")) == (number is not None)


def test_without_any_interval_the_page_speaks_of_none(tmp_path, make_predictions):
  made = grid.Results(tmp_path, ["a"])
  run = make_predictions(subjects=(("samm", 1),))
  made.add("a", "samm", grid.Result(tmp_path / "a" / "samm", evaluation.summarise(run), None))
  assert "interval" not in re.sub(r"<style>.*?</style>", "", made.write().read_text(), flags=re.S)


def ink(dot: grid_figure.Dot) -> np.ndarray:
  panel = grid_figure.Panel("CASME II", [dot] * 2, 0.5)
  with PIL.Image.open(io.BytesIO(grid_figure.draw([panel], "95 %"))) as image:
    return np.asarray(image.convert("L")) < 170


def test_intervals_are_in_the_figure():
  plain = grid_figure.Dot("a", ranges.Range(0.5, None), ranges.Range(0.4, None), 0.6)
  wide = plain._replace(accuracy=ranges.Range(0.5, (0.1, 0.9)), uf1=ranges.Range(0.4, (0.1, 0.9)))
  more = ink(wide) & ~ink(plain)
  rows = more.sum(axis=1) > 100
  # Two systems with two scores each, on lines of their own.
  assert (np.diff(rows.astype(int)) == 1).sum() == 4
