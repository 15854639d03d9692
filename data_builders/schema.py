"""The features of one prepared example; `mer_jax.clips` reads them back into Clips."""

import numpy as np
import tensorflow_datasets as tfds

SYNTHETIC_MARK = (
  "SYNTHETIC.txt"  # lies at the root of a drawn corpus; sets `synthetic` in every clip
)
SPLIT = "clips"  # LOSO has no train and test split, and TFDS refuses the name "all"


def features(height: int | None, width: int | None, channels: int) -> tfds.features.FeaturesDict:
  """TFDS features of one clip of `height` x `width` pixels (None: any); the fields of `Clips`.

  frames is uint8 [T, H, W, C]; onset, apex and offset are indices into it.
  """
  text = tfds.features.Text
  # With more than one unknown dimension TFDS has to store the shape, which it only does encoded.
  # "none" would turn every pixel into a varint, one by one: that took most of a build's time.
  encoding = "zlib" if None in (height, width) else "bytes"
  return tfds.features.FeaturesDict(
    {
      "frames": tfds.features.Tensor(
        shape=(None, height, width, channels), dtype=np.uint8, encoding=encoding
      ),
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
