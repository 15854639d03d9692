"""Tables of the guides that list what is in the code say what is there."""

import ast
import importlib
import inspect
import pathlib
import re

import pytest

import mer_jax
from mer_jax import errors, inputs, models, protocols, targets
from mer_jax.cli import command
from mer_jax.clips import PER_CLIP_FIELDS
from mer_jax.experiment import settings, stages
from mer_jax.face.drawn import Drawing
from mer_jax.face.measurement import Measurement
from mer_jax.training import losses, optimizers

ROOT = pathlib.Path(__file__).parents[2]
API = re.compile(r"^<!-- api: (\S+)(?: as (\S+))? -->$", re.MULTILINE)
# Packages whose __all__ is the public part of them.
PUBLIC = ("mer_jax", "mer_jax.evaluation", "mer_jax.training", "mer_jax.targets")


def page(name: str) -> str:
  return (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")


def rows_of(text: str, head: str) -> list[list[str]]:
  """The rows of the table that begins with `head`, as cells without outer blanks."""
  table = text.split(f"\n{head}\n")[1].split("\n\n")[0]
  return [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()[1:]]


def names_in(cells: list[str]) -> set[str]:
  return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def test_exit_codes_are_those_of_the_classes():
  table = re.findall(r"^\| (\d) \| `(\w+)` \|", page("experiments"), re.MULTILINE)
  stated = {name: int(code) for code, name in table}
  classes = inspect.getmembers(errors, lambda x: inspect.isclass(x) and issubclass(x, Exception))
  assert stated == {name: kind.exit_code for name, kind in classes}


def test_every_documented_input_gives_what_is_documented():
  rows = rows_of(page("experiments"), "| input | gives | what |")
  for name, gives, _ in rows:
    declared = inputs.declaration(inputs.INPUTS[name.strip("`")]).gives
    assert gives.split(", ") == [array for array in declared if array != "mask"]


@pytest.mark.parametrize(
  ("guide", "head", "known"),
  [
    ("experiments", "| input | gives | what |", inputs.INPUTS),
    ("experiments", "| model | reads |", [*models.MODELS, "svm"]),
    ("data", "| protocol | clips and classes |", protocols.PROTOCOLS),
  ],
)
def test_what_is_documented_exists(guide, head, known):
  documented = {row[0].strip("`") for row in rows_of(page(guide), head)}
  assert len(documented) >= 5
  assert documented <= {*known}


def test_every_documented_field_of_the_optimizer_exists():
  rows = rows_of(page("experiments"), "| field of `config.optimizer` | |")
  fields = set(settings.default().optimizer) - {"name"}
  assert {name for row in rows for name in names_in(row[:1])} == fields
  (schedules,) = (row[1] for row in rows if row[0] == "`schedule`")
  assert names_in([schedules]) - fields == set(optimizers.SCHEDULES)
  assert "single_class" in targets.TARGETS
  assert "`single_class`" in page("experiments")


def test_stages_and_losses_are_documented():
  fields = names_in([row[0] for row in rows_of(page("experiments"), "| field of a stage | |")])
  assert fields == {*stages.OF_TRAINING, stages.OPTIMIZER}
  documented = [row[0].strip("`") for row in rows_of(page("experiments"), "| loss | |")]
  assert documented == list(losses.LOSSES)


@pytest.mark.parametrize("section", ["augment", "drawn"])
def test_every_documented_field_of_a_section_exists(section):
  rows = rows_of(page("experiments"), f"| field of `config.{section}` | |")
  assert {name for row in rows for name in names_in(row[:1])} == {*settings.default()[section]}


def test_every_option_of_the_drawing_is_documented_with_its_default():
  rows = rows_of(page("recognition"), "| option of `config.drawn` | default | what it stands for |")
  stated = {name.strip("`"): ast.literal_eval(default) for name, default, _ in rows}
  known = {**Drawing._field_defaults, **Measurement._field_defaults}
  assert stated == {name: value for name, value in known.items() if name != "measurement"}


def test_the_columns_of_predictions_are_known_annotations():
  stated = re.search(r"`seed,(.*?),label", page("experiments"))
  assert stated
  assert set(stated[1].split(",")) <= set(PER_CLIP_FIELDS)


def test_all_commands_are_named():
  sentence = re.search(r"The commands are (.*?), each", page("experiments"), re.DOTALL)
  assert sentence
  assert set(re.findall(r"(\w+)`", sentence[1])) == set(command.COMMANDS)


def test_the_api_page_has_every_public_name():
  # Where a module and a function share a name, the entry is the module.
  entries = {name: referred(name) for name, _ in API.findall(page("api"))}
  shown = {*entries.values()}
  for package in PUBLIC:
    module = importlib.import_module(package)
    public = [getattr(module, name) for name in module.__all__ if name not in ("__version__",)]
    missing = [x for x in public if callable(x) and x not in shown]
    assert missing == []
  assert {*inputs.INPUTS.values(), *models.MODELS.values()} <= shown
  assert {*protocols.PROTOCOLS.values()} <= shown
  for name in mer_jax.__all__[1:]:
    assert f"| `mer_jax.{name}` |" in page("api")


def referred(name: str):
  """What a dotted name refers to."""
  parts = name.split(".")
  for end in range(len(parts), 0, -1):
    try:
      found = importlib.import_module(".".join(parts[:end]))
    except ModuleNotFoundError:
      continue
    for part in parts[end:]:
      found = getattr(found, part)
    return found
  raise AssertionError(name)
