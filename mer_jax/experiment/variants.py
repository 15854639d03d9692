"""Runs that differ: the variants of a config, a sweep, and the page that compares their scores.

A sweep (config.sweep) trains in one program; run.run does that. Variants (config.variants) differ
in structure, so they run one after another, each in a folder of its own.
"""

import os
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ml_collections import config_dict

from mer_jax import evaluation
from mer_jax.errors import ConfigError, DataError, TrainingError, unknown
from mer_jax.experiment import dry_run, settings, sweep, workdir
from mer_jax.experiment import run as single
from mer_jax.runtime import distributed

if TYPE_CHECKING:
  from mer_jax.report import variants as report


class Variant(NamedTuple):
  """One structure: its name, "model.branch=cnn" ("" where there is only one), and its config."""

  name: str
  config: config_dict.ConfigDict


@distributed.together()
def run(
  config: config_dict.ConfigDict, workdir_path: str | os.PathLike[str], *, quiet: bool = False
) -> dict[str, Any]:
  """Runs `config` once, or every setting of its sweep and every variant, and compares them.

  A variant in which folds were stopped does not stop the others. What is finished is not trained
  again, and the same workdir takes further values of the variants.

  Args:
    config: fields of settings.default() and the options of its input, model and protocol; or those
      of settings.grid(), and then this is grid.run.
    workdir_path: a new folder, or the one of the same runs. A setting or variant has a folder of
      its own in it; beside them stand variants.csv, .json, .html and a figure.
    quiet: print nothing.

  Returns:
    What run.run returns; of several runs, for the name of each row of the page the content of its
    metrics.json, or None where no fold ended.

  Raises:
    ConfigError: the field or a value of the variants does not fit; nothing has run then.
    TrainingError: folds were stopped; the others ended, and the comparison shows the gap.
    DataError, ProtocolError, WorkdirError: see mer_jax.errors.
  """
  if "systems" in config:
    from mer_jax.experiment import grid  # as below

    return grid.run(config, workdir_path, quiet=quiet)
  variants = expand(config)
  if not variants[0].name and not sweep.results(config)[0].name:
    return single.run(config, workdir_path, quiet=quiet)
  path = pathlib.Path(workdir_path).expanduser()
  with workdir.alone(path):
    return _run_all(config, variants, path, quiet)


def _run_all(
  config: config_dict.ConfigDict, variants: list[Variant], path: pathlib.Path, quiet: bool
) -> dict[str, dict[str, Any] | None]:
  """`run` of several variants or settings, in a workdir that nobody else writes."""
  from mer_jax.report import variants as report  # it draws; a single run does without

  emit = print if distributed.is_main() and not quiet else lambda *_: None
  if variants[0].name:
    distributed.on_main(workdir.examine, path, config)
  remarks = dry_run.check(variants)
  if variants[0].name:
    distributed.on_main(workdir.write_config, path, config)
  rows, errors = [], []
  for number, variant in enumerate(variants, 1):
    position = f"{number} of {len(variants)}"
    if variant.name:
      emit(f"\nVariant {position}: {variant.name}\n")
    error = _run(variant, path, quiet)
    errors += [error] if error else []
    finished = _rows(variant, path, error)
    rows += finished
    emit("\n" + "\n".join(f"Finished {position}: {report.line(row)}" for row in finished))
  page = path / "variants.html"
  distributed.on_main(report.write, path, rows, remarks)
  emit(f"\n{report.console(rows, remarks)}\n\nVariants {page}")
  _raise(errors, len(variants), page)
  return {row.name: row.summary for row in rows}


def expand(config: config_dict.ConfigDict) -> list[Variant]:
  """The variants of `config`, each without config.variants; without any, the config as it is.

  Raises:
    ConfigError: config.variants names no field, or values that its type does not take.
  """
  field, values = config.variants.field, _values(config.variants["values"])
  if not field and not values:
    return [Variant("", config)]
  if not field or not values:
    missing, given = ("values", field) if field else ("field", values)
    raise ConfigError(
      f"config.variants.{missing} is missing beside {given!r}: the field says what varies, as"
      " model.branch, and the values what it takes, as cnn,lstm."
    )
  _check_field(config, field)
  variants = []
  for value in values:
    varied = config.copy_and_resolve_references()
    varied.variants = settings.default().variants
    section, _, last = field.rpartition(".")
    holder = settings.field(varied, section) if section else varied
    holder[last] = _fitting(field, value, holder[last])
    sweep.settings_of(varied)  # checks `varied` too
    variants.append(Variant(f"{field}={_folder(value)}", varied))
  names = [variant.name for variant in variants]
  if len(set(names)) < len(names):
    raise ConfigError(f"config.variants.values holds a value twice: {', '.join(names)}.")
  return variants


def _values(values: tuple) -> tuple:
  # The command line makes one string of `cnn,lstm`: only quoted strings are elements to it.
  if len(values) == 1 and isinstance(values[0], str) and "," in values[0]:
    return tuple(value.strip() for value in values[0].split(","))
  return tuple(values)


def _check_field(config: config_dict.ConfigDict, field: str) -> None:
  own = ("variants", "sweep")
  if field.split(".")[0] in own:
    raise ConfigError(
      f"config.variants.field is {field!r}. A variant cannot vary the"
      f" {field.split('.')[0]} that it is one of;"
      " name a field of what is run, as model.branch."
    )
  known = [name for name in _fields(config) if name.split(".")[0] not in own]
  if field not in known:
    raise ConfigError(unknown("config.variants.field", field, known))
  for name, values in config.sweep.items():
    if values and sweep.FIELDS[name] == field:
      raise ConfigError(
        f"config.sweep.{name} and config.variants both vary config.{field}; leave one of them out."
      )


def _fields(section: config_dict.ConfigDict, prefix: str = "") -> list[str]:
  names = []
  for key, value in section.items():
    inside = isinstance(value, config_dict.ConfigDict)
    names += _fields(value, f"{prefix}{key}.") if inside else [prefix + key]
  return names


def _fitting(field: str, value: Any, now: Any) -> Any:
  """`value` in the type that the field has now."""
  is_number = isinstance(value, int | float) and not isinstance(value, bool)
  if isinstance(now, float) and is_number:
    return float(value)
  if isinstance(now, tuple) and isinstance(value, tuple | list):
    return tuple(_fitting(field, item, now[0]) if now else item for item in value)
  if type(value) is type(now):
    return value
  hint = " Each of its values is a tuple, as in ((8,16),(8,16,32))." * isinstance(now, tuple)
  raise ConfigError(
    f"config.variants.values holds {value!r}; config.{field} takes a {type(now).__name__}, such as"
    f" {now!r}.{hint}"
  )


def _folder(value: Any) -> str:
  text = ",".join(map(_folder, value)) if isinstance(value, tuple) else str(value)
  return "".join("_" if letter in "/\\\0" else letter for letter in text)


def _run(variant: Variant, path: pathlib.Path, quiet: bool) -> TrainingError | None:
  try:
    single.run(variant.config, path / variant.name, quiet=quiet)
  except TrainingError as error:
    name = f"{variant.name}: " if variant.name else ""
    return TrainingError(f"{name}{error}")
  return None


def _rows(variant: Variant, path: pathlib.Path, error: TrainingError | None) -> list["report.Run"]:
  """A row for each setting of a variant's sweep, or one for itself."""
  from mer_jax.report import variants as report

  rows = []
  for setting in sweep.results(variant.config):
    name = "/".join(part for part in (variant.name, setting.name) if part)
    summary, reason = distributed.on_main(_summary, path / name / "predictions.csv", error)
    config = settings.to_json(setting.config)
    rows.append(report.Run(name, path / name, config, summary, reason))
  return rows


def _summary(file: pathlib.Path, error: TrainingError | None) -> tuple[dict[str, Any] | None, str]:
  """The scores of a run and, where no fold of it ended, why there are none."""
  try:
    return evaluation.summarise(evaluation.read_csv(file)), ""
  except DataError as absent:  # where no fold ended in any setting, error says why
    return None, str(absent if file.is_file() or not error else error)


def _raise(errors: Sequence[TrainingError], count: int, page: pathlib.Path) -> None:
  if errors:
    which = f"In {len(errors)} of {count} variants folds were stopped. " if count > 1 else ""
    reasons = " ".join(map(str, errors))
    raise TrainingError(f"{which}{reasons} The page {page} shows the gap.")
