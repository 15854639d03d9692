import numpy as np

from mer_jax.evaluation.predictions import select
from mer_jax.evaluation.summary import summarise
from mer_jax.report import table


def test_console_shows_every_score(make_predictions):
  run = make_predictions()
  summary = summarise(run)
  text = table.console(summary, run.class_names)
  lines = text.splitlines()
  assert lines[0] == "20 clips, 5 held-out subjects, 3 classes, 1 seed"
  starts = ["pooled", "  casme2", "  smic", "always 'negative'"]
  starts += ["fold mean, absent class = 0", "fold mean, absent class skipped"]
  starts += ["fold mean, absent class = 1"]
  first = next(i for i, line in enumerate(lines) if line.startswith("pooled"))
  assert [line.startswith(s) for line, s in zip(lines[first:], starts, strict=False)] == [True] * 7
  pooled = summary["pooled"]
  assert lines[first].split()[1:] == [
    "20",
    *(table.number(pooled[key]) for key in ("accuracy", "precision", "uar", "uf1")),
  ]
  assert lines[-1].split() == ["surprise", *map(str, pooled["confusion"][2])]


def test_remarks_stand_last(make_predictions):
  run = make_predictions()
  text = table.console(summarise(run), run.class_names, ["Synthetic data."])
  assert text.splitlines()[-1] == "Note: Synthetic data."


def test_columns_are_aligned(make_predictions):
  run = make_predictions(names=("a", "rather long name", "c"), seeds=(0, 1, 2))
  for block in table.console(summarise(run), run.class_names).split("\n\n")[1:4]:
    head, rule, *lines = block.splitlines()
    assert set(rule) == {"-"}
    assert {len(line) for line in [head, *lines]} == {len(head)}
    assert len(rule) == len(head)


def test_several_seeds_have_a_spread(make_predictions):
  run = make_predictions(seeds=(0, 1))
  summary = summarise(run)
  text = table.console(summary, run.class_names)
  pooled = summary["pooled"]
  assert f"{table.number(pooled['uf1'])} ±{table.number(pooled['std']['uf1'])}" in text
  assert "2 seeds" in text
  assert "means over the seeds" in text


def test_an_absent_class_is_pointed_out(make_predictions):
  run = make_predictions()
  assert not table.notes(summarise(run))
  some = select(run, ~((run.dataset == "smic") & (run.label == 1)))
  (note,) = table.notes(summarise(some))
  assert note.startswith("No clip of positive in smic")
  (note,) = table.notes(summarise(select(some, some.dataset == "smic")))
  assert note.startswith("No clip of positive in the pooled table")


def test_numbers():
  assert [table.number(v) for v in (0.0, 0.73526, 0.99996, 1.0)] == [
    ".0000",
    ".7353",
    "1.0000",
    "1.0000",
  ]
  assert table.number(0.5, 0.0123) == ".5000 ±.0123"
  assert table.number(np.float64(0.25)) == ".2500"
