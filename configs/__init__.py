"""Configs: one file for each experiment; `get_config(arg)` takes the corpus."""
