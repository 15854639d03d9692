"""python -m mer_jax: the same as the command mer_jax."""

from mer_jax.cli.command import cli

cli()
