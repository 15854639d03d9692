"""From a dataset that `mer_jax build` prepared to Clips."""

import os
import pathlib
from typing import Any

from mer_jax.clips.structure import Clips, stack
from mer_jax.errors import DataError


def load_prepared(dataset: str, builder_config: str, data_dir: str | os.PathLike[str]) -> Clips:
  """Reads the prepared dataset `data_dir/dataset/builder_config/<newest version>`.

  The builders that wrote it are not needed.

  Args:
    dataset: name of the builder: "casme2", "samm", "smic", "megc2019_flow".
    builder_config: name of its config: "frames48", "frames128".
    data_dir: where `mer_jax build` put the data.

  Returns:
    Every clip, sorted by (dataset, subject, clip): array_record files are shuffled on disk.

  Raises:
    DataError: nothing is prepared under that name, or the files cannot be read.
  """
  import tensorflow_datasets as tfds  # slow to import, and only needed here

  path = _newest_version(pathlib.Path(data_dir).expanduser(), dataset, builder_config)
  odd = [file.name for file in path.iterdir() if not file.is_file() and not file.is_dir()]
  if odd:  # readers would wait for a pipe
    raise DataError(f"The prepared dataset in {path} cannot be read: {odd[0]} is no file.")
  try:
    # Any: TFDS declares the return types of neither its builders nor its examples.
    builder: Any = tfds.builder_from_directory(str(path))
    source = builder.as_data_source("clips")
    examples = [source[i] for i in range(len(source))]
  except Exception as error:  # array_record raises its own and plain RuntimeErrors
    raise DataError(
      f"The prepared dataset in {path} cannot be read ({type(error).__name__}: {error}). Remove"
      " that folder and build it again."
    ) from error
  if not examples:
    raise DataError(f"The prepared dataset in {path} holds no clip. Build it again.")
  examples.sort(key=lambda e: (e["dataset"], e["subject"], e["clip"]))
  return stack(examples)


def prepared_configs(dataset: str, data_dir: str | os.PathLike[str]) -> list[str]:
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
  raise DataError(
    f"No prepared dataset {dataset}/{builder_config} under {data_dir} (found: "
    f"{', '.join(prepared) or 'none'}). Build it with: mer_jax build {dataset}"
    f" --manual_dir=CORPUS --data_dir={data_dir} --config={builder_config}"
  )
