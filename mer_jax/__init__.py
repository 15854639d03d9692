"""mer_jax: facial micro-expression recognition, leave-one-subject-out, in functional JAX/Flax."""

import pathlib

__version__ = "0.1.0"
__all__ = ["__version__", "run"]

# Older module names of the commands (python -m mer_jax.main, .compare, .audit, .classify).
__path__.append(str(pathlib.Path(__file__).parent / "cli" / "old_names"))


def __getattr__(name: str):
  # Importing the package must stay quick; what pulls in jax waits until it is asked for.
  if name == "run":
    from mer_jax.experiment.variants import run

    return run
  raise AttributeError(f"module 'mer_jax' has no attribute {name!r}")
