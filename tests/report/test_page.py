import dataclasses
import html as html_module
import html.parser
import io
import json
import os
import re

import numpy as np
import PIL.Image
import pytest
from matplotlib.figure import Figure

from mer_jax.clips import FLOW_MAPS
from mer_jax.errors import DataError, WorkdirError
from mer_jax.evaluation.predictions import select
from mer_jax.evaluation.summary import summarise
from mer_jax.report import clip_rows, page, score_table, strips, style

VOID = {"meta", "img", "br", "hr", "link", "input"}


class Checker(html.parser.HTMLParser):
  """Collects what a page refers to and its text; fails on tags that are not closed in order."""

  def __init__(self, text: str):
    super().__init__()
    self.open: list[str] = []
    self.references: list[str] = []
    self.tags: list[str] = []
    self.alts: list[str] = []
    self.text = ""
    self.feed(text)
    self.close()
    assert not self.open

  def handle_starttag(self, tag, attributes):
    self.tags.append(tag)
    if tag not in VOID:
      self.open.append(tag)
    for name, value in attributes:
      if name in ("src", "href", "srcset", "data", "action", "poster", "background"):
        self.references.append(value)
    if tag == "img":
      self.alts.append(dict(attributes).get("alt", ""))

  def handle_endtag(self, tag):
    assert self.open.pop() == tag

  def handle_data(self, data):
    if self.open and self.open[-1] not in ("style", "script"):
      self.text += data


def written(workdir, **options) -> Checker:
  return Checker(page.write(workdir, **options).read_text(encoding="utf-8"))


def is_picture(data: bytes) -> bool:
  with PIL.Image.open(io.BytesIO(data)) as image:
    pixels = np.asarray(image.convert("L"))
  return pixels.min() < 128 and pixels.max() == 255 and min(pixels.shape) > 100


@pytest.mark.parametrize("seeds", [(0,), (3, 5)])
def test_a_whole_report(make_predictions, make_clips, make_workdir, seeds):
  run = make_predictions(seeds=seeds)
  workdir = make_workdir(run)
  before = {path.name: path.read_bytes() for path in workdir.iterdir()}
  found = written(workdir, clips=make_clips(run), remarks=["Synthetic data."])
  summary = summarise(run)
  for row in score_table.rows(summary):
    for cell in row.cells:
      assert cell in found.text
  (note,) = score_table.interval_note(summary)
  assert note in found.text
  for key in ("uf1", "uar", "accuracy"):
    assert f"95 % interval {score_table.span(summary['pooled']['interval'][key])}" in found.text
  for text in ("parallel_cnn_lstm on casme2 + smic", "Synthetic data.", "model.name", "cpu 1"):
    assert text in found.text
  assert ("Per seed" in found.text) == (len(seeds) > 1)
  names = ["clips.png", "confusion.png", "curves.png", "missed.png", "subjects.png"]
  assert sorted(path.name for path in (workdir / "figures").iterdir()) == names
  assert all(is_picture(path.read_bytes()) for path in (workdir / "figures").iterdir())
  assert len(found.alts) == 5
  assert all(found.alts)
  assert {path.name for path in workdir.iterdir()} == {*before, "report.html", "figures"}
  assert {name: (workdir / name).read_bytes() for name in before} == before


def test_a_report_of_folds_that_are_corpora(make_predictions, make_workdir, make_gap):
  run = make_predictions(seeds=(0, 1))
  lost = [(1, "smic", "sub00"), (1, "smic", "sub01")]
  workdir = make_workdir(make_gap(run._replace(fold=run.dataset), lost))
  (workdir / "config.json").unlink()
  found = written(workdir)
  assert "Leave-one-corpus-out on casme2 + smic" in found.text
  assert "Leave-one-corpus-out: 20 clips, 2 held-out corpora" in found.text
  assert "stopped in 1 fold: smic (seed 1)." in found.text
  assert "In 4 of 4 trainings (one per fold and seed)" in found.text
  assert "added over the held-out corpora" in found.text
  assert "average the scores of single corpora; compare" in found.text
  assert "one-subject-out" not in found.text
  assert any("of 2 folds up to epoch" in alt for alt in found.alts)


def test_the_page_needs_nothing_from_outside(make_predictions, make_clips, make_workdir):
  run = make_predictions()
  workdir = make_workdir(run)
  found = written(workdir, clips=make_clips(run))
  links = [link for link in found.references if not link.startswith("data:image/png;base64,")]
  assert set(links) == {"predictions.csv"}
  assert len(found.references) == 5 + len(links)
  assert not {"link", "iframe", "object", "base"} & set(found.tags)
  text = (workdir / "report.html").read_text(encoding="utf-8")
  assert not re.search(r"https?:|//[a-z]|url\(|@import", re.sub(r'base64,[^"]*', "", text))
  assert (workdir / "report.html").stat().st_size < 3_000_000


def test_equal_runs_give_equal_files(make_predictions, make_clips, make_workdir):
  run = make_predictions()
  workdir = make_workdir(run)
  files = ["report.html", "figures/clips.png", "figures/curves.png"]
  page.write(workdir, clips=make_clips(run))
  first = [(workdir / name).read_bytes() for name in files]
  page.write(workdir, clips=make_clips(run))
  assert [(workdir / name).read_bytes() for name in files] == first


def test_names_cannot_break_the_page(make_predictions, make_clips, make_workdir):
  evil = '<script>alert("x")</script>&$x_1$'
  run = make_predictions(names=(evil, "$a$", "驚き"), subjects=(("<b>ca&sme2", 3),))
  run = run._replace(clip=np.array([f"{clip}<i>'\"$" for clip in run.clip]))
  found = written(make_workdir(run), clips=make_clips(run), remarks=[evil], title=evil)
  assert "i" not in found.tags
  assert found.tags.count("script") == 1  # that which sorts tables
  assert found.tags.count("b") == 3  # the headline's own
  assert found.text.count(evil) >= 3


def test_only_predictions(make_predictions, make_workdir):
  run = make_predictions(subjects=(("casme2", 3),))
  workdir = make_workdir(run)
  for name in ("config.json", "environment.json", "history.jsonl"):
    (workdir / name).unlink()
  found = written(workdir)
  assert "Leave-one-subject-out on casme2" in found.text
  assert "no history.jsonl" in found.text
  assert found.text.count("Not recorded") == 2
  assert len(found.alts) == 2
  assert "sample of clips" not in found.text


@pytest.mark.parametrize(
  "options",
  [
    {"subjects": (("casme2", 1),), "clips_each": 1},  # one clip in all
    {"names": ("only",)},
    {"names": tuple(f"a long class name {i}" for i in range(7))},
    {"subjects": (("casme2", 70),), "clips_each": 1},  # every fold holds one class
    {"subjects": tuple((f"d{i}", 2) for i in range(6))},
    {"wrong": 0.0},
    {"wrong": 1.0},
  ],
)
def test_odd_runs(make_predictions, make_clips, make_workdir, options):
  run = make_predictions(**options)
  workdir = make_workdir(run, epochs=1)
  found = written(workdir, clips=make_clips(run))
  assert len(found.alts) == 4 + bool((run.label != run.prediction).any())
  assert all(is_picture(path.read_bytes()) for path in (workdir / "figures").iterdir())


def test_history_without_a_finite_value(make_predictions, make_workdir):
  run = make_predictions()
  workdir = make_workdir(run)
  text = (workdir / "history.jsonl").read_text()
  (workdir / "history.jsonl").write_text(re.sub(r'"loss": [0-9.]+', '"loss": NaN', text) + '{"ch')
  found = written(workdir)
  assert "In 0 of 5 trainings" in found.text
  assert "15 values of the loss are missing" in found.text
  assert "1 lines of history.jsonl" in found.text


def test_a_fold_that_exploded(make_predictions, make_workdir):
  run = make_predictions()
  workdir = make_workdir(run)
  text = (workdir / "history.jsonl").read_text()
  (workdir / "history.jsonl").write_text(text.replace('"loss": 0.75', '"loss": 1e30', 1))
  assert "In 5 of 5 trainings" in written(workdir).text


@pytest.mark.parametrize("length", [1, 2, 5, 40])
@pytest.mark.parametrize("channels", ["gray", FLOW_MAPS])
def test_strips_of_any_length(make_predictions, make_clips, length, channels):
  run = make_predictions()
  assert is_picture(strips.draw(make_clips(run, length=length, channels=channels), run))


def test_pictures_stand_in_a_figure_pixel_by_pixel():
  picture = np.random.default_rng(0).integers(0, 255, (7, 5, 3), np.uint8)
  figure = Figure(figsize=(1, 0.5))
  with PIL.Image.open(io.BytesIO(style.png_with(figure, [style.Placed(picture, 10, 20)]))) as image:
    pixels = np.array(image.convert("RGB"))
  assert pixels.shape == (style.DPI // 2, style.DPI, 3)
  np.testing.assert_array_equal(pixels[10:17, 20:25], picture)
  pixels[10:17, 20:25] = 255
  assert np.all(pixels == 255)


@pytest.mark.parametrize("size", [(40, 20), (20, 40), (300, 200)])
def test_pictures_of_strips_keep_their_shape(size):
  sized = strips._sized(np.zeros((*size, 3), np.uint8), 100)
  assert max(sized.shape) == 100
  assert abs(sized.shape[0] / sized.shape[1] - size[0] / size[1]) < 0.02


def test_strips_name_onset_apex_and_offset(make_predictions, make_clips):
  run = make_predictions()
  for length in (2, 3, 9, 141):
    clips = make_clips(run, length=length)
    marks = {0: "onset", length - 1: "offset"} | {length // 3: "apex"}
    captions = [tile.caption for tile in strips._tiles(clips, 0)]
    assert {f"{name} {t}" for t, name in marks.items()} <= set(captions)
    assert len(captions) <= 9


def test_clips_shown_are_both_right_and_wrong(make_predictions, make_clips):
  run = make_predictions(wrong=0.5, subjects=(("casme2", 6), ("smic", 6)))
  clips = make_clips(run)
  chosen = strips.choose(clips, run)
  right = run.label == run.prediction
  kinds = [(int(run.label[row]), bool(right[row])) for _, row in chosen]
  assert sorted(kinds) == [(k, r) for k in range(3) for r in (False, True)]
  assert all(clips.name(n).endswith(str(run.clip[row])) for n, row in chosen)
  assert len({clips.subject[n] for n, _ in chosen}) >= 3
  assert {clips.dataset[n] for n, _ in chosen} == {"casme2", "smic"}


def test_clips_that_were_not_predicted_are_left_out(make_predictions, make_clips, make_workdir):
  run = make_predictions()
  clips = make_clips(run)
  some = select(run, run.dataset == "smic")
  assert all(clips.dataset[n] == "smic" for n, _ in strips.choose(clips, some))
  others = clips.select(np.flatnonzero(clips.dataset == "casme2"))
  assert strips.draw(others, some) is None
  assert strips.draw_missed(others, some) is None
  assert "sample of clips" not in written(make_workdir(some), clips=others).text


def test_people_and_drawings_are_told_apart(make_predictions, make_clips, make_workdir):
  run = make_predictions()
  workdir = make_workdir(run)
  assert "no person" in written(workdir, clips=make_clips(run)).text
  assert "licence" in written(workdir, clips=make_clips(run, synthetic=False)).text
  maps = make_clips(run, synthetic=False, channels=FLOW_MAPS)
  assert "Flow maps" in written(workdir, clips=maps).text


def test_frames_of_people_are_in_no_more_than_the_sample(
  make_predictions, make_clips, make_workdir
):
  run = make_predictions(wrong=1.0, subjects=(("casme2", 8),))
  workdir, drawn = make_workdir(run), make_clips(run)
  people = make_clips(run, synthetic=False)
  mixed = dataclasses.replace(
    drawn, synthetic=np.arange(len(drawn)) > 0
  )  # one clip of a person among them
  for clips in (people, mixed):
    assert strips.draw_missed(clips, run) is None
    found = written(workdir, clips=clips)
    assert "Misclassified clips" not in found.text
    assert "sample of clips" in found.text
  assert "No more of them are shown than this sample" in found.text
  maps = make_clips(run, synthetic=False, channels=FLOW_MAPS)
  assert "Misclassified clips" in written(workdir, clips=maps).text


def test_misclassified_clips_are_shown_the_surest_errors_first(make_predictions, make_clips):
  run = make_predictions(wrong=1.0, subjects=(("casme2", 1),))  # 4 clips
  clips = make_clips(run)
  p = run.probabilities.copy()
  for row, sure in enumerate((0.5, 0.6, 0.98, 0.4)):
    p[row, run.prediction[row]] = sure
  shown = strips.choose_missed(clips, run._replace(probabilities=p))
  assert [row for _, row in shown] == [2, 1, 0, 3]
  assert [clips.clip[n] for n, _ in shown] == [run.clip[row] for _, row in shown]
  one = run._replace(prediction=np.where(np.arange(4) == 1, run.prediction, run.label))
  assert [row for _, row in strips.choose_missed(clips, one)] == [1]
  assert is_picture(strips.draw_missed(clips, one))
  many = make_predictions(wrong=1.0, subjects=(("casme2", 20),))
  assert len(strips.choose_missed(make_clips(many), many)) == strips.MISSED


def test_every_clip_has_a_row_with_truth_prediction_and_probabilities(make_predictions, make_gap):
  run = make_gap(make_predictions(wrong=0.5), [(0, "smic", "sub01")])
  table = clip_rows.table(run)
  head = "dataset subject clip truth predicted verdict"
  assert table.head == [*head.split(), "p negative", "p positive", "p surprise"]
  rows = {tuple(row.cells[:3]): row for row in table.rows}
  assert len(rows) == len(table.rows) == len(run.clip)
  for n, key in enumerate(zip(run.dataset, run.subject, run.clip, strict=True)):
    _, _, _, truth, prediction, verdict, *p = rows[tuple(map(str, key))].cells
    assert truth == run.class_names[run.label[n]]
    if run.prediction[n] < 0:
      assert {prediction, verdict, *p} == {"–"}
      continue
    assert prediction == run.class_names[run.prediction[n]]
    assert verdict == ("right" if run.prediction[n] == run.label[n] else "wrong")
    assert rows[tuple(map(str, key))].wrong == (verdict == "wrong")
    assert [float(value) for value in p] == pytest.approx(run.probabilities[n], abs=5e-4)


def test_several_seeds_are_one_row_for_each_clip(make_predictions, make_gap):
  run = make_predictions(seeds=(3, 4, 5), subjects=(("casme2", 2),), wrong=0.0)
  prediction = run.prediction.copy()
  prediction[0] = prediction[8] = 1  # of the first clip, which is negative, in the seeds 3 and 4
  probabilities = run.probabilities.copy()
  probabilities[[0, 8]] = [0.2, 0.7, 0.1]
  run = run._replace(prediction=prediction, probabilities=probabilities)
  table = clip_rows.table(make_gap(run, [(5, "casme2", "sub01")]))
  assert len(table.rows) == 8
  first, second, *_, last = table.rows
  assert first.cells[3:6] == ["negative", "positive 2, negative 1", "1 of 3"]
  assert [float(p) for p in first.cells[6:]] == pytest.approx(
    [1.3 / 3, 1.45 / 3, 0.25 / 3], abs=1e-3
  )
  assert (first.wrong, second.wrong) == (True, False)
  assert second.cells[4:6] == ["positive 3", "3 of 3"]
  assert last.cells[5] == "2 of 2"  # the seed in which its fold was stopped says nothing


def test_the_table_of_clips_is_on_the_page_and_needs_no_script(make_predictions, make_workdir):
  run = make_predictions(seeds=(0, 1))
  workdir = make_workdir(run)
  text = page.write(workdir).read_text(encoding="utf-8")
  body = re.search(r'<table class="sortable clips">.*?</table>', text, re.DOTALL)[0]
  cells = [html_module.unescape(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", body)]
  assert cells == [cell for row in clip_rows.table(run).rows for cell in row.cells]
  assert "<button" not in text  # buttons appear with the script that makes them work
  assert 'href="predictions.csv"' in text
  assert (workdir / "predictions.csv").is_file()


def settings_shown(text: str) -> dict[str, list[str]]:
  """The fields under each heading of the section on the configuration, in their order."""
  section = text[text.index("<h2>Configuration</h2>") : text.index("<h2>Environment</h2>")]
  parts = re.split(r"<h3>(.*?)</h3>", section)[1:]
  return {
    name: re.findall(r'<th scope="row">(.*?)</th>', part)
    for name, part in zip(parts[::2], parts[1::2], strict=True)
  }


def test_what_was_overridden_stands_first(make_predictions, make_workdir):
  workdir = make_workdir(make_predictions())
  config = {
    "seed": 0,
    "model": {"name": "ststnet", "width": 3},
    "sweep": {"momentum": []},
    "training": {"epochs": 7, "batch_size": 25},
  }
  defaults = {"seed": 0, "model": {"name": "x"}, "training": {"epochs": 100, "batch_size": 25}}
  (workdir / "config.json").write_text(json.dumps({"hash": "c0ffee", "config": config}))
  command = (
    "mer_jax train --config=ststnet:casme2 --config.training.epochs=7 --config.sweep.momentum=1"
  )
  environment = {"command": command, "resumed": [{"command": "x --config.seed 0"}]}
  (workdir / "environment.json").write_text(json.dumps(environment))
  text = page.write(workdir, defaults=defaults).read_text(encoding="utf-8")
  assert settings_shown(text) == {
    "Set on the command line": ["seed", "training.epochs"],
    "Set by the config file or in Python": ["model.name", "model.width", "sweep.momentum"],
    "As by default": ["training.batch_size", "hash"],
  }
  assert "settings.default()" in text
  # Where nothing is known of commands or defaults, the page does not pretend to.
  (workdir / "environment.json").unlink()
  shown = settings_shown(page.write(workdir).read_text(encoding="utf-8"))
  assert list(shown) == ["Set on the command line", "All other fields"]
  assert shown["Set on the command line"] == []
  assert len(shown["All other fields"]) == 7


def test_recall_and_uar_are_no_two_columns(make_predictions, make_workdir):
  text = page.write(make_workdir(make_predictions(seeds=(0, 1)))).read_text(encoding="utf-8")
  for head in re.findall(r"<thead>.*?</thead>", text, re.DOTALL):
    columns = re.findall(r"<th[^>]*>(.*?)</th>", head)
    assert not {"recall", "UAR"} <= set(columns)


def test_files_that_cannot_be_read(make_predictions, make_workdir, tmp_path):
  workdir = make_workdir(make_predictions())
  (workdir / "config.json").write_text('{"model": ')
  with pytest.raises(WorkdirError, match=r"config\.json is not JSON"):
    page.write(workdir)
  assert not (workdir / "report.html").exists()
  assert not (workdir / "figures").exists()
  with pytest.raises(DataError, match=r"predictions\.csv"):
    page.write(tmp_path)


def test_a_failing_disk_leaves_the_old_page(make_predictions, make_workdir, monkeypatch):
  workdir = make_workdir(make_predictions())
  page.write(workdir)
  before = (workdir / "report.html").read_bytes()

  def full(descriptor):
    raise OSError(28, "No space left on device")

  monkeypatch.setattr(os, "fsync", full)
  with pytest.raises(WorkdirError, match="No space"):
    page.write(workdir, remarks=["new"])
  assert (workdir / "report.html").read_bytes() == before
  left = [path for path in workdir.rglob("*") if ".tmp" in path.name]
  assert not left


def test_settings_of_matplotlib_are_given_back(make_predictions, make_workdir):
  import matplotlib as mpl

  before = dict(mpl.rcParams)
  page.write(make_workdir(make_predictions()))
  assert dict(mpl.rcParams) == before


ALL_BUT_ONE = [
  (0, "casme2", "sub00"),
  (0, "smic", "sub00"),
  (0, "smic", "sub01"),
  (1, "smic", "sub00"),
]


def stopped_history(workdir, folds, step=5):
  """Rewrites history.jsonl as training leaves it whose `folds` were stopped after one chunk."""
  path = workdir / "history.jsonl"
  lines = [json.loads(line) for line in path.read_text().splitlines()]
  for line in lines:
    if (line["seed"], *line["subject"].split("/")) in folds and line["chunk"]:
      line |= {"loss": None, "accuracy": None, "stopped_at": step}
  path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_gap_stands_before_every_number(make_predictions, make_clips, make_workdir, make_gap):
  run = make_gap(make_predictions(seeds=(0, 1)), ALL_BUT_ONE)
  workdir = make_workdir(run)
  stopped_history(workdir, ALL_BUT_ONE)
  found = written(workdir, clips=make_clips(run), remarks=["Synthetic data."])
  gap = score_table.gap(summarise(run))
  assert "4 to 12 of 20 clips, in 2 of 2 seeds, have no prediction" in gap
  assert "casme2/sub00 (seed 0)" in gap
  text = " ".join(found.text.split())
  places = [text.index(said) for said in (gap, "Synthetic data.", "majority class")]
  assert places == sorted(places)
  assert text.count("over 8–16 of 20 clips") == 3  # each headline
  for said in ("0 (8 of 20 clips)", "1 (16 of 20 clips)", "hatched", "4 trainings were stopped"):
    assert said in text
  assert "values of the loss are missing" not in text
  assert all(is_picture(path.read_bytes()) for path in (workdir / "figures").iterdir())
  assert "1 without a prediction" in " ".join(found.alts)  # smic/sub00, in both seeds


def test_a_page_without_a_gap_says_nothing_of_one(make_predictions, make_workdir):
  found = written(make_workdir(make_predictions()))
  for word in ("gap", "stopped", "hatched", "prediction, because"):
    assert word not in found.text


@pytest.mark.parametrize(
  "folds",
  [
    [(0, "casme2", f"sub0{s}") for s in range(3)],  # the first seed predicted only smic
    [(0, d, f"sub0{s}") for d, n in (("casme2", 3), ("smic", 2)) for s in range(n)],  # nothing
    [(seed, "smic", f"sub0{s}") for seed in (0, 1) for s in range(2)],  # nobody predicted smic
    [(seed, "casme2", f"sub0{s}") for seed in (0, 1) for s in (0, 1)],
  ],
)
def test_figures_of_odd_gaps(make_predictions, make_clips, make_workdir, make_gap, folds):
  run = make_gap(make_predictions(seeds=(0, 1)), folds)
  workdir = make_workdir(run)
  stopped_history(workdir, folds)
  found = written(workdir, clips=make_clips(run))
  assert len(found.alts) == 5
  assert all(is_picture(path.read_bytes()) for path in (workdir / "figures").iterdir())


def test_strips_show_clips_that_were_predicted(make_predictions, make_clips, make_gap):
  folds = [(0, "casme2", f"sub0{s}") for s in range(3)]
  run = make_gap(make_predictions(), folds)
  chosen = strips.choose(make_clips(run), run)
  assert chosen
  assert all(run.dataset[row] == "smic" for _, row in chosen)
  every = [*folds, (0, "smic", "sub00"), (0, "smic", "sub01")]
  assert strips.choose(make_clips(run), make_gap(run, every)) == []
