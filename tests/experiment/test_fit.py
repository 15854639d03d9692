"""A fit leaves a model that others load; a run may begin with it where it has not seen anybody."""

import dataclasses
import json

import numpy as np
import pytest
import trained_models

import mer_jax
from configs import ststnet
from mer_jax import errors, evaluation, inputs, recognizer, svm
from mer_jax.cli import command
from mer_jax.evaluation import remarks
from mer_jax.experiment import data, fit, fitted, identity, run, settings, start, trainer
from mer_jax.recognizer import Provenance, folder
from mer_jax.report.page import NOT_TRAINED


@pytest.fixture
def config(data_dir):
  """STSTNet on apex frames, which take no time to compute."""
  config = ststnet.get_config("casme2")
  config.data.data_dir, config.data.builder_config = str(data_dir), "frames48"
  config.input = {"name": "apex_frame", "size": 12}
  config.training.epochs, config.training.batch_size = 3, 8
  config.seeds = 2
  config.devices, config.training.fold_block = 1, 5
  return config


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
  """The folder of a model that has seen nobody, for 2 of its seeds."""
  where = tmp_path_factory.mktemp("weights") / "small"
  recognizer.save(trained_models.ststnet(channels=1), where)
  return where


def images(config):
  split = data.load_split(config)
  return split, inputs.make("apex_frame", split.clips, size=12)


def test_a_killed_fit_goes_on_and_leaves_the_model_of_one_that_was_not(
  config, tmp_path, monkeypatch, capsys
):
  whole = fit.fit(config, tmp_path / "whole", quiet=True)
  plan_of = fit.plan_of

  def killed(*_):
    raise KeyboardInterrupt

  with monkeypatch.context() as patch:
    patch.setattr(fit, "plan_of", lambda *given: plan_of(*given)._replace(epochs=1))
    patch.setattr(fitted, "model", killed)
    with pytest.raises(KeyboardInterrupt):
      fit.fit(config, tmp_path / "killed", quiet=True)
  assert not (tmp_path / "killed" / "model").exists()
  fit.fit(config, tmp_path / "killed", quiet=True)
  files = [tmp_path / name / "model" / folder.WEIGHTS for name in ("whole", "killed")]
  assert files[0].read_bytes() == files[1].read_bytes()

  split, arrays = images(config)
  assert whole.seeds == 2
  assert whole.classes == split.class_names
  assert whole.scores == "not measured"
  assert whole.provenance.synthetic
  subjects = {("casme2", str(subject)) for subject in split.clips.subject}
  assert set(whole.provenance.subjects) == subjects
  np.testing.assert_array_equal(
    whole.predict(split.clips).probabilities, whole.probabilities(arrays).mean(axis=0)
  )
  assert mer_jax.load(tmp_path / "whole" / "model").digest == whole.digest
  capsys.readouterr()

  # Again: nothing is trained, and what a run in the same workdir measured is stored.
  log = tmp_path / "whole" / "fit" / "history.jsonl"
  before = log.read_bytes()
  uf1 = run.run(config, tmp_path / "whole", quiet=True)["pooled"]["uf1"]
  again = fit.fit(config, tmp_path / "whole")
  assert again.scores["uf1"] == uf1
  assert again.digest == whole.digest
  assert log.read_bytes() == before
  printed = capsys.readouterr().out
  assert "finished fit, which is not trained again" in printed
  assert f"5 subjects of casme2 (synthetic); scores: uf1 {uf1:.3f}" in printed
  _check_folds(tmp_path / "whole", split, arrays)
  config.training.epochs = 4
  with pytest.raises(errors.WorkdirError, match="epochs: 3 there, 4 now"):
    fit.fit(config, tmp_path / "whole", quiet=True)


def _check_folds(workdir, split, arrays):
  """Every fold of the run in `workdir` can be loaded, and predicts what the run did."""
  rows = evaluation.read_csv(workdir / "predictions.csv")
  for fold, held_out in zip(split.fold_names, split.held_out, strict=True):
    model = mer_jax.load(workdir, fold=fold)
    own = rows.probabilities[np.isin(rows.clip, split.clips.clip[held_out])]
    names = rows.clip[np.isin(rows.clip, split.clips.clip[held_out])]
    order = [list(split.clips.clip).index(name) for name in names[: held_out.sum()]]
    given = {name: array[order] for name, array in arrays.items()}
    np.testing.assert_allclose(model.probabilities(given).reshape(-1, 3), own, atol=1e-6)
    assert set(split.clips.subject[held_out]) == {
      str(subject)
      for subject in split.clips.subject
      if ("casme2", str(subject)) not in model.provenance.subjects
    }
  alone = mer_jax.load(workdir, fold=split.fold_names[0], seed=1)
  both = mer_jax.load(workdir, fold=split.fold_names[0])
  for name, array in both.weights.items():
    np.testing.assert_array_equal(alone.weights[name], array[1:])
  for given, says in (
    ({"fold": "casme2/sub99"}, "Unknown fold 'casme2/sub99'"),
    ({"fold": split.fold_names[0], "seed": 7}, r"has no seed 7; it has \[0, 1\]"),
    ({"seed": 0}, "seed=0 is of a fold of a run"),
  ):
    with pytest.raises(errors.ConfigError, match=says):
      mer_jax.load(workdir, **given)
  with pytest.raises(errors.DataError, match="no workdir whose folds can be loaded"):
    mer_jax.load(workdir.parent, fold=split.fold_names[0])


def test_a_run_from_weights_that_know_its_subjects_is_refused_or_marked(config, tmp_path):
  split = data.load_split(config)
  known = Provenance((("casme2", str(split.clips.subject[0])), ("samm", "006")), None, True)
  recognizer.save(trained_models.ststnet(channels=1, provenance=known), tmp_path / "model")
  config.start.weights, config.training.epochs = str(tmp_path / "model"), 0
  name = f"casme2/{split.clips.subject[0]}"
  with pytest.raises(errors.ConfigError, match=rf"1 of the 5 held-out subjects \({name}\)"):
    run.run(config, tmp_path / "run", quiet=True)
  assert not (tmp_path / "run").exists()

  config.start.leaky_weights = True
  summary = run.run(config, tmp_path / "run", quiet=True)
  assert summary["leaky_weights"] == [["casme2", str(split.clips.subject[0])]]
  assert json.loads((tmp_path / "run" / "metrics.json").read_text())["leaky_weights"]
  file = tmp_path / "run" / "predictions.csv"
  assert remarks.leaky(file)
  page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
  assert "<h1>leaky: " in page
  assert page.count("(leaky)</td>") == int((split.clips.subject == split.clips.subject[0]).sum())
  assert fitted.scores(tmp_path / "run") == "not measured"
  content = mer_jax.compare([file, file])
  assert any("leaky_weights" in remark for remark in content["remarks"])


def test_people_are_not_the_synthetic_subjects_of_that_name():
  drawn = Provenance((("casme2", "sub01"),), None, True)
  assert drawn.seen_among({("casme2", "sub01", False), ("casme2", "sub02", True)}) == []
  assert drawn.seen_among({("casme2", "sub01", True)}) == [("casme2", "sub01")]
  people = dataclasses.replace(drawn, synthetic=False)
  assert people.seen_among({("casme2", "sub01", False)}) == [("casme2", "sub01")]


def test_given_weights_are_evaluated_as_they_are(config, weights, tmp_path, capsys):
  config.start.weights, config.training.epochs, config.seeds = str(weights), 0, 3
  # Along which nothing could go.
  config.optimizer.schedule, config.optimizer.warmup_steps = "warmup_cosine", 5
  run.run(config, tmp_path / "run")
  printed = capsys.readouterr().out
  assert "none: the weights are evaluated as they are" in printed
  by_seed = recognizer.load(weights).probabilities(images(config)[1])
  rows = evaluation.read_csv(tmp_path / "run" / "predictions.csv")
  expected = by_seed[[0, 1, 0]].reshape(-1, 3)
  np.testing.assert_allclose(rows.probabilities, expected, atol=1e-6)
  page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
  assert NOT_TRAINED in page
  run.run(config, tmp_path / "run", quiet=True)  # reported again

  other = trained_models.ststnet(channels=1, seeds=1)
  recognizer.save(other, tmp_path / "other")
  config.start.weights = str(tmp_path / "other")
  with pytest.raises(errors.WorkdirError, match=r"start\.digest"):
    run.run(config, tmp_path / "run", quiet=True)
  config.start.digest = folder.digest(weights)
  with pytest.raises(errors.ConfigError, match="they are others"):
    run.run(config, tmp_path / "new", quiet=True)


def test_folds_of_a_run_begin_with_the_weights(config, weights):
  config.start.weights, config.seed = str(weights), 1
  config.start.learning_rates = (("streams", 0.0),)
  split, arrays = images(config)
  model = trainer.build_model(config, 3)
  program = trainer.build_program(config, split, arrays, model)
  loaded = recognizer.load(weights)
  for name, array in loaded.weights.items():
    np.testing.assert_array_equal(program.start[name], array[[1, 0]])
  assert program.recipe.optimizer.factors == (("streams", 0.0),)
  lines = trainer.about(config, split, arrays, model, program)
  assert "learned from nothing; streams stays as it is" in lines["start"]


def begins(config, names=trained_models.CLASSES, channels=1):
  image = {"image": np.zeros((1, 12, 12, channels), np.float32)}
  return start.of(config, names, trainer.build_model(config, len(names)), image)


def test_the_last_layer_begins_at_random_where_the_classes_are_others(config, weights):
  config.start.weights = str(weights)
  assert len(begins(config).weights) == 8
  for names in (("a", "b", "c"), ("negative", "positive")):
    other = begins(config, names)
    left_out = {"params/logits/kernel", "params/logits/bias"}
    assert set(recognizer.load(weights).weights) - set(other.weights) == left_out
    assert "at random: logits, for its classes are negative" in other.about
  config.start.layers = ("streams/norm",)
  assert all("/streams/norm/" in name for name in begins(config).weights)


@pytest.mark.parametrize(
  ("section", "fields", "names", "says"),
  [
    ("start", {"layers": ("stream", "head")}, ("a", "b"), "holds 'head', which no name"),
    ("start", {"learning_rates": (("head", 0.0),)}, ("a", "b"), "learning_rates holds 'head'"),
    ("start", {"layers": ("logits",)}, ("a", "b"), "do not fit .*not the last"),
    ("model", {"streams": (2, 5, 8)}, ("a", "b"), r"streams/kernel \(3, 3, 1, 16\), expected"),
    ("training", {"epochs": 0}, ("a", "b", "c"), "everything must be taken over"),
  ],
)
def test_what_does_not_fit_is_named(config, weights, section, fields, names, says):
  config.start.weights = str(weights)
  with config.unlocked():
    config[section].update(fields)
  with pytest.raises(errors.ConfigError, match=says):
    begins(config, names)


@pytest.mark.parametrize(
  ("fields", "says"),
  [
    ({"training.epochs": 0}, "must be >= 1, or 0 with config.start.weights"),
    ({"start.layers": ("streams",)}, "no weights to start from"),
    ({"start.weights": "x", "start.learning_rates": ("streams",)}, "pairs of a prefix"),
    ({"start.weights": "x", "start.learning_rates": (("streams", -1.0),)}, "at least 0"),
    ({"start.weights": "x", "start.layers": (1,)}, "prefixes of names"),
    ({"start.weights": "x", "training.epochs": 0, "selection.name": "inner"}, "nothing to select"),
  ],
)
def test_fields_that_do_not_fit_each_other_are_named(fields, says):
  config = settings.default()
  config.update_from_flattened_dict(fields)
  with pytest.raises(errors.ConfigError, match=says):
    settings.check(config)


def test_without_weights_a_config_is_what_it_was_before_there_were_any():
  content = settings.to_json(settings.default())
  digest = identity.digest(content)
  assert identity.digest({k: v for k, v in content.items() if k != "start"}) == digest
  content["start"] |= {"weights": "x", "digest": "abc"}
  assert identity.digest(content) != digest


@pytest.mark.parametrize("join", [True, False])
def test_an_svm_reads_the_features_of_each_seed(config, weights, tmp_path, join):
  config.model = {"name": "svm", "cost": 1.0, "scale": "standardise"}
  config.start.weights, config.start.join_input = str(weights), join
  run.run(config, tmp_path / "run", quiet=True)
  split, arrays = images(config)
  rows = evaluation.read_csv(tmp_path / "run" / "predictions.csv")
  machine = svm.Machine(cost=1.0, scale="standardise")
  for seed, features in enumerate(recognizer.load(weights).features(arrays)):
    image = arrays["image"].reshape(len(features), -1)
    read = np.concatenate([features, image], axis=1) if join else features
    own = svm.loso(read, split.labels, split.held_out, 3, machine, shown=False)
    np.testing.assert_array_equal(rows.probabilities[rows.seed == seed], own.probabilities)


@pytest.mark.parametrize(
  "options", [{"cost": 1.0}, {"kernel": "rbf", "balance": "oversample", "scale": "standardise"}]
)
def test_an_svm_is_fitted_saved_and_loaded(config, tmp_path, options):
  config.model = {"name": "svm", **options}
  fitted_model = fit.fit(config, tmp_path / "fit", quiet=True)
  split, arrays = images(config)
  model = mer_jax.load(tmp_path / "fit" / "model")
  assert model.seeds == (2 if "balance" in options else 1)
  for seed in range(model.seeds):
    machine = svm.Machine(**options, seed=seed)
    own = svm.predict(svm.fit(arrays, split.labels, 3, machine), machine, arrays)
    by_seed = model.probabilities(arrays)[seed]
    np.testing.assert_allclose(by_seed, own.probabilities, atol=1e-6)
    few = {name: array[4:6] for name, array in arrays.items()}
    np.testing.assert_allclose(model.probabilities(few)[seed], by_seed[4:6], atol=1e-6)
  assert model.digest == fitted_model.digest
  with pytest.raises(errors.ConfigError, match="An SVM has no layers"):
    model.features(arrays)


@pytest.mark.parametrize(
  ("fields", "says"),
  [
    ({"sweep.learning_rate": (0.1, 0.2)}, "A fit is one training"),
    ({"selection.name": "inner"}, "holds nobody out to select by"),
    ({"model.name": "svm"}, "is two models in one"),
  ],
)
def test_what_is_no_single_training_cannot_be_fitted(config, tmp_path, fields, says):
  if "model.name" in fields:
    config.model = {"name": "svm"}
    config.start.weights = "ststnet_drawn"
  else:
    config.update_from_flattened_dict(fields)
  with pytest.raises(errors.ConfigError, match=says):
    fit.fit(config, tmp_path / "fit", quiet=True)
  assert not (tmp_path / "fit").exists()


def test_a_fit_from_weights_has_seen_what_they_have_seen(config, tmp_path):
  known = Provenance((("samm", "006"),), {"digest": "abc"}, True)
  recognizer.save(trained_models.ststnet(channels=1, provenance=known), tmp_path / "model")
  config.start.weights, config.training.epochs = str(tmp_path / "model"), 0
  model = fit.fit(config, tmp_path / "fit", dtype="float16", quiet=True)
  assert model.provenance.drawn == {"digest": "abc"}
  assert ("samm", "006") in model.provenance.subjects
  assert ("casme2", "sub01") in model.provenance.subjects
  taken = trained_models.ststnet(channels=1).weights["params/logits/kernel"]
  np.testing.assert_array_equal(
    model.weights["params/logits/kernel"], taken.astype(np.float16).astype(np.float32)
  )


def test_the_command_says_what_is_missing(capsys):
  assert command.main(["fit", "--workdir=x"]) == errors.ConfigError.exit_code
  assert "--config is missing; mer_jax fit --help" in capsys.readouterr().err
