"""The clips of an experiment: prepared data, protocol, apexes, and the fingerprint of all that."""

import hashlib
import json

import numpy as np
from ml_collections import config_dict

from mer_jax import inputs, protocols
from mer_jax.clips import GRAY, Clips, concatenate, load_prepared
from mer_jax.errors import DataError, shown
from mer_jax.evaluation import prediction_rows
from mer_jax.experiment import settings


def load_split(config: config_dict.ConfigDict) -> protocols.Split:
  """The prepared clips of `config.data` under the protocol of `config.protocol`.

  Clips of one frame take no part where the input needs motion.

  Raises:
    ConfigError, DataError, ProtocolError: see mer_jax.errors.
  """
  data = config.data
  parts = [load_prepared(name, data.builder_config, data.data_dir) for name in data.datasets]
  clips, remarks = with_motion(config.input.name, concatenate(parts))
  split = protocols.split(config.protocol.name, clips, **settings.options(config.protocol))
  prediction_rows.check_names(split.class_names)  # before training, not when it has ended
  return split._replace(remarks=(*remarks, *split.remarks))


def key(config: config_dict.ConfigDict) -> str:
  """What `load_split` depends on: configs with the same key share a split."""
  needs_motion = inputs.declaration(inputs.find(config.input.name)).needs_motion
  return json.dumps([config.data.to_dict(), config.protocol.to_dict(), needs_motion])


def with_motion(name: str, clips: Clips) -> tuple[Clips, list[str]]:
  """The clips in which the input `name` can see what it measures, and remarks on the others.

  Raises:
    DataError: it can in none.
  """
  if clips.channels != GRAY or not inputs.declaration(inputs.find(name)).needs_motion:
    return clips, []
  single, still = clips.num_frames == 1, _still(clips)
  if single.all():
    raise DataError(
      f"All {len(clips)} clips hold one frame, and the input {name} measures what changes between"
      " frames. Build the data from a tree with all frames from onset to offset, or choose"
      " --config.input.name=apex_frame."
    )
  remarks = []
  if single.any():
    remarks.append(
      f"{int(single.sum())} clips of one frame take no part, because the input {name} measures"
      f" motion: {_some(clips, single)}."
    )
  if still.any():
    remarks.append(
      f"{int(still.sum())} clips show the same image in every frame, so the input {name} measures"
      f" nothing in them: {_some(clips, still)}."
    )
  return clips.select(np.flatnonzero(~single)) if single.any() else clips, remarks


def _still(clips: Clips) -> np.ndarray:
  """bool [N]: clips of several frames that are all the same."""
  parts = [clips.frames_of(n) for n in range(len(clips))]
  return np.array([len(p) > 1 and bool((p[1:] == p[0]).all()) for p in parts], bool)


def _some(clips: Clips, chosen: np.ndarray) -> str:
  names = [clips.name(int(n)) for n in np.flatnonzero(chosen)]
  return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")


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
  digest.update(shown("\n".join((*split.class_names, *split.fold_names))).encode())
  return digest.hexdigest()
