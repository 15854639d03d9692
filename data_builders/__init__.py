"""TFDS builders: one folder for each corpus, as its owners distribute it."""

import importlib
import pathlib
import re

from mer_jax import errors

# Every folder with a builder, by TFDS' convention NAME/NAME_dataset_builder.py.
BUILDERS = {
  file.parent.name: f"{__name__}.{file.parent.name}.{file.stem}"
  for file in sorted(pathlib.Path(__file__).parent.glob("*/*_dataset_builder.py"))
  if file.stem == f"{file.parent.name}_dataset_builder"
}


# Other spellings, without case, blanks and signs.
SPELLINGS = {
  **dict.fromkeys(("casme2", "casmeii"), "casme2"),
  **dict.fromkeys(("samm", "sammmicro"), "samm"),
  **dict.fromkeys(("smic", "smichs", "smicvis", "smicnir"), "smic"),
  **dict.fromkeys(("megc2019flow", "flow", "maps"), "megc2019_flow"),
  **dict.fromkeys(("listing", "own", "custom"), "listing"),
}
# Corpora of the field without a builder, and their names.
NOT_SUPPORTED = {
  **dict.fromkeys(("casme", "casme1", "casmei"), "CASME (I)"),
  **dict.fromkeys(("casmesquared", "casme22", "casmesq"), "CAS(ME)^2"),
  **dict.fromkeys(("casme3", "casmeiii"), "CAS(ME)^3"),
  **dict.fromkeys(("sammlv", "sammlongvideos", "sammlong"), "SAMM Long Videos"),
  **dict.fromkeys(("smice", "smichse", "smiclong"), "SMIC-E (long videos)"),
  "mmew": "MMEW",
  "4dme": "4DME",
  "dfme": "DFME",
}

_SECOND = " Did you mean 'casme2'? That is CASME II."


def canonical(dataset: str) -> str:
  """The name of the builder of a corpus, in any spelling: "CASME II" is casme2.

  Raises:
    ConfigError: no builder goes by that name; says so of a corpus that is known.
  """
  plain = re.sub(r"[^a-z0-9]", "", dataset.lower())
  if dataset in BUILDERS or plain not in {*SPELLINGS, *NOT_SUPPORTED}:
    if dataset.lower() in BUILDERS:
      return dataset.lower()
    raise errors.ConfigError(errors.unknown("corpus", dataset, BUILDERS))
  if plain in NOT_SUPPORTED:
    raise errors.ConfigError(
      f"{NOT_SUPPORTED[plain]} ({dataset!r}) is not supported: there is no builder for it."
      " Clips of any corpus can be listed in a table (the corpus listing)."
      f"{_SECOND if plain == 'casme' else ''} Known: {', '.join(sorted(BUILDERS))}."
    )
  return SPELLINGS[plain]


def builder_class(dataset: str) -> type:
  """The TFDS builder class of a corpus, by a name that `canonical` knows.

  Raises:
    ConfigError: no builder goes by that name.
  """
  # Imported on demand: TFDS alone takes longer to import than most commands to run.
  return importlib.import_module(BUILDERS[canonical(dataset)]).Builder
