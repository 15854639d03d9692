import numpy as np

from mer_jax.evaluation.predictions import select
from mer_jax.evaluation.summary import summarise
from mer_jax.report import score_table


def test_console_shows_every_score(make_predictions):
  run = make_predictions()
  summary = summarise(run)
  text = score_table.console(summary, run.class_names)
  lines = text.splitlines()
  assert lines[0] == "20 clips, 5 held-out subjects, 3 classes, 1 seed"
  interval = "  95 % interval"
  starts = ["pooled", interval, "  casme2", interval, "  smic", interval, "always 'negative'"]
  starts += ["fold mean, absent class = 0", "fold mean, absent class skipped"]
  starts += ["fold mean, absent class = 1"]
  first = next(i for i, line in enumerate(lines) if line.startswith("pooled"))
  table_lines = lines[first : lines.index("", first)]
  assert [line.startswith(s) for line, s in zip(table_lines, starts, strict=True)] == [True] * 10
  pooled = summary["pooled"]
  assert lines[first].split()[1:] == [
    "20",
    *(score_table.number(pooled[key]) for key in ("accuracy", "precision", "uar", "uf1")),
  ]
  ends = (
    score_table.span(pooled["interval"][key]) for key in ("accuracy", "precision", "uar", "uf1")
  )
  assert lines[first + 1].split()[3:] == [*ends]
  last = [line for line in lines if line.startswith("surprise ")][-1]
  assert last.split() == ["surprise", *map(str, pooled["confusion"][2])]
  assert lines[-1].startswith("95 % intervals are from a bootstrap over the 5 held-out subjects")


def test_remarks_stand_last(make_predictions):
  run = make_predictions()
  text = score_table.console(summarise(run), run.class_names, ["Synthetic data."])
  assert text.splitlines()[-1] == "Note: Synthetic data."


def test_columns_are_aligned(make_predictions):
  run = make_predictions(names=("a", "rather long name", "c"), seeds=(0, 1, 2))
  for block in score_table.console(summarise(run), run.class_names).split("\n\n")[1:4]:
    head, rule, *lines = block.splitlines()
    assert set(rule) == {"-"}
    assert {len(line) for line in [head, *lines]} == {len(head)}
    assert len(rule) == len(head)


def test_several_seeds_have_a_spread(make_predictions):
  run = make_predictions(seeds=(0, 1))
  summary = summarise(run)
  text = score_table.console(summary, run.class_names)
  pooled = summary["pooled"]
  assert f"{score_table.number(pooled['uf1'])} ±{score_table.number(pooled['std']['uf1'])}" in text
  assert "2 seeds" in text
  assert "means over the seeds" in text


def test_an_absent_class_is_pointed_out(make_predictions):
  run = make_predictions()
  assert not score_table.notes(summarise(run))
  some = select(run, ~((run.dataset == "smic") & (run.label == 1)))
  (note,) = score_table.notes(summarise(some))
  assert note.startswith("No clip of positive in smic")
  (note,) = score_table.notes(summarise(select(some, some.dataset == "smic")))
  assert note.startswith("No clip of positive in the pooled table")


def test_numbers():
  assert [score_table.number(v) for v in (0.0, 0.73526, 0.99996, 1.0)] == [
    ".0000",
    ".7353",
    "1.0000",
    "1.0000",
  ]
  assert score_table.number(0.5, 0.0123) == ".5000 ±.0123"
  assert score_table.number(np.float64(0.25)) == ".2500"


def test_intervals():
  assert score_table.span([0.66771, 0.77519]) == ".668–.775"
  assert score_table.span([0.0, 1.0]) == ".000–1.000"
  assert [score_table.percent(level) for level in (0.95, 0.9, 0.995)] == ["95 %", "90 %", "99.5 %"]


def test_one_subject_has_no_interval(make_predictions):
  run = make_predictions(subjects=(("casme2", 1), ("smic", 1)))
  summary = summarise(run)
  assert summary["pooled"]["interval"] is None
  assert "interval" not in score_table.console(summary, run.class_names)
  run = make_predictions(subjects=(("casme2", 3), ("smic", 1)))
  kinds = [row.kind for row in score_table.rows(summarise(run))]
  assert kinds[:4] == ["pooled", "interval", "dataset", "interval"]
  assert kinds[4:6] == ["dataset", "majority"]


def test_the_ensemble_of_seeds_has_a_row_of_its_own(make_predictions):
  run = make_predictions(seeds=(0, 1))
  summary = summarise(run)
  rows = score_table.rows(summary)
  assert [row.kind for row in rows[:4]] == ["pooled", "interval", "ensemble", "interval"]
  assert rows[2].name == "ensemble of 2 seeds"
  assert rows[2].clips == "20"
  assert rows[2].cells[-1] == score_table.number(summary["ensemble"]["uf1"])
  text = score_table.console(summary, run.class_names)
  assert "The ensemble names the class whose probability" in text
  assert "ensemble" not in score_table.console(summarise(make_predictions()), run.class_names)


def test_a_gap_is_told_and_marked(make_predictions, make_gap):
  run = make_predictions()
  assert score_table.gap(summarise(run)) is None
  run = make_gap(run, [(0, "casme2", "sub01"), (0, "smic", "sub00"), (0, "smic", "sub01")])
  summary = summarise(run)
  text = score_table.console(summary, run.class_names, ["Synthetic data."])
  lines = text.splitlines()
  assert lines[0] == "20 clips, 5 held-out subjects, 3 classes, 1 seed, with a gap"
  rows = {row.name: row for row in score_table.rows(summary)}
  assert rows["pooled"].clips == "8 of 20"
  assert rows["casme2"].clips == "8 of 12"
  assert rows["smic"].clips == "0 of 8"
  assert rows["smic"].cells == ["–"] * 4
  (gap,) = [line for line in lines if line.startswith("Gap: ")]
  assert "12 of 20 clips have no prediction" in gap
  assert "casme2/sub01, smic/sub00, smic/sub01." in gap
  assert lines.index(gap) < lines.index("Note: Synthetic data.")


def test_a_seed_that_lost_every_fold_is_named(make_predictions, make_gap):
  run = make_predictions(seeds=(3, 4, 5))
  lost = [(4, str(d), str(s)) for d, s in zip(run.dataset, run.subject, strict=True)]
  summary = summarise(make_gap(run, lost))
  assert "20 of 20 clips, in 1 of 3 seeds," in score_table.gap(summary)
  assert "No fold of seed 4 ended" in score_table.gap(summary)
  assert score_table.rows(summary)[0].clips == "20 of 20"


def test_folds_that_are_corpora(make_predictions, make_gap):
  run = make_predictions()
  run = run._replace(fold=run.dataset)
  summary = summarise(run)
  lines = score_table.console(summary, run.class_names).splitlines()
  assert lines[0] == "20 clips, 2 held-out corpora, 3 classes, 1 seed"
  assert "bootstrap over the 5 subjects of the held-out corpora" in lines[-1]
  assert lines[-1].endswith(
    "Neither the spread over seeds nor what other corpora would give is in them."
  )
  lost = [(0, "smic", "sub00"), (0, "smic", "sub01")]
  text = score_table.gap(summarise(make_gap(run, lost)))
  assert text.startswith("8 of 20 clips have no prediction")
  assert "training was stopped in 1 fold: smic." in text


def test_one_fold_of_another_kind(make_predictions):
  run = make_predictions()
  run = run._replace(fold=np.full(20, "first half"))
  summary = summarise(run)
  assert score_table.heading(summary) == "20 clips, 1 fold, 3 classes, 1 seed"
  assert "bootstrap over the 5 subjects (" in score_table.interval_note(summary)[0]


def test_ends_of_intervals(make_predictions):
  pooled = summarise(make_predictions())["pooled"]
  low, high = score_table.ends(pooled)
  assert set(low) == set(high) == set(score_table.COLUMNS)
  assert all([low[key], high[key]] == pooled["interval"][key] for key in low)
  assert score_table.ends({**pooled, "interval": None}) == ({}, {}) == score_table.ends({})


def test_many_stopped_folds_are_not_all_named(make_predictions, make_gap):
  run = make_predictions(subjects=(("casme2", 40),))
  gap = score_table.gap(summarise(make_gap(run, [(0, "casme2", f"sub{s:02d}") for s in range(30)])))
  assert gap.count("casme2/") == 8
  assert "stopped in 30 folds" in gap
  assert "and 22 more." in gap


def test_an_absent_class_of_a_gap_is_no_absent_class_of_the_corpus(make_predictions, make_gap):
  run = make_predictions(subjects=(("casme2", 3),), clips_each=1)
  (note,) = score_table.notes(summarise(make_gap(run, [(0, "casme2", "sub01")])))
  assert note.startswith("No predicted clip of positive in the pooled table")
