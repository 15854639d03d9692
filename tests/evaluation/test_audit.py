"""The auditor: which clips, which formula, which exit code; STSTNet's published log as golden."""

import csv
import html
import json
import pathlib
import re

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from audit_logs import SPLIT, STSTNET, STSTNET_CLAIMS, official_rows, text_of
from sklearn import metrics as sklearn_metrics

from mer_jax import errors, protocols
from mer_jax.cli import audit as command
from mer_jax.evaluation import (
  audit,
  audit_claims,
  audit_coverage,
  audit_formulas,
  audit_intervals,
  remarks,
)
from mer_jax.evaluation.audit_formulas import FULL
from mer_jax.evaluation.megc_log import Log, read_megc_log
from mer_jax.evaluation.predictions import Predictions, select, write_csv
from mer_jax.evaluation.summary import summarise
from mer_jax.protocols import completeness
from mer_jax.report import score_table

REAL_LABELS = (
  pathlib.Path(__file__).parents[2].parent / "shared" / "real" / "flow4_casme2" / "labels.csv"
)


@pytest.fixture
def ststnet(tmp_path) -> pathlib.Path:
  path = tmp_path / "ststnet.log"
  path.write_text(text_of(official_rows()))
  return path


def log_with(tmp_path, rows) -> Log:
  path = tmp_path / "a.log"
  path.write_text(text_of(rows))
  return read_megc_log(path)


def kinds(coverage) -> list[str]:
  return [problem.kind for problem in coverage.problems]


def test_ststnet_prints_macro_precision_as_uar(ststnet):
  (found,) = audit.audit([ststnet], claimed=STSTNET_CLAIMS)
  assert [found.logs[0].dataset.tolist().count(d) for d in ("casme2", "samm", "smic")] == [
    *(145, 133, 164)
  ]
  for over, counts in STSTNET.items():
    assert audit_formulas.confusion(found.logs[0], over).tolist() == counts
  verdicts = {v.claim.text: v for v in found.verdicts}
  for text, verdict in verdicts.items():
    if "uf1" in text:
      assert (verdict.verdict, verdict.produced_by) == ("right", ())
    else:
      assert verdict.verdict == "misnamed"
      assert verdict.produced_by[0].formula == "pooled macro precision"
      assert verdict.produced_by[0].over == verdict.claim.over
  uar = {v.claim.over: round(v.value, 4) for v in found.verdicts if v.claim.name == "uar"}
  assert uar == {FULL: 0.7186, "smic": 0.6703, "casme2": 0.8190, "samm": 0.6415}


def test_drawn_names_are_told_from_the_official_ones_by_the_digest_alone(ststnet):
  (found,) = audit.audit([ststnet])
  assert kinds(found.coverage) == ["counts"] * 3
  assert all("counts are the official ones" in p.text for p in found.coverage.problems)
  assert found.exit_code == audit.COVERAGE_WRONG
  assert any("give --data_dir" in remark for remark in found.coverage.remarks)


@pytest.mark.parametrize(
  ("claimed", "code"),
  [
    ("", 0),
    ("uf1=.7353,smic.uf1=.6801,acc=.769", 0),
    (STSTNET_CLAIMS, audit.CLAIM_MISNAMED),
    ("uf1=.7353,uar=.7605,acc=.5123", audit.CLAIM_UNEXPLAINED),
  ],
)
def test_exit_codes_where_the_clips_are_right(ststnet, claimed, code):
  (found,) = audit.audit([ststnet], claimed=claimed, split=SPLIT)
  assert found.coverage.problems == ()
  assert found.exit_code == code


@pytest.mark.parametrize(
  ("claim", "formula", "over"),
  [
    ("uf1=.7692", "pooled accuracy (= micro F1)", FULL),
    ("uf1=76.37%", "pooled F1 weighted by the clips of each class", FULL),
    ("uf1=.8382", "pooled macro F1", "casme2"),
    ("samm.uf1=.8382", "pooled macro F1", "casme2"),
    ("casme2.uar=.7186", "pooled macro recall", FULL),
  ],
)
def test_other_formulas_are_found(ststnet, claim, formula, over):
  (found,) = audit.audit([ststnet], claimed=claim, split=SPLIT)
  (verdict,) = found.verdicts
  assert (formula, over) in [(v.formula, v.over) for v in verdict.produced_by]
  assert verdict.verdict == "misnamed"


def test_every_value_is_found_as_a_claim(ststnet):
  """What the auditor computes it also recognises, to four digits, whatever it is taken for."""
  logs = [read_megc_log(ststnet)]
  values = audit_formulas.values(logs)
  assert len({(v.over, v.formula) for v in values}) == len(values)
  for value in values:
    claims = audit_claims.parse(f"uf1={value.value:.4f}")
    (verdict,) = audit_claims.judge(claims, values)
    assert value in verdict.produced_by or "uf1" in value.names or verdict.verdict == "right"


def test_means_over_folds_of_the_published_log():
  folds = {"a": [0, 0, 0, 1], "b": [1, 2], "c": [0]}
  rows = [
    ("own", s, f"{s}{i}", k, (k + i) % 3) for s, ks in folds.items() for i, k in enumerate(ks)
  ]
  dataset, subject, clip, label, prediction = map(np.array, zip(*rows, strict=True))
  log = Log(dataset, subject, clip, label, prediction, np.arange(7), ("x", "y", "z"))
  values = {v.formula: v.value for v in audit_formulas.values([log]) if v.over == FULL}
  for convention, absent in (("0", 0.0), ("skipped", np.nan), ("1", 1.0)):
    each = [
      sklearn_metrics.f1_score(
        label[subject == s],
        prediction[subject == s],
        labels=range(3),
        average="macro",
        zero_division=absent,
      )
      for s in folds
    ]
    name = "absent class skipped" if convention == "skipped" else f"absent class = {convention}"
    assert values[f"mean over folds of the macro F1, {name}"] == pytest.approx(np.mean(each))
  accuracy = [np.mean((label == prediction)[subject == s]) for s in folds]
  assert values["mean over folds of the accuracy"] == pytest.approx(np.mean(accuracy))


@hypothesis.settings(deadline=None)
@hypothesis.given(
  st.integers(2, 6).flatmap(
    lambda k: st.tuples(
      st.just(k),
      st.lists(st.tuples(st.integers(0, k - 1), st.integers(0, k - 1)), min_size=1, max_size=40),
    )
  )
)
def test_official_scores_equal_scikit_learn_with_absent_classes(sample):
  k, pairs = sample
  labels, predictions = np.array(pairs).T
  found = audit_formulas.official(
    sklearn_metrics.confusion_matrix(labels, predictions, labels=range(k))
  )
  for average, names in (
    ("macro", ("precision", "uar", "uf1")),
    ("weighted", (None, "accuracy", "weighted_f1")),
    ("micro", ("micro_f1", "micro_f1", "micro_f1")),
  ):
    theirs = sklearn_metrics.precision_recall_fscore_support(
      labels, predictions, labels=range(k), average=average, zero_division=0.0
    )
    for name, value in zip(names, theirs[:3], strict=True):
      if name:
        assert found[name] == pytest.approx(value)


def test_clips_that_are_missing_doubled_unknown_or_elsewhere(tmp_path):
  rows = official_rows()
  wrong = list(rows)
  wrong[0] = (*rows[0][:2], "EP99_99", *rows[0][3:])  # renamed: one missing, one unknown
  wrong[1] = (rows[1][0], "sub26", *rows[1][2:])  # under another subject
  label = (rows[2][3] + 1) % 3
  wrong[2] = (*rows[2][:3], label, rows[2][4])
  wrong.append(rows[3])
  coverage = audit_coverage.examine(log_with(tmp_path, wrong), "megc2019", SPLIT)
  problems = {problem.kind: problem for problem in coverage.problems}
  assert list(problems) == ["doubled", "missing", "unknown", "subject", "label"]
  assert problems["missing"].clips == ("/".join(rows[0][:3]), "/".join(rows[1][:3]))
  assert problems["unknown"].clips[0].startswith("casme2/sub01/EP99_99 (line ")
  assert f", which is {'/'.join(rows[1][:3])}" in problems["subject"].clips[0]
  assert "prepared as negative" in problems["label"].clips[0]
  assert len(problems["doubled"].clips) == 1
  assert any("Synthetic" in remark for remark in coverage.remarks)


def test_what_a_log_gives_away_without_the_corpora(tmp_path):
  rows = official_rows()
  smic = next(i for i, row in enumerate(rows) if row[0] == "smic" and row[3] == 2)
  samm = next(i for i, row in enumerate(rows) if row[0] == "samm")
  rows[smic] = (*rows[smic][:3], 0, 0)
  rows[samm] = ("samm", "037", *rows[samm][2:])
  rows.append(("casme2", "sub04", "EP12_01f", 0, 0))
  rows.append(("casme2", "sub10", "clip", 0, 0))
  rows.append(("casme3", "sp1", "a", 0, 0))
  coverage = audit_coverage.examine(log_with(tmp_path, rows), "megc2019")
  problems = {problem.kind: problem for problem in coverage.problems[:-3]}
  assert list(problems) == ["name", "subject", "label", "left_out", "corpus"]
  assert "whose name says 006" in problems["subject"].clips[0]
  assert ": negative, whose name says surprise" in problems["label"].clips[0]
  assert "gives it no apex" in problems["left_out"].clips[0]
  assert "Did you mean 'casme2'" in problems["corpus"].text
  counts = [problem.text for problem in coverage.problems[-3:]]
  assert "casme2: 147 clips, official 145 (negative 90 of 88)" in counts[0]
  assert "not part of it: casme2/sub10" in counts[0]
  assert "smic: 164 clips, official 164 (negative 71 of 70, surprise 42 of 43)" in counts[2]


def test_a_corpus_that_is_missing_from_the_composite(tmp_path):
  rows = [row for row in official_rows() if row[0] != "smic"]
  assert (
    "smic: no clip"
    in audit_coverage.examine(log_with(tmp_path, rows), "megc2019").problems[-1].text
  )
  within = audit_coverage.examine(log_with(tmp_path, rows), "three_class")
  assert "smic" not in " ".join(problem.text for problem in within.problems)


def test_real_labels_are_recognised_by_their_digest(tmp_path):
  if not REAL_LABELS.is_file():
    pytest.skip(
      f"the labels of the 145 clips are not here ({REAL_LABELS.name} beside the checkout)"
    )
  with REAL_LABELS.open(newline="") as file:
    rows = [
      (r["dataset"], r["sub"], r["filename_o"], int(r["label"]), 0) for r in csv.DictReader(file)
    ]
  path = tmp_path / "real.log"
  path.write_text(text_of(rows))
  (found,) = audit.audit([path], protocol="three_class", claimed="casme2.acc=.607,f1=.25")
  assert found.exit_code == 0
  assert "exactly the 145 clips and 24 subjects" in found.coverage.remarks[0]


def test_other_protocols_have_other_classes(tmp_path):
  path = tmp_path / "five.log"
  path.write_text("samm 006\n006_1_2 anger others\n006_1_3 4 0\n")
  (found,) = audit.audit([path], protocol="five_class")
  assert found.logs[0].class_names == ("anger", "contempt", "happiness", "others", "surprise")
  assert found.logs[0].label.tolist() == [0, 4]
  assert "samm: 2 clips, official 136" in found.coverage.problems[0].text
  path.write_text("casme2 1\nEP01_01 III I\n")
  (found,) = audit.audit([path], protocol="megc2018")
  assert "official 185" in found.coverage.problems[0].text
  assert "samm: no clip" in found.coverage.problems[1].text
  with pytest.raises(errors.ConfigError, match="Give --data_dir, or predictions"):
    audit.audit([path], protocol="native")
  path.write_text("smic s1\ns1_ne_01 0 0\n")
  with pytest.raises(errors.DataError, match="Unknown corpus in five_class 'smic'"):
    audit.audit([path], protocol="five_class")


@pytest.mark.parametrize(
  ("text", "claim"),
  [
    ("uf1=.7353", ("uf1", FULL, 0.7353, 4)),
    ("F1 = 0.74", ("uf1", FULL, 0.74, 2)),
    ("full.acc=76.9", ("accuracy", FULL, 0.769, 3)),
    ("CASME II.balanced-accuracy=1.00", ("uar", "casme2", 1.0, 2)),
    ("SMIC-HS.wf1=73%", ("weighted_f1", "smic", 0.73, 2)),
    ("own.micro_f1=5.0%", ("micro_f1", "own", 0.05, 3)),
  ],
)
def test_claims(text, claim):
  (found,) = audit_claims.parse(text)
  assert found[1:3] == claim[:2]
  assert (found.value, found.decimals) == (pytest.approx(claim[2]), claim[3])


@pytest.mark.parametrize(
  ("text", "says"),
  [
    ("uf1", "is not like"),
    ("uf1=", "is not like"),
    ("uf1=.", "is not like"),
    ("uf1=high", "is not like"),
    ("uf2=.7353", "Unknown score in a claim 'uf2'"),
    ("uf1=.7", "at least two digits"),
    ("uf1=1", "at least two digits"),
    ("uf1=173.5", "within 0..1"),
    ("casme9.uf1=.7353", "Unknown corpus in the claim 'casme9.uf1=.7353'"),
  ],
)
def test_claims_that_cannot_be_used(ststnet, text, says):
  with pytest.raises(errors.ConfigError, match=says):
    audit.audit([ststnet], claimed=text)


def test_a_claim_is_met_to_half_a_unit_of_its_last_digit():
  value = [audit_formulas.Value(FULL, "x", 0.125, ("uf1",))]
  for text, met in (
    (".13", True),
    (".12", True),
    (".1250", True),
    (".126", False),
    (".1249", False),
  ):
    (verdict,) = audit_claims.judge(audit_claims.parse(f"uf1={text}"), value)
    assert (verdict.verdict == "right") == met


def predictions(rows, seeds) -> Predictions:
  dataset, subject, clip, label, _ = (np.array(x * len(seeds)) for x in zip(*rows, strict=True))
  seed = np.repeat(seeds, len(rows))
  p = np.random.default_rng(0).dirichlet((2, 1, 1), len(seed)).astype(np.float32)
  return Predictions(seed, dataset, subject, clip, label, p.argmax(1), p, SPLIT.class_names)


def test_predictions_of_several_seeds(tmp_path):
  made = predictions(official_rows(), (0, 1, 2))
  gap = np.arange(len(made.seed)) == 7
  made = made._replace(
    prediction=np.where(gap, -1, made.prediction),
    probabilities=np.where(gap[:, None], np.float32(np.nan), made.probabilities),
  )
  write_csv(tmp_path / "predictions.csv", made)
  (found,) = audit.audit([tmp_path], split=SPLIT)
  assert len(found.logs) == 3
  assert found.remarks[0].startswith("1 rows without a prediction")
  assert kinds(found.coverage) == ["missing"]
  each = [
    sklearn_metrics.f1_score(made.label[rows], made.prediction[rows], average="macro")
    for rows in ((made.seed == seed) & ~gap for seed in range(3))
  ]
  by_formula = {v.formula: v.value for v in found.values if v.over == FULL}
  assert by_formula["pooled macro F1"] == pytest.approx(np.mean(each))
  best = int(np.argmax(each))
  (again,) = audit.audit([tmp_path], split=SPLIT, claimed=f"uf1={max(each):.5f}")
  assert again.verdicts[0].produced_by[0].formula == f"pooled macro F1, seed {best + 1} of 3 alone"


def test_predictions_of_corpora_held_out(tmp_path):
  made = predictions(official_rows(), (0,))
  write_csv(tmp_path / "subjects.csv", made)
  write_csv(tmp_path / "corpora.csv", made._replace(fold=made.dataset))
  subjects, corpora = audit.audit(
    [tmp_path / "subjects.csv", tmp_path / "corpora.csv"], split=SPLIT
  )
  assert corpora.values == subjects.values
  assert corpora.coverage == subjects.coverage
  (told,) = set(corpora.remarks) - set(subjects.remarks)
  assert told.startswith("Its folds are no subjects")


def test_parts_are_pooled(tmp_path, ststnet):
  paths = []
  for dataset in ("casme2", "samm", "smic"):
    paths.append(tmp_path / f"{dataset}.log")
    paths[-1].write_text(text_of([row for row in official_rows() if row[0] == dataset]))
  (found,) = audit.audit(paths, claimed=STSTNET_CLAIMS, split=SPLIT, pool=True)
  (whole,) = audit.audit([ststnet], claimed=STSTNET_CLAIMS, split=SPLIT)
  assert found.coverage.problems == ()
  assert [v[:3] for v in found.values] == [v[:3] for v in whole.values]
  assert len(audit.audit(paths, protocol="three_class")) == 3


def test_command(ststnet, tmp_path, capsys):
  flags = [str(ststnet), f"--claimed={STSTNET_CLAIMS}", f"--workdir={tmp_path / 'out'}"]
  assert command.main(flags) == audit.COVERAGE_WRONG
  out = capsys.readouterr().out
  assert "RIGHT: uf1=.7353: the pooled macro F1 is .7353." in out
  assert (
    "MISNAMED: uar=.7605: it is the pooled macro precision; the pooled macro recall is .7186."
    in out
  )
  assert "cannot be seen in a log" in out
  (content,) = json.loads((tmp_path / "out" / "audit.json").read_text())
  assert content["confusion"] == STSTNET
  assert [claim["verdict"] for claim in content["claims"]] == ["right", "misnamed"] * 4
  with open(tmp_path / "out" / "audit.csv", encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
  (precision,) = [r for r in rows if (r["over"], r["claims"]) == (FULL, "uar=.7605")]
  assert precision["formula"] == "pooled macro precision"
  assert round(float(precision["value"]), 4) == 0.7605


def page_of(folder: pathlib.Path) -> str:
  """The text of audit.html, without tags, each gap one blank; fails where it needs a network."""
  text = (folder / "audit.html").read_text(encoding="utf-8")
  links = re.findall(r'(?:src|href)="(.*?)"', text)
  assert set(links) == {"audit.csv", "audit.json"}
  assert not re.search(r"https?:|@import|<script|<link", text)
  body = re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL)
  return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def test_the_page_of_an_audit(ststnet, tmp_path):
  flags = [str(ststnet), f"--claimed={STSTNET_CLAIMS}", f"--workdir={tmp_path / 'out'}"]
  assert command.main(flags) == audit.COVERAGE_WRONG
  page = page_of(tmp_path / "out")
  (found,) = audit.audit([ststnet], claimed=STSTNET_CLAIMS)
  assert f"{ststnet}: 442 clips, 68 subjects" in page
  for problem in found.coverage.problems:
    assert problem.text in page
  assert "uf1=.7353 right pooled macro F1 .7353 its own formula" in page
  assert "uar=.7605 misnamed pooled macro recall .7186 pooled macro precision" in page
  assert "full: truth \\ prediction negative positive surprise" in page
  for over in (FULL, "casme2", "samm", "smic"):
    rows = {name: v.value for v in found.values if v.over == over for name in v.names}
    counts = " ".join(
      score_table.number(rows[key]) for key in ("accuracy", "precision", "uar", "uf1")
    )
    spans = audit_intervals.of(found.logs, over)
    ends = " ".join(score_table.span(spans[key]) for key in ("accuracy", "precision", "uar", "uf1"))
    assert f"{counts} 95 % interval {ends}" in page
  assert "Read before the numbers" not in page


def test_intervals_of_predictions_are_those_of_their_summary(tmp_path):
  made = predictions(official_rows(), (0, 1))
  write_csv(tmp_path / "predictions.csv", made)
  (found,) = audit.audit([tmp_path], split=SPLIT)
  summary = summarise(made)
  for over, entry in {FULL: summary["pooled"], **summary["per_dataset"]}.items():
    spans = audit_intervals.of(found.logs, over)
    assert spans == {key: entry["interval"][key] for key in spans}
    assert set(spans) >= {"uf1", "uar", "accuracy", "precision"}
  one = [log_with(tmp_path, official_rows()[:1])]
  assert audit_intervals.of(one) is None  # of one person nothing follows about others


def test_synthetic_clips_are_known_by_the_remarks_of_their_run(tmp_path, capsys):
  made = predictions(official_rows(), (0,))
  few = select(made, made.subject == made.subject[0])
  for name in ("drawn", "copy"):
    write_csv(tmp_path / name / "predictions.csv", few)
  warning = completeness.SYNTHETIC_REMARK
  remarks.write(tmp_path / "drawn", ["Another.", warning])
  drawn, copy = audit.audit([tmp_path / "drawn", tmp_path / "copy"])
  assert warning in drawn.remarks
  assert warning not in copy.remarks
  assert (drawn.exit_code, copy.exit_code) == (0, audit.COVERAGE_WRONG)  # no count is official
  paths = [str(tmp_path / "drawn"), str(tmp_path / "copy")]
  command.main([*paths, f"--workdir={tmp_path / 'out'}"])
  page = page_of(tmp_path / "out")
  assert f"Read before the numbers {paths[0]}: {warning}" in page
  assert page.count(warning) == 1
  assert warning in capsys.readouterr().out
  (both,) = audit.audit(paths, pool=True)
  assert warning not in both.remarks
  assert any(f"those of {paths[0]} are synthetic" in remark for remark in both.remarks)


def test_a_class_that_only_some_seeds_predict(tmp_path):
  made = predictions(official_rows(), (0, 1))
  never = np.where((made.seed == 1) & (made.prediction == 2), 0, made.prediction)
  write_csv(tmp_path / "predictions.csv", made._replace(prediction=never))
  (found,) = audit.audit([tmp_path], split=SPLIT)
  values = {v.formula: v.value for v in found.values if v.over == FULL}
  each = [
    audit_formulas.single_class.scores(audit_formulas.confusion(log), absent=float("nan"))
    for log in found.logs
  ]
  expected = np.mean([scores["precision"] for scores in each])
  assert values["pooled macro precision, absent class skipped"] == pytest.approx(expected)


def test_command_compares_with_prepared_corpora(ststnet, monkeypatch, capsys):
  def load(dataset, builder_config, data_dir):
    assert (builder_config, data_dir) == ("frames48", "somewhere")
    return SPLIT.clips.select(np.flatnonzero(SPLIT.clips.dataset == dataset))

  monkeypatch.setattr("mer_jax.clips.load_prepared", load)
  assert command.main([str(ststnet), "--data_dir=somewhere"]) == 0
  assert "Compared clip by clip with 442 prepared clips." in capsys.readouterr().out
  assert command.main([str(ststnet), "--data_dir=somewhere", "--protocol=native"]) == 2
  assert "--datasets is missing" in capsys.readouterr().err


@pytest.mark.parametrize(
  ("flags", "code", "says"),
  [
    ([], 2, "LOG"),
    (["absent.log"], 3, "Cannot read the log 'absent.log': No such file"),
    (["a\0b"], 3, "Cannot read the log"),
    (["x", "--clamed=uf1=.7"], 2, "Did you mean --claimed?"),
    (["x", "--protocol=megc2091"], 2, "Did you mean 'megc2019'"),
    (["x", "--protocol=megc2091", "--data_dir=y"], 2, "Did you mean 'megc2019'"),
    (["x", "--claimed=uf1"], 2, "is not like uf1=.7353"),
  ],
)
def test_command_says_what_is_wrong(flags, code, says, capsys):
  assert command.main([*flags]) == code
  assert says in capsys.readouterr().err


def test_help_names_flags_and_exit_codes(capsys):
  with pytest.raises(SystemExit, match="0"):
    command.main(["--help"])
  out = capsys.readouterr().out
  assert "--claimed" in out
  for code in (audit.COVERAGE_WRONG, audit.CLAIM_UNEXPLAINED, audit.CLAIM_MISNAMED):
    assert f" {code} " in out
  assert (
    max(kind.exit_code for kind in vars(errors).values() if hasattr(kind, "exit_code"))
    < audit.COVERAGE_WRONG
  )


def test_every_official_protocol_is_one():
  assert set(protocols.OFFICIAL) | {"native"} == set(protocols.PROTOCOLS)
  for official in protocols.OFFICIAL.values():
    for versions in official.values():
      assert len({tuple(version.counts) for version in versions}) == 1
