"""mer_jax: facial micro-expression recognition, leave-one-subject-out, in functional JAX/Flax."""

import importlib
import pathlib

__version__ = "0.1.0"
# Public functions and classes, and where they are defined. Importing the package must stay quick:
# what pulls in jax waits until it is asked for.
_DEFINED_IN = {
  "Clips": "mer_jax.clips",
  "Results": "mer_jax.experiment.results",
  "audit": "mer_jax.evaluation.audit",
  "compare": "mer_jax.experiment.comparison",
  "fit": "mer_jax.experiment.fit",
  "load": "mer_jax.experiment.fold_models",
  "load_config": "mer_jax.experiment.config_files",
  "load_results": "mer_jax.experiment.results",
  "run": "mer_jax.experiment.results",
  "score": "mer_jax.experiment.results",
}
__all__ = ["__version__", *sorted(_DEFINED_IN)]

# Older module names of the commands (python -m mer_jax.main, .compare, .audit, .classify).
__path__.append(str(pathlib.Path(__file__).parent / "cli" / "old_names"))


def __getattr__(name: str):
  if name in _DEFINED_IN:
    return getattr(importlib.import_module(_DEFINED_IN[name]), name)
  raise AttributeError(f"module 'mer_jax' has no attribute {name!r}")


def __dir__() -> list[str]:
  return __all__
