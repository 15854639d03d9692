"""Several runs side by side: files, figure, page and what they say about gaps."""

import csv
import html.parser
import io
import json
import os

import numpy as np
import PIL.Image
import pytest

from mer_jax import evaluation, report
from mer_jax.errors import WorkdirError
from mer_jax.report import dots, score_table, variants


class Links(html.parser.HTMLParser):
  """The tags, links and text of a page."""

  def __init__(self, text: str):
    super().__init__()
    self.tags, self.links, self.sources, self.text = [], [], [], ""
    self.feed(text)
    self.close()

  def handle_starttag(self, tag, attributes):
    self.tags.append(tag)
    found = dict(attributes)
    self.links += [found["href"]] if "href" in found else []
    self.sources += [found["src"]] if "src" in found else []

  def handle_data(self, data):
    self.text += data


@pytest.fixture
def make_run(tmp_path, make_predictions, make_gap):
  def make(name, gap=(), result=True, **options):
    folder = tmp_path / name
    folder.mkdir(parents=True)
    config = {"model": {"name": "ststnet", "branch": name}, "training": {"epochs": 3}}
    if not result:
      return variants.Run(name, folder, config, None, "Every fold was stopped.")
    run = make_gap(make_predictions(**options), gap)
    evaluation.write_csv(folder / "predictions.csv", run)
    report.write(folder)
    return variants.Run(name, folder, config, evaluation.summarise(run))

  return make


@pytest.fixture
def three(make_run):
  return [
    make_run("model.branch=cnn", seeds=(0, 1, 2)),
    make_run("model.branch=lstm", gap=[(0, "casme2", "sub01")], seeds=(0, 1), wrong=0.6),
    make_run("model.branch=both & more", result=False),
  ]


def test_every_number_is_that_of_its_run(tmp_path, three):
  path = variants.write(tmp_path, three, ["Synthetic data."])
  assert path == tmp_path / "variants.html"
  with open(tmp_path / "variants.csv", encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
  content = json.loads((tmp_path / "variants.json").read_text())
  assert [row["name"] for row in rows] == [run.name for run in three]  # not sorted by score
  for run, row, entry in zip(three[:2], rows, content["rows"], strict=False):
    pooled = run.summary["pooled"]
    for key in variants.SCORES:
      assert float(row[key]) == entry["scores"][key]["mean"] == pooled[key]
      assert float(row[f"{key}_std"]) == entry["scores"][key]["std"] == pooled["std"][key]
      ends = pooled["interval"][key]
      assert [float(row[f"{key}_low"]), float(row[f"{key}_high"])] == ends
      assert entry["scores"][key]["interval"] == ends
      assert float(row[f"majority_{key}"]) == run.summary["majority"][key]
      assert list(entry["scores"][key]["per_seed"].values()) == [
        seed[key] for seed in run.summary["per_seed"].values()
      ]
    assert int(row["seeds"]) == len(entry["seeds"]) == len(run.summary["seeds"])
  assert [int(row["missing"]) for row in rows] == [0, 4, 0]
  assert [bool(row["gap"]) for row in rows] == [False, True, True]
  assert rows[2]["uf1"] == rows[2]["uf1_low"] == ""
  assert content["rows"][2]["scores"] == {}
  assert content["config"] == {"model.name": "ststnet", "training.epochs": "3"}
  assert content["rows"][0]["config"] == {"model.branch": "model.branch=cnn"}


def test_the_page_links_the_reports_and_needs_nothing_else(tmp_path, three):
  page = Links(variants.write(tmp_path, three, ["Synthetic data."]).read_text(encoding="utf-8"))
  assert page.links == ["model.branch%3Dcnn/report.html", "model.branch%3Dlstm/report.html"]
  (picture,) = page.sources
  assert picture.startswith("data:image/png;base64,")
  assert not {"script", "link", "iframe", "object", "base"} & set(page.tags)
  for text in (
    variants.SELECTION_REMARK,
    "Synthetic data.",
    "different clips",
    "model.branch=both & more",
  ):
    assert text in page.text
  assert "16 of 20" not in page.text  # the seed that predicted all of them is told, too
  assert "16–20 of 20" in page.text
  assert "4 of 20 clips, in 1 of 2 seeds, have no prediction" in page.text
  assert "Every fold was stopped." in page.text
  for run in three[:2]:
    pooled = run.summary["pooled"]
    assert score_table.number(pooled["uf1"], pooled["std"]["uf1"]) in page.text


def test_console(three):
  text = variants.console(three, ["Synthetic data."])
  head, rule, *lines = text.split("\n\n")[0].splitlines()
  assert head.split() == ["seeds", "UF1", "UAR", "accuracy", "clips", "gap"]
  assert set(rule) == {"-"}
  assert [line.startswith(run.name) for run, line in zip(three, lines, strict=True)] == [True] * 3
  assert lines[1].split()[-3:] == ["1", "fold", "stopped"]
  assert lines[2].split()[-2:] == ["no", "result"]
  assert variants.SELECTION_REMARK in text
  assert text.splitlines()[-1] == "Note: Synthetic data."


def test_intervals_stand_below_the_scores(tmp_path, three, make_run):
  page = Links(variants.write(tmp_path, three).read_text(encoding="utf-8"))
  for run in three[:2]:
    for key in variants.SCORES:
      assert score_table.span(run.summary["pooled"]["interval"][key]) in page.text
  assert page.text.count("its 95 % interval") == 1
  alone = make_run("one", subjects=(("casme2", 1), ("smic", 1)))
  page = Links(variants.write(tmp_path, [alone]).read_text(encoding="utf-8"))
  assert "% interval" not in page.text
  with open(tmp_path / "variants.csv", encoding="utf-8") as file:
    (row,) = csv.DictReader(file)
  assert row["uf1"]
  assert row["uf1_low"] == row["uf1_high"] == ""


def test_intervals_are_in_the_figure():
  score = dots.Score(0.5, 0.0, [0.5], 0.3)
  wide = score._replace(interval=(0.2, 0.9))
  names = ("UF1", "UAR", "accuracy")

  def drawn(*scores, level="95 %"):
    lines = [dots.Line(str(n), dict.fromkeys(names, one), "") for n, one in enumerate(scores)]
    with PIL.Image.open(io.BytesIO(dots.draw(lines, level))) as image:
      return np.asarray(image.convert("L")) < 200

  # With the same axis and legend, the interval adds ink of the width that it has.
  more = drawn(wide, wide) & ~drawn(score, wide)
  assert more.any(axis=0).sum() > 100
  assert not (drawn(wide, score) & ~drawn(wide, wide)).any(axis=0).sum() > 100


def by_corpus(run):
  predictions = evaluation.read_csv(run.folder / "predictions.csv")
  predictions = predictions._replace(fold=predictions.dataset)
  return run._replace(summary=evaluation.summarise(predictions))


def test_rows_that_hold_out_corpora(tmp_path, make_run):
  gap = [(0, "smic", "sub00"), (0, "smic", "sub01")]
  runs = [make_run("a"), by_corpus(make_run("b", gap=gap))]
  assert variants.line(runs[1]).endswith("(1 fold stopped)")
  mixed = variants.write(tmp_path, runs).read_text(encoding="utf-8")
  assert "do not hold out the same: Leave-one-corpus-out, Leave-one-subject-out." in mixed
  assert "Cross-validation, scores pooled over the folds" in mixed
  page = variants.write(tmp_path, runs[1:]).read_text(encoding="utf-8")
  assert "Leave-one-corpus-out, scores pooled over the held-out corpora" in page
  assert "do not hold out the same" not in page


def test_one_line_for_each_run(three):
  lines = [variants.line(run) for run in three]
  pooled = three[0].summary["pooled"]
  uf1 = score_table.number(pooled["uf1"], pooled["std"]["uf1"])
  assert lines[0].startswith(f"model.branch=cnn: UF1 {uf1}, UAR ")
  assert lines[1].endswith("(1 fold stopped)")
  assert lines[2] == "model.branch=both & more: no result"
  assert not any("\n" in line for line in lines)


def test_complete_rows_over_the_same_clips_are_only_warned_of_choosing(make_run):
  runs = [make_run("a"), make_run("b", wrong=0.5)]
  assert variants.console(runs).count("Note:") == 1
  other = make_run("c", subjects=(("casme2", 4),))
  assert "different clips" in variants.console([*runs, other])
  assert variants.console(runs[:1]).count("Note:") == 0  # there is no choice


@pytest.mark.parametrize("count", [1, 2, 30])
def test_the_figure_grows_with_the_rows(count):
  score = dots.Score(0.5, 0.1, [0.4, 0.6], 0.3)
  scores = dict.fromkeys(("UF1", "UAR", "accuracy"), score)
  lines = [dots.Line(f"learning_rate={i}" * (i + 1), scores, "") for i in range(count)]
  with PIL.Image.open(io.BytesIO(dots.draw(lines))) as image:
    assert image.height >= 40 * count
    assert image.width == 1500
    assert np.asarray(image.convert("L")).min() < 128


def test_a_figure_of_runs_without_a_result(make_run, tmp_path):
  variants.write(tmp_path, [make_run("a", result=False), make_run("b", result=False)])
  assert (tmp_path / "figures" / "variants.png").read_bytes().startswith(b"\x89PNG")


def test_equal_runs_give_equal_files(tmp_path, three):
  names = ("variants.html", "variants.csv", "variants.json", "figures/variants.png")
  variants.write(tmp_path, three)
  first = [(tmp_path / name).read_bytes() for name in names]
  variants.write(tmp_path, three)
  assert [(tmp_path / name).read_bytes() for name in names] == first


def test_names_cannot_break_the_page(make_run, tmp_path):
  run = make_run("a")
  evil = "<script>alert('x')</script>,\"$x_1$"
  page = Links(variants.write(tmp_path, [run._replace(name=evil), run]).read_text("utf-8"))
  assert "script" not in page.tags
  assert evil in page.text
  with open(tmp_path / "variants.csv", encoding="utf-8") as file:
    assert next(csv.DictReader(file))["name"] == evil


def test_a_failing_disk_leaves_the_old_table(tmp_path, make_run, monkeypatch):
  runs = [make_run("a"), make_run("b")]
  variants.write(tmp_path, runs)
  before = {p: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()}

  def full(descriptor):
    raise OSError(28, "No space left on device")

  monkeypatch.setattr(os, "fsync", full)
  with pytest.raises(WorkdirError, match="No space"):
    variants.write(tmp_path, runs[:1])
  assert {p: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()} == before
