"""Reads a prepared dataset by name from a data_dir. The builders that wrote it are not needed."""

import os
import pathlib
from typing import Any

import numpy as np

from mer_jax import errors
from mer_jax.clips import PER_CLIP_FIELDS, Clips

_DTYPES = {
  "onset": np.int32,
  "apex": np.int32,
  "offset": np.int32,
  "apex_missing": np.bool_,
  "fps": np.float32,
  "first_frame": np.int64,
  "last_frame": np.int64,
  "synthetic": np.bool_,
}


def load(dataset: str, builder_config: str, data_dir: str | os.PathLike[str]) -> Clips:
  """Reads `data_dir/dataset/builder_config/<newest version>`.

  Args:
    dataset: name of the builder: "casme2", "samm", "smic", "megc2019_flow".
    builder_config: name of its config: "frames48", "frames128".
    data_dir: where `python -m data_builders.build` put the data.

  Returns:
    Every clip, sorted by (dataset, subject, clip): array_record files are shuffled on disk.

  Raises:
    DataError: nothing is prepared under that name, or the files cannot be read.
  """
  import tensorflow_datasets as tfds  # slow to import, and only needed here

  path = _newest_version(pathlib.Path(data_dir).expanduser(), dataset, builder_config)
  try:
    # Any: TFDS declares the return types of neither its builders nor its examples.
    builder: Any = tfds.builder_from_directory(str(path))
    source = builder.as_data_source("clips")
    examples = [source[i] for i in range(len(source))]
  except Exception as error:  # array_record raises its own and plain RuntimeErrors
    raise errors.DataError(
      f"The prepared dataset in {path} cannot be read ({type(error).__name__}: {error}). Remove"
      " that folder and build it again."
    ) from error
  if not examples:
    raise errors.DataError(f"The prepared dataset in {path} holds no clip. Build it again.")
  examples.sort(key=lambda e: (e["dataset"], e["subject"], e["clip"]))
  return _stack(examples)


def builder_configs(dataset: str, data_dir: str | os.PathLike[str]) -> list[str]:
  """Names of the builder configs in which `dataset` is prepared, sorted; none: an empty list."""
  folder = pathlib.Path(data_dir).expanduser() / dataset
  return sorted({file.parent.parent.name for file in folder.glob("*/*/dataset_info.json")})


def _newest_version(data_dir: pathlib.Path, dataset: str, builder_config: str) -> pathlib.Path:
  folder = data_dir / dataset / builder_config
  versions = [p for p in folder.glob("*.*.*") if (p / "dataset_info.json").is_file()]
  if versions:
    return max(versions, key=lambda p: [int(x) for x in p.name.split(".") if x.isdigit()])
  prepared = sorted(
    str(p.parent.relative_to(data_dir)) for p in data_dir.glob("*/*/*/dataset_info.json")
  )
  raise errors.DataError(
    f"No prepared dataset {dataset}/{builder_config} under {data_dir} (found: "
    f"{', '.join(prepared) or 'none'}). Build it with: python -m data_builders.build {dataset}"
    f" --manual_dir CORPUS --data_dir {data_dir} --config {builder_config}"
  )


def _stack(examples: list[dict]) -> Clips:
  frames = [np.asarray(e["frames"], np.uint8) for e in examples]
  text = {
    field: np.array([_decode(e[field]) for e in examples])
    for field in PER_CLIP_FIELDS
    if field not in _DTYPES
  }
  numbers = {
    field: np.array([e[field] for e in examples], dtype) for field, dtype in _DTYPES.items()
  }
  return Clips(
    frames=np.concatenate(frames),
    starts=np.concatenate([[0], np.cumsum([len(f) for f in frames])]).astype(np.int64),
    channels=_decode(examples[0]["channels"]),
    **text,
    **numbers,
  )


def _decode(value: bytes | str) -> str:
  return value.decode("utf-8") if isinstance(value, bytes) else value
