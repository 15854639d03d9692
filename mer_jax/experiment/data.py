"""The clips of an experiment: prepared data, protocol, apexes, and the fingerprint of all that."""

import hashlib

import numpy as np
from ml_collections import config_dict

from mer_jax import inputs, protocols
from mer_jax.clips import concatenate, load_prepared
from mer_jax.experiment import settings


def load_split(config: config_dict.ConfigDict) -> protocols.Split:
  """The prepared clips of `config.data` under the protocol of `config.protocol`.

  Raises:
    ConfigError, DataError, ProtocolError: see mer_jax.errors.
  """
  data = config.data
  parts = [load_prepared(name, data.builder_config, data.data_dir) for name in data.datasets]
  return protocols.split(
    config.protocol.name, concatenate(parts), **settings.options(config.protocol)
  )


def spot_apexes(config: config_dict.ConfigDict, split: protocols.Split) -> protocols.Split:
  """The same split with the apexes of `config.data.apex` for clips whose corpus gives none.

  Raises:
    ConfigError: the clips hold no frames in which an apex can be spotted.
  """
  cache = inputs.cache_in(config.data.cache_dir)
  return split._replace(clips=inputs.spot_apexes(config.data.apex, split.clips, cache))


def fingerprint(split: protocols.Split) -> str:
  """sha256 of everything a run learns from: pixels, annotations, labels, folds."""
  digest = hashlib.sha256(split.clips.fingerprint().encode())
  digest.update(np.ascontiguousarray(split.labels, "<i4").tobytes())
  digest.update(np.packbits(split.held_out).tobytes())
  digest.update("\n".join((*split.class_names, *split.fold_names)).encode())
  return digest.hexdigest()
