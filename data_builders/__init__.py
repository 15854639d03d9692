"""TFDS builders: one folder for each corpus, as its owners distribute it."""

import importlib

from mer_jax import errors

BUILDERS = {
  "casme2": "data_builders.casme2.casme2_dataset_builder",
  "samm": "data_builders.samm.samm_dataset_builder",
  "smic": "data_builders.smic.smic_dataset_builder",
  "megc2019_flow": "data_builders.megc2019_flow.megc2019_flow_dataset_builder",
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
