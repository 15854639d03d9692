"""Entries of commands under their older module names; `mer_jax.__path__` leads here."""
