"""Sweeps and variants: what runs, where it is left, and the table that compares it."""

import csv
import json
import sys

import numpy as np
import pytest
from absl import flags
from ml_collections import config_flags

from mer_jax import errors, evaluation
from mer_jax.experiment import data, identity, settings, sweep, variants


@pytest.fixture
def fake(config, monkeypatch):
  """Stands in for run.run: predicts at random; what `behave` raises or stops happens."""
  split = data.load_split(config)
  calls = []

  def run(config, path, *, quiet=False):
    calls.append(path.name)
    points = sweep.settings_of(config)
    gaps = []
    for seed, point in enumerate(points):
      p = np.random.default_rng(seed).dirichlet(np.ones(3), (1, len(split.labels)))
      stopped = run.stops(path.name, point.name)
      p[:, split.held_out[: {"some": 2, "all": None}[stopped]].any(axis=0) if stopped else []] = (
        np.nan
      )
      gaps += [point.name] if stopped else []
      folder = path / point.name
      folder.mkdir(parents=True, exist_ok=True)
      found = evaluation.predictions_of([0], split, p)
      evaluation.write_csv(folder / "predictions.csv", found)
    if gaps:
      raise errors.TrainingError(f"folds were stopped in {gaps}")

  run.stops = lambda variant, point: None
  run.calls = calls
  monkeypatch.setattr(variants.single, "run", run)
  return run


def vary(config, field, *values):
  config.variants.field, config.variants.values = field, values
  return config


def rows_of(folder):
  with open(folder / "variants.csv", encoding="utf-8") as file:
    return list(csv.DictReader(file))


@pytest.mark.parametrize(
  ("field", "values", "names", "taken"),
  [
    ("model.branch", ("cnn", "lstm"), ["model.branch=cnn", "model.branch=lstm"], ["cnn", "lstm"]),
    ("model.branch", ("cnn, lstm",), ["model.branch=cnn", "model.branch=lstm"], ["cnn", "lstm"]),
    ("training.epochs", (1, 3), ["training.epochs=1", "training.epochs=3"], [1, 3]),
    ("optimizer.momentum", (0, 0.5), ["optimizer.momentum=0", "optimizer.momentum=0.5"], [0, 0.5]),
    ("model.mask_padding", (True,), ["model.mask_padding=True"], [True]),
    (
      "model.channels",
      ((8, 16), (4,)),
      ["model.channels=8,16", "model.channels=4"],
      [(8, 16), (4,)],
    ),
    ("data.data_dir", ("a/b",), ["data.data_dir=a_b"], ["a/b"]),
    ("seed", (7,), ["seed=7"], [7]),
  ],
)
def test_a_variant_is_the_config_with_one_field_changed(config, field, values, names, taken):
  found = variants.expand(vary(config, field, *values))
  assert [variant.name for variant in found] == names
  plain = identity.fields(settings.to_json(config)) | {"variants.field": ""}
  for variant, value in zip(found, taken, strict=True):
    now = settings.field(variant.config, field)
    assert (now, type(now)) == (value, type(settings.field(config, field)))
    changed = identity.fields(settings.to_json(variant.config))
    assert {key for key in plain if plain[key] != changed[key]} <= {field}
  assert config.variants.field == field  # the config given is left as it was


@pytest.mark.parametrize(
  ("field", "values", "says"),
  [
    ("model.brunch", ("cnn",), r"'model\.brunch'\. Did you mean 'model\.branch'"),
    ("branch", ("cnn",), r"Did you mean 'model\.branch'"),
    ("model", ("x",), "Unknown config.variants.field 'model'"),
    ("", ("cnn",), r"variants\.field is missing"),
    ("model.branch", (), r"variants\.values is missing"),
    ("model.branch", (1,), r"holds 1; config\.model\.branch takes a str, such as 'both'"),
    ("training.epochs", (1.5,), r"holds 1\.5; config\.training\.epochs takes a int"),
    ("training.epochs", (True,), "holds True"),
    ("training.epochs", ("1,x",), "holds '1'"),
    ("training.epochs", (0,), "epochs is 0; it must be >= 1"),
    ("optimizer.learning_rate", ("fast",), "holds 'fast'"),
    ("model.channels", (8, 16), r"holds 8; .* takes a tuple, such as .*\(\(8,16\),\(8,16,32\)\)"),
    ("model.channels", ((8, "x"),), "holds 'x'"),
    ("model.mask_padding", ("yes",), "takes a bool"),
    ("sweep.learning_rate", ((0.1,),), "cannot vary the sweep"),
    ("variants.values", ("x",), "cannot vary the variants"),
    ("model.branch", ("cnn", "cnn"), "twice"),
  ],
)
def test_what_does_not_fit_is_named_before_anything_runs(
  config, tmp_path, fake, field, values, says
):
  with pytest.raises(errors.ConfigError, match=says):
    variants.run(vary(config, field, *values), tmp_path / "study")
  assert not fake.calls
  assert not (tmp_path / "study").exists()


def test_sweep_and_variants_cannot_vary_the_same(config):
  config.sweep.learning_rate = (0.1, 0.2)
  with pytest.raises(errors.ConfigError, match=r"both vary config\.optimizer\.learning_rate"):
    variants.expand(vary(config, "optimizer.learning_rate", 0.3))


@pytest.mark.parametrize(
  ("field", "values", "says"),
  [
    ("model.branch", ("cnn", "lsmt"), "model.branch=lsmt: .*lstm"),
    ("input.name", ("onset_difference", "flwo"), "input.name=flwo: .*'flow'"),
    ("input.name", ("padded_frames", "flow"), "input.name=flow: "),
    ("model.name", ("parallel_cnn_lstm", "ststnet"), "model.name=ststnet: "),
    ("optimizer.name", ("sgd", "sdg"), "optimizer.name=sdg: .*'sgd'"),
    ("protocol.name", ("three_class", "two"), "protocol.name=two: "),
  ],
)
def test_a_later_variant_that_cannot_run_is_found_first(
  config, tmp_path, fake, field, values, says
):
  with pytest.raises(errors.ConfigError, match=says):
    variants.run(vary(config, field, *values), tmp_path / "study")
  assert not fake.calls
  assert not (tmp_path / "study").exists()


@pytest.mark.parametrize(
  ("field", "given", "taken"),
  [
    ("model.branch", "cnn,lstm", ["cnn", "lstm"]),
    ("model.branch", "('cnn','lstm')", ["cnn", "lstm"]),
    ("model.branch", "'cnn','lstm'", ["cnn", "lstm"]),
    ("model.branch", "cnn, lstm", ["cnn", "lstm"]),
    ("model.branch", "cnn", ["cnn"]),
    ("training.epochs", "1,2", [1, 2]),
    ("training.epochs", "5", [5]),
    ("optimizer.momentum", "1e-3,0", [0.001, 0.0]),
    ("model.mask_padding", "True,False", [True, False]),
    ("model.channels", "((8,16),(4,))", [(8, 16), (4,)]),
  ],
)
def test_values_on_the_command_line(config, monkeypatch, field, given, taken):
  line = ["x", f"--config.variants.field={field}", f"--config.variants.values={given}"]
  monkeypatch.setattr(sys, "argv", line)  # where ml_collections finds the fields to define
  values = flags.FlagValues()
  config_flags.DEFINE_config_dict("config", config, flag_values=values)
  values(line)
  found = [settings.field(variant.config, field) for variant in variants.expand(values.config)]
  assert found == taken


def test_a_plain_config_is_one_run(config, tmp_path, monkeypatch):
  seen = []
  monkeypatch.setattr(variants.single, "run", lambda *a, **k: seen.append((a, k)) or {"scores": 1})
  assert variants.run(config, tmp_path, quiet=True) == {"scores": 1}
  assert seen == [((config, tmp_path), {"quiet": True})]
  assert not list(tmp_path.iterdir())


def test_variants_and_sweep_points_land_in_one_table(config, tmp_path, fake, capsys):
  vary(config, "model.branch", "cnn", "lstm").sweep.learning_rate = (0.01, 0.001)
  found = variants.run(config, tmp_path)
  names = [f"model.branch={b}/learning_rate={r}" for b in ("cnn", "lstm") for r in (0.01, 0.001)]
  assert fake.calls == ["model.branch=cnn", "model.branch=lstm"]
  assert list(found) == names
  assert [row["name"] for row in rows_of(tmp_path)] == names
  for row in rows_of(tmp_path):
    predictions = evaluation.read_csv(tmp_path / row["folder"] / "predictions.csv")
    summary = evaluation.summarise(predictions)
    assert found[row["name"]] == summary
    assert float(row["uf1"]) == summary["pooled"]["uf1"]
  content = json.loads((tmp_path / "variants.json").read_text())
  own = [row["config"] for row in content["rows"]]
  assert own[1] == {"model.branch": "cnn", "optimizer.learning_rate": "0.001"}
  assert content["config"]["training.epochs"] == "2"
  said = capsys.readouterr().out
  assert said.count("Finished 1 of 2") == said.count("Finished 2 of 2") == 2
  assert "held-out subjects" in said
  assert (tmp_path / "variants.html").is_file()
  variants.run(config, tmp_path, quiet=True)
  assert capsys.readouterr().out == ""


def test_what_is_known_of_the_data_stands_on_the_comparison(config, tmp_path, fake):
  variants.run(vary(config, "model.branch", "cnn", "lstm"), tmp_path, quiet=True)
  remarks = json.loads((tmp_path / "variants.json").read_text())["remarks"]
  assert set(data.load_split(config).remarks) < set(remarks)


def test_stopped_folds_do_not_stop_the_study_but_end_it_with_an_error(config, tmp_path, fake):
  fake.stops = lambda variant, point: {"model.branch=cnn": "some", "model.branch=both": "all"}.get(
    variant
  )
  config = vary(config, "model.branch", "cnn", "both", "lstm")
  with pytest.raises(errors.TrainingError, match=r"In 2 of 3 variants .*model\.branch=cnn: folds"):
    variants.run(config, tmp_path, quiet=True)
  assert fake.calls == ["model.branch=cnn", "model.branch=both", "model.branch=lstm"]
  some, every, none = rows_of(tmp_path)
  assert int(some["missing"]) > 0
  assert "have no prediction" in some["gap"]
  assert every["uf1"] == ""
  assert "There is no result" in every["gap"]
  assert none["gap"] == ""


def test_a_gap_in_one_sweep_point_is_not_told_of_the_other(config, tmp_path, fake):
  fake.stops = lambda variant, point: "all" if point == "learning_rate=1" else None
  config.sweep.learning_rate = (0.01, 1.0)
  with pytest.raises(errors.TrainingError, match="stopped"):
    variants.run(config, tmp_path, quiet=True)
  good, bad = rows_of(tmp_path)
  assert good["gap"] == ""
  assert "There is no result" in bad["gap"]


@pytest.mark.parametrize("kind", [errors.DataError, errors.WorkdirError, errors.Interrupted])
def test_any_other_error_stops_the_study(config, tmp_path, monkeypatch, kind):
  seen = []

  def fails(config, path, *, quiet):
    seen.append(path.name)
    raise kind("no more")

  monkeypatch.setattr(variants.single, "run", fails)
  with pytest.raises(kind, match="no more"):
    variants.run(vary(config, "model.branch", "cnn", "lstm"), tmp_path, quiet=True)
  assert seen == ["model.branch=cnn"]
  assert not (tmp_path / "variants.csv").exists()


def test_a_study_may_grow_but_is_not_another(config, tmp_path, fake):
  variants.run(vary(config, "model.branch", "cnn"), tmp_path, quiet=True)
  assert len(rows_of(tmp_path)) == 1
  variants.run(vary(config, "model.branch", "cnn", "lstm"), tmp_path, quiet=True)
  assert len(rows_of(tmp_path)) == 2
  assert json.loads((tmp_path / "config.json").read_text())["config"]["variants"]["values"] == [
    "cnn",
    "lstm",
  ]
  before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
  called = len(fake.calls)
  for change in (
    lambda c: vary(c, "model.fusion", "sum"),
    lambda c: c.training.update(epochs=9),
    lambda c: c.sweep.update(learning_rate=(0.1, 0.2)),
  ):
    other = config.copy_and_resolve_references()
    change(other)
    with pytest.raises(errors.WorkdirError, match="another config"):
      variants.run(other, tmp_path, quiet=True)
  assert len(fake.calls) == called
  assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_a_folder_of_somebody_else_is_refused(config, tmp_path, fake):
  (tmp_path / "thesis.tex").write_text("x")
  with pytest.raises(errors.WorkdirError, match="not empty"):
    variants.run(vary(config, "model.branch", "cnn"), tmp_path, quiet=True)
  assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_real_study(config, tmp_path):
  """Variants are plain runs, bit by bit; a setting that explodes leaves a gap, and is named."""
  vary(config, "model.branch", "cnn", "lstm")
  found = variants.run(config, tmp_path / "study", quiet=True)
  alone = variants.expand(config)[1].config
  summary = variants.run(alone, tmp_path / "alone", quiet=True)
  assert found["model.branch=lstm"] == summary
  there, here = (
    (tmp_path / name / "predictions.csv").read_bytes()
    for name in ("study/model.branch=lstm", "alone")
  )
  assert there == here
  page = (tmp_path / "study" / "variants.html").read_text()
  assert 'href="model.branch%3Dlstm/report.html"' in page


def test_a_real_sweep_with_a_gap(config, tmp_path):
  config.sweep.learning_rate = (0.01, 1e30)
  with pytest.raises(errors.TrainingError, match="gap"):
    variants.run(config, tmp_path, quiet=True)
  good, bad = rows_of(tmp_path)
  assert good["gap"] == ""
  assert int(good["clips"]) == len(data.load_split(config).labels)
  assert int(bad["missing"]) > 0
  assert int(bad["clips"]) + int(bad["missing"]) == int(good["clips"])
  assert "have no prediction" in bad["gap"]
  for row, gap in ((good, False), (bad, True)):
    page = (tmp_path / row["folder"] / "report.html").read_text()
    assert ("no longer finite" in page) == gap
  assert not list((tmp_path / good["folder"]).glob("checkpoints"))
