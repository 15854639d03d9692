"""apex_frame: the gray apex frame alone, the input of Micro-Attention and ATNet's spatial stream.

Wang et al., "Micro-attention for micro-expression recognition", Neurocomputing 410, 2020: gray
values of 0 to 255, neither centred nor scaled, for the network's first layer normalises them.
"""

import numpy as np

from mer_jax import checks
from mer_jax.clips import GRAY, Clips
from mer_jax.inputs.declaration import declares
from mer_jax.inputs.resize import resized


@declares(reads=(GRAY,), gives=("image",))
def apex_frame(
  clips: Clips,
  *,
  # The authors' 224 costs twelve times as much as this; it needs an accelerator.
  size: int = 64,
  standardise: str = "none",
) -> dict[str, np.ndarray]:
  """Each clip's apex frame; where the corpus gives no apex, what stands for it.

  Args:
    clips: Clips [N] of gray frames.
    size: H = W, pixels; frames are shrunk by area averages and enlarged bilinearly.
    standardise: "none", or "clip": subtract the frame's own mean and divide by its standard
      deviation (1 where it is constant), which takes out how bright the clip is.

  Returns:
    image: float32 [N, H, W, 1] in 0..255, or around 0 where standardised.

  Raises:
    ConfigError: a value that is not listed above.
  """
  checks.check_at_least("size", size, 1)
  checks.check_choice("standardise", standardise, ("none", "clip"))
  image = np.empty((len(clips), size, size, 1), np.float32)
  for n, t in enumerate(clips.starts[:-1] + clips.apex):
    image[n] = resized(clips.frames[t][None], size)[0]
    if standardise == "clip":
      image[n] = (image[n] - image[n].mean()) / (image[n].std() or 1)
  return {"image": image}
