"""The input that gives of frames what another gives of published flow maps, and the reverse."""

from collections.abc import Mapping
from typing import Any

from mer_jax.clips import FLOW_MAPS, GRAY

# How flow is measured in frames for what has learned from maps or from drawn motion; chosen by what
# such weights make of synthetic corpora that they have not seen (docs/recognition.md).
MEASURED: Mapping[str, Any] = {"method": "tv_l1", "head_motion": "affine"}
_READS = {"flow": GRAY, "flow_maps": FLOW_MAPS}


def counterpart(input_options: Mapping[str, Any], size: int, channels: str) -> dict[str, Any]:
  """The input of clips of `channels` that fits a model trained with `input_options`.

  Only maps normalised by relative.py are comparable between measured and published flow; any other
  input is returned as it is, and says by itself what it cannot read.

  Args:
    input_options: name and options of the input, {"name": "flow_maps", "normalise": "relative"}.
    size: H = W that the model reads, pixels.
    channels: `Clips.channels`.
  """
  name, normalise = input_options["name"], input_options.get("normalise")
  if name not in _READS or normalise != "relative" or channels == _READS[name]:
    return dict(input_options)
  if channels == FLOW_MAPS:
    return {"name": "flow_maps", "index": 0, "normalise": normalise}
  return {"name": "flow", "size": size, "normalise": normalise, **MEASURED}
