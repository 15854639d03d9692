"""Runs compared clip by clip: the tables as plain text, which also feed the page."""

from typing import Any

from mer_jax.report import score_table

SCHEMES = {
  "clips": "labels shuffled over the clips of a dataset",
  "subjects": "labels shuffled within each subject",
}


def console(content: dict[str, Any]) -> str:
  """A comparison as lines of plain text without a trailing line break."""
  parts = [heading(content), score_table.aligned(scores(content))]
  if rows := chance(content):
    parts.append(score_table.aligned(rows))
  if rows := differences(content):
    parts.append(score_table.aligned(rows))
  notes = [*explanations(content), *(f"Note: {remark}" for remark in content["remarks"])]
  return "\n\n".join([*parts, *notes])


def heading(content: dict[str, Any]) -> str:
  """What is compared: "430 of 442 clips of 68 held-out subjects, casme2 + smic: negative, ..."."""
  clips, total = content["clips"], content["clips_in_all"]
  counts = str(clips) if clips == total else f"{clips} of {total}"
  people = (
    "1 held-out subject" if content["subjects"] == 1 else f"{content['subjects']} held-out subjects"
  )
  corpora = " + ".join(content["datasets"])
  return f"{counts} clips of {people}, {corpora}: {', '.join(content['classes'])}"


def scores(content: dict[str, Any]) -> list[list[str]]:
  """The runs' scores with their intervals; the first line is the head."""
  lines = [["", "seeds", *score_table.HEADLINE.values()]]
  for run in content["runs"]:
    cells = []
    for key in score_table.HEADLINE:
      entry = run["scores"][key]
      interval = f" ({score_table.span(entry['interval'])})" if entry["interval"] else ""
      cells.append(score_table.number(entry["mean"], entry["std"]) + interval)
    lines.append([run["name"], str(len(run["seeds"])), *cells])
  return lines


def chance(content: dict[str, Any]) -> list[list[str]]:
  """What shuffled labels score; nothing where that was not asked for."""
  lines = [
    line
    for run in content["runs"]
    if run["chance"]
    for scheme, text in SCHEMES.items()
    for line in _shuffled(f"{run['name']}: {text}", run["chance"][scheme])
  ]
  return [["chance", "in", "mean", "95 % quantile", "observed", "p"], *lines] if lines else []


def differences(content: dict[str, Any]) -> list[list[str]]:
  """The differences between runs, each with its interval and p-values; nothing for one run."""
  lines = [line for pair in content["comparisons"] for line in _pair(pair)]
  level = score_table.percent(content["level"])
  return [["difference", "in", "by", f"{level} interval", "p", "p, Holm"], *lines] if lines else []


def config_fields(content: dict[str, Any]) -> list[list[str]]:
  """The config fields that differ between the runs; nothing where none does."""
  lines = [
    [entry["field"], *("–" if value is None else value for value in entry["values"])]
    for entry in content["config"]["fields"]
  ]
  return [["field", *(run["name"] for run in content["runs"])], *lines] if lines else []


def config_note(content: dict[str, Any]) -> str:
  """What the table of config fields is over, or why there is none."""
  absent, runs = content["config"]["absent"], content["runs"]
  parts = []
  if absent:
    parts.append(f"There is no config.json to read beside the predictions of {', '.join(absent)}.")
  if len(runs) - len(absent) > 1 and not content["config"]["fields"]:
    others = "the others" if absent else "the runs"
    parts.append(f"No field that decides what a run computes differs between {others}.")
  return " ".join(parts)


def changed_sides(pair: dict[str, Any]) -> list[list[str]]:
  """The clips that only one run of a pair has right; nothing where there is none."""
  names, keys = {"a": pair["a"], "b": pair["b"]}, ("dataset", "subject", "clip", "truth", "a", "b")
  lines = [[*(entry[key] for key in keys), names[entry["right"]]] for entry in pair["changed"]]
  head = ["dataset", "subject", "clip", "truth", *(f"{name} predicts" for name in names.values())]
  return [[*head, "right"], *lines] if lines else []


def changed_note(content: dict[str, Any], pair: dict[str, Any]) -> str:
  """How many clips changed sides, and what that means with several seeds."""
  right = [entry["right"] for entry in pair["changed"]]
  text = (
    f"{right.count('b')} clips are right in {pair['b']} and wrong in {pair['a']};"
    f" {right.count('a')} the other way round."
  )
  if any(len(run["seeds"]) > 1 for run in content["runs"]):
    text += " Of several seeds, more than half must agree; the numbers say how many predicted what."
  return text


def explanations(content: dict[str, Any]) -> list[str]:
  """What the numbers are, one or two sentences each."""
  level = score_table.percent(content["level"])
  lines = [
    f"Intervals: {level}, from a bootstrap over the held-out subjects ({content['resamples']}"
    " resamples, the same people for all runs). Neither the spread over seeds nor a training on"
    " other people is in them."
  ]
  if any(len(run["seeds"]) > 1 for run in content["runs"]):
    lines.append("Scores are means over a run's seeds, ± their standard deviation.")
  if any(run["chance"] for run in content["runs"]):
    lines.append(
      f"Chance: scores of {content['permutation']} shuffles of the labels under the same"
      " predictions. Over the clips of a dataset, they are the usual level of chance, but their p"
      " takes the clips of a person for independent and is too small; within each subject, p is"
      " exact, and asks whether the expressions of one person were told apart."
    )
  if content["comparisons"]:
    lines.append(
      "p: how often a difference as large comes about when the two runs exchange their predictions"
      " of whole subjects at random; two-sided. Holm's correction is for the comparisons of one"
      " score; choose the score before you look. Intervals are not corrected."
    )
  if any(pair["mcnemar"] for pair in content["comparisons"]):
    lines.append(
      "McNemar: clips that only the one run has right against those that only the other has; exact,"
      " but takes the clips of a person for independent."
    )
  return lines


def signed(value: float) -> str:
  """A difference of scores with its sign: "+.0512", "−.0310"; "0" where there is none."""
  if round(value, 4) == 0:
    return ".0000"
  return ("+" if value > 0 else "−") + score_table.number(abs(value))


def probability(p: float) -> str:
  """A p-value with four decimals, or "<.0001"."""
  return "<.0001" if p < 0.00005 else score_table.number(p)


def _shuffled(name: str, scheme: dict[str, Any]) -> list[list[str]]:
  lines = []
  for key, label in score_table.HEADLINE.items():
    numbers = [score_table.number(scheme[key][entry]) for entry in ("mean", "quantile", "observed")]
    lines.append([name if not lines else "", label, *numbers, probability(scheme[key]["p"])])
  return lines


def _pair(pair: dict[str, Any]) -> list[list[str]]:
  lines = []
  for key, label in score_table.HEADLINE.items():
    entry = pair["scores"][key]
    interval = " to ".join(map(signed, entry["interval"])) if entry["interval"] else "–"
    lines.append([label, signed(entry["difference"]), interval, *_probabilities(entry)])
  if test := pair["mcnemar"]:
    counts = f"{test['b_only']} against {test['a_only']} clips"
    lines.append(["McNemar", counts, "", *_probabilities(test)])
  names = [f"{pair['b']} minus {pair['a']}", *[""] * (len(lines) - 1)]
  return [[name, *line] for name, line in zip(names, lines, strict=True)]


def _probabilities(entry: dict[str, Any]) -> list[str]:
  return [probability(entry["p"]), probability(entry["p_holm"])]
