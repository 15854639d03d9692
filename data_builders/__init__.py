"""TFDS builders: one folder for each corpus, as its owners distribute it."""

import importlib
import pathlib

from mer_jax import errors

# Every folder with a builder, by TFDS' convention NAME/NAME_dataset_builder.py.
BUILDERS = {
  file.parent.name: f"{__name__}.{file.parent.name}.{file.stem}"
  for file in sorted(pathlib.Path(__file__).parent.glob("*/*_dataset_builder.py"))
  if file.stem == f"{file.parent.name}_dataset_builder"
}


def builder_class(dataset: str) -> type:
  """The TFDS builder class of a corpus.

  Raises:
    ConfigError: no builder goes by that name.
  """
  if dataset not in BUILDERS:
    raise errors.ConfigError(errors.unknown("corpus", dataset, BUILDERS))
  # Imported on demand: TFDS alone takes longer to import than most commands to run.
  return importlib.import_module(BUILDERS[dataset]).Builder
