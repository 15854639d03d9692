"""Experiments: from a config to a workdir with predictions, scores and a page."""
