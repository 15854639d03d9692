"""The command of mer_jax.cli.score, under the name python -m mer_jax.classify."""

from mer_jax.cli.score import cli

if __name__ == "__main__":
  cli()
