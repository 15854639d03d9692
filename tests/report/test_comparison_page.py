"""Runs compared clip by clip: tables, page and figures."""

import csv
import html
import html.parser
import io
import json
import os
import re

import numpy as np
import PIL.Image
import pytest

from mer_jax.errors import WorkdirError
from mer_jax.report import comparison, comparison_page, ranges, score_table


def score(mean, **more):
  return {"mean": mean, "std": None, "interval": [mean - 0.05, mean + 0.06], **more}


def run(name, shift=0.0, seeds=(0,), chance=False):
  scores = {key: score(0.5 + shift + 0.1 * i) for i, key in enumerate(score_table.HEADLINE)}
  if len(seeds) > 1:
    scores = {key: {**entry, "std": 0.0123} for key, entry in scores.items()}
  shuffled = {
    key: {"observed": scores[key]["mean"], "mean": 0.31, "quantile": 0.36, "p": 0.0012}
    for key in score_table.HEADLINE
  }
  return {
    "name": name,
    "path": f"runs/{name}/predictions.csv",
    "seeds": list(seeds),
    "scores": scores,
    "chance": dict.fromkeys(comparison.SCHEMES, shuffled) if chance else None,
  }


def pair(a, b, mcnemar=True):
  scores = {
    key: {"difference": 0.0512, "interval": [-0.0104, 0.1], "p": 0.00001, "p_holm": 0.041}
    for key in score_table.HEADLINE
  }
  test = {"a_only": 12, "b_only": 31, "p": 0.0054, "p_holm": 0.0108}
  clip = {"dataset": "smic", "subject": "s1", "truth": "positive"}
  changed = [
    {**clip, "clip": f"c_{a}", "a": "positive", "b": "surprise", "right": "a"},
    {**clip, "clip": f"c_{b}", "a": "negative 2, surprise 1", "b": "positive", "right": "b"},
  ]
  tests = {"mcnemar": test if mcnemar else None, "changed": changed}
  return {"a": a, "b": b, "scores": scores, **tests}


def content(names=("flow", "frames"), remarks=(), clips=442, **options):
  runs = [run(name, 0.05 * i, **options) for i, name in enumerate(names)]
  return {
    "level": 0.95,
    "resamples": 5000,
    "permutation": 1000,
    "classes": ["negative", "positive", "surprise"],
    "datasets": ["casme2", "smic"],
    "clips": clips,
    "clips_in_all": 442,
    "subjects": 40,
    "runs": runs,
    "comparisons": [pair(names[0], name) for name in names[1:]],
    "config": {"fields": [], "absent": []},
    "remarks": list(remarks),
  }


class Page(html.parser.HTMLParser):
  def __init__(self, text: str):
    super().__init__()
    self.tags, self.references, self.alts, self.text = [], [], [], ""
    self.feed(text)
    self.close()

  def handle_starttag(self, tag, attributes):
    self.tags.append(tag)
    found = dict(attributes)
    self.references += [found[key] for key in ("src", "href") if key in found]
    self.alts += [found["alt"]] if "alt" in found else []

  def handle_data(self, data):
    self.text += data


def test_console():
  blocks = comparison.console(content(remarks=["Few subjects."])).split("\n\n")
  assert blocks[0] == (
    "442 clips of 40 held-out subjects, casme2 + smic: negative, positive, surprise"
  )
  scores, differences = (block.splitlines() for block in blocks[1:3])
  assert scores[0].split() == ["seeds", "UF1", "UAR", "accuracy"]
  assert scores[2].split() == [
    *("flow", "1", ".5000", "(.450–.560)", ".6000", "(.550–.660)", ".7000", "(.650–.760)")
  ]
  assert differences[2].split() == [
    *("frames", "minus", "flow", "UF1", "+.0512", "−.0104", "to", "+.1000", "<.0001", ".0410")
  ]
  assert differences[-1].split() == [*("McNemar", "31", "against", "12", "clips", ".0054", ".0108")]
  for block in (scores, differences):
    assert len({len(line) for line in [block[0], *block[2:]]}) == 1
  assert blocks[-1] == "Note: Few subjects."


def test_one_run_with_the_level_of_chance():
  text = comparison.console(content(names=("flow",), chance=True, seeds=(0, 1)))
  assert "minus" not in text
  assert "McNemar" not in text
  assert ".5000 ±.0123 (.450–.560)" in text
  lines = [line for line in text.splitlines() if ": labels shuffled" in line]
  assert len(lines) == 2
  assert all(line.split()[-5:] == ["UF1", ".3100", ".3600", ".5000", ".0012"] for line in lines)
  assert "1000 shuffles" in text


def test_a_gap_is_counted():
  assert comparison.heading(content(clips=430)).startswith("430 of 442 clips of 40")


def test_numbers():
  assert [comparison.signed(v) for v in (0.0512, -0.031, 0.0, -0.00001, 1.0)] == [
    *("+.0512", "−.0310", ".0000", ".0000", "+1.0000")
  ]
  assert [comparison.probability(p) for p in (1.0, 0.05, 0.0001, 0.00004, 0.0)] == [
    *("1.0000", ".0500", ".0001", "<.0001", "<.0001")
  ]


@pytest.mark.parametrize(
  ("names", "chance", "pictures"),
  [(("a",), False, 1), (("a", "b"), True, 2), (tuple("abcdefghij"), False, 2)],
)
def test_the_page_shows_the_tables_and_needs_nothing_else(tmp_path, names, chance, pictures):
  given = content(names, remarks=["Read me & weep."], chance=chance)
  page = Page(comparison_page.write(tmp_path, given).read_text(encoding="utf-8"))
  for rows in (comparison.scores(given), comparison.differences(given), comparison.chance(given)):
    for cell in (cell for row in rows for cell in row):
      assert cell in page.text
  for text in (*comparison.explanations(given), "Read me & weep.", "runs/a/predictions.csv"):
    assert text in page.text
  assert len(page.references) == len(page.alts) == pictures
  assert all(link.startswith("data:image/png;base64,") for link in page.references)
  assert not {"link", "iframe"} & set(page.tags)
  assert page.tags.count("script") == 1  # that which sorts tables
  written = sorted(path.name for path in (tmp_path / "figures").iterdir())
  assert written == ["comparison_differences.png", "comparison_scores.png"][-pictures:]


def test_the_page_shows_which_fields_differ_and_which_clips_changed_sides(tmp_path):
  given = content(("a", "b", "c"), seeds=(0, 1))
  fields = [{"field": "training.epochs", "values": ["5", "<7>", None]}]
  given["config"] = {"fields": fields, "absent": ["c"]}
  page = comparison_page.write(tmp_path, given).read_text(encoding="utf-8")
  # A blank between any two cells.
  text = " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())
  assert "field a b c training.epochs 5 <7> –" in text
  assert "no config.json to read beside the predictions of c." in text
  for name in ("b", "c"):
    assert f"Clips that changed sides: {name} and a" in text
    assert f"1 clips are right in {name} and wrong in a; 1 the other way round." in text
    assert f"smic s1 c_{name} positive negative 2, surprise 1 positive {name}" in text
  assert "smic s1 c_a positive positive surprise a" in text
  assert "more than half must agree" in text


def test_what_the_page_says_where_nothing_differs(tmp_path):
  given = content(("a", "b"))
  given["comparisons"][0]["changed"] = []
  text = Page(comparison_page.write(tmp_path, given).read_text(encoding="utf-8")).text
  assert "No field that decides what a run computes differs between the runs." in text
  assert "0 clips are right in b and wrong in a; 0 the other way round." in text
  given["config"]["absent"] = ["a", "b"]
  text = Page(comparison_page.write(tmp_path, given).read_text(encoding="utf-8")).text
  assert "No field that decides" not in text
  alone = Page(comparison_page.write(tmp_path, content(("a",))).read_text(encoding="utf-8")).text
  assert "changed sides" not in alone
  assert "differs in the configs" not in alone


def test_the_files_hold_every_digit(tmp_path):
  given = content(("a", "b", "c"), chance=True)
  comparison_page.write(tmp_path, given)
  assert json.loads((tmp_path / "comparison.json").read_text()) == given
  with open(tmp_path / "comparison.csv", encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
  assert [(row["run"], row["minus"]) for row in rows[::3]] == [
    *(("a", ""), ("b", ""), ("c", ""), ("b", "a"), ("c", "a"))
  ]
  assert [row["score"] for row in rows[:3]] == list(score_table.HEADLINE)
  assert float(rows[3]["value"]) == given["runs"][1]["scores"]["uf1"]["mean"]
  assert float(rows[3]["p_chance_subjects"]) == 0.0012
  assert rows[3]["p"] == rows[9]["chance_clips"] == ""
  assert (float(rows[9]["low"]), float(rows[9]["p_holm"])) == (-0.0104, 0.041)


def test_equal_comparisons_give_equal_files(tmp_path):
  comparison_page.write(tmp_path, content())
  first = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
  comparison_page.write(tmp_path, content())
  assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == first


def test_names_cannot_break_the_page(tmp_path):
  evil = "<script>alert('x')</script>,\"$x_1$"
  page = Page(comparison_page.write(tmp_path, content((evil, "b"))).read_text("utf-8"))
  assert page.tags.count("script") == 1
  assert evil in page.text
  with open(tmp_path / "comparison.csv", encoding="utf-8") as file:
    assert next(csv.DictReader(file))["run"] == evil


def test_no_interval(tmp_path):
  given = content()
  for entry in (given["runs"][0]["scores"]["uf1"], given["comparisons"][0]["scores"]["uf1"]):
    entry["interval"] = None
  comparison_page.write(tmp_path, given)
  assert comparison.scores(given)[1][2] == ".5000"
  assert comparison.differences(given)[1][3] == "–"


@pytest.mark.parametrize("count", [1, 30])
def test_the_figure_grows_with_the_lines(count):
  found = ranges.Range(0.05, (-0.01, 0.1))
  lines = [ranges.Line(f"a long name {i} " * 8, {"UF1": found, "UAR": found}) for i in range(count)]
  with PIL.Image.open(io.BytesIO(ranges.draw(lines, "95 %", zero=True))) as image:
    assert image.height >= 40 * count
    assert image.width == 1500
    assert np.asarray(image.convert("L")).min() < 128


def test_a_failing_disk_leaves_the_old_page(tmp_path, monkeypatch):
  comparison_page.write(tmp_path, content())
  before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

  def full(descriptor):
    raise OSError(28, "No space left on device")

  monkeypatch.setattr(os, "fsync", full)
  with pytest.raises(WorkdirError, match="No space"):
    comparison_page.write(tmp_path, content(("c", "d")))
  assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
