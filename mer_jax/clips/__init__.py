"""Clips, the one data structure between a prepared corpus and everything that reads it."""

from mer_jax.clips.prepared import load_prepared, prepared_configs
from mer_jax.clips.structure import (
  FLOW_MAPS,
  GRAY,
  PER_CLIP_FIELDS,
  Clips,
  concatenate,
  no_clips,
  stack,
)

__all__ = [
  "FLOW_MAPS",
  "GRAY",
  "PER_CLIP_FIELDS",
  "Clips",
  "concatenate",
  "load_prepared",
  "no_clips",
  "prepared_configs",
  "stack",
]
