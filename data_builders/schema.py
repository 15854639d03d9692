"""The features of one prepared example; `mer_jax.prepared` reads them back into Clips."""

import numpy as np
import tensorflow_datasets as tfds

SYNTHETIC_MARK = (
  "SYNTHETIC.txt"  # lies at the root of a drawn corpus; sets `synthetic` in every clip
)
SPLIT = "clips"  # LOSO has no train and test split, and TFDS refuses the name "all"


def features(height: int, width: int, channels: int) -> tfds.features.FeaturesDict:
  """TFDS features of one clip of `height` x `width` pixels; the fields are those of `Clips`.

  frames is uint8 [T, H, W, C]; onset, apex and offset are indices into it.
  """
  text = tfds.features.Text
  return tfds.features.FeaturesDict(
    {
      "frames": tfds.features.Tensor(shape=(None, height, width, channels), dtype=np.uint8),
      "num_frames": tfds.features.Scalar(np.int32),
      "dataset": text(),
      "subject": text(),
      "clip": text(),
      "emotion": text(),
      "action_units": text(),
      "objective_class": text(),
      "onset": tfds.features.Scalar(np.int32),
      "apex": tfds.features.Scalar(np.int32),
      "offset": tfds.features.Scalar(np.int32),
      "apex_missing": tfds.features.Scalar(np.bool_),
      "fps": tfds.features.Scalar(np.float32),
      "first_frame": tfds.features.Scalar(np.int64),
      "last_frame": tfds.features.Scalar(np.int64),
      "synthetic": tfds.features.Scalar(np.bool_),
      "channels": text(),
    }
  )
