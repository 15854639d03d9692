"""The command of mer_jax.cli.train, under the name python -m mer_jax.main."""

from mer_jax.cli.train import cli

if __name__ == "__main__":
  cli()
