"""config.selection: its fields, their values, and their checks."""

from ml_collections import config_dict

from mer_jax.errors import ConfigError, unknown

LAST, INNER = "last", "inner"
# Chooses each fold's epoch by the clips that it holds out: published practice, and no estimate of
# anything. The word goes into the name of every file, row and line that comes of it.
LEAKY = "leaky_test_best"
SELECTIONS = (LAST, INNER, LEAKY)
# What an inner split is decided by: scores of the validation clips pooled over the inner folds, the
# highest; or the mean of their cross-entropy, the lowest.
METRICS = ("uf1", "uar", "accuracy", "loss")


def default() -> config_dict.ConfigDict:
  """The fields of config.selection."""
  selection = config_dict.ConfigDict()
  # Whose results a run reports: last (the last epoch), inner (epoch and setting of the sweep by an
  # inner split of each fold's training subjects), or leaky_test_best (last, and beside it what the
  # held-out clips themselves would choose).
  selection.name = LAST
  # Groups into which the training subjects of a fold are dealt; inner.
  selection.inner_folds = 3
  # What inner decides by: uf1, uar or accuracy of the validation clips, or loss.
  selection.metric = "uf1"
  # Epochs between two snapshots of the validation or held-out clips, of which one is selected.
  selection.every_epochs = 1
  return selection


def check(selection: config_dict.ConfigDict) -> None:
  """Raises ConfigError where a name is unknown; says what is allowed."""
  for field, allowed in (("name", SELECTIONS), ("metric", METRICS)):
    if selection[field] not in allowed:
      raise ConfigError(unknown(f"config.selection.{field}", selection[field], allowed))


def about(selection: config_dict.ConfigDict, settings: int) -> dict[str, str]:
  """The line of the announcement; none for the last epoch. `settings`: how many a sweep has."""
  if selection.name == LEAKY:
    return {"selection": f"{LAST}; beside it {LEAKY}, which looks at the held-out clips"}
  if selection.name == INNER:
    among = f"epoch and one of {settings} settings" if settings > 1 else "epoch"
    by = f"{selection.inner_folds} inner folds each, by {selection.metric}"
    return {"selection": f"{INNER}: {among} of every fold on {by}"}
  return {}
