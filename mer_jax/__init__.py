"""mer_jax: facial micro-expression recognition, leave-one-subject-out, in functional JAX/Flax."""

from mer_jax.version import __version__

__all__ = ["__version__", "run"]


def __getattr__(name: str):
  # Importing the package must stay quick; what pulls in jax waits until it is asked for.
  if name == "run":
    from mer_jax.study import run

    return run
  raise AttributeError(f"module 'mer_jax' has no attribute {name!r}")
