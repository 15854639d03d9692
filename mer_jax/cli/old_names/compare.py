"""The command of mer_jax.cli.compare, under the name python -m mer_jax.compare."""

from mer_jax.cli.compare import cli

if __name__ == "__main__":
  cli()
