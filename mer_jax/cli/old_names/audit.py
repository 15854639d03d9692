"""The command of mer_jax.cli.audit, under the name python -m mer_jax.audit."""

from mer_jax.cli.audit import cli

if __name__ == "__main__":
  cli()
