"""Trained models: what they are on disk, what they compute, and what they have learned from."""

from mer_jax.recognizer.model import Model, Prediction, load, save
from mer_jax.recognizer.provenance import Provenance

__all__ = ["Model", "Prediction", "Provenance", "load", "save"]
