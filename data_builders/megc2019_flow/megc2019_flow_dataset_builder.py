"""TFDS builder of published flow maps; see parse.py for the layouts and README.md for the maps."""

import collections
import pathlib
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import tensorflow_datasets as tfds

from data_builders import frames, schema
from data_builders.build_report import BuildReport
from data_builders.clip_builder import ClipBuilder
from data_builders.megc2019_flow import parse
from data_builders.parallel import ordered
from data_builders.record import Record, example
from mer_jax.clips import FLOW_MAPS
from mer_jax.errors import ConfigError
from mer_jax.runtime.progress import progress


class Builder(ClipBuilder):
  """One example per clip; its frames are its maps, channels u, v, strain.

  `sheet` is the csv file of a flat archive; `crop` must stay "auto" or "as_is", for maps show no
  face that could be detected.
  """

  MANUAL_DOWNLOAD_INSTRUCTIONS = parse.EXPECTED
  BUILDER_CONFIGS: ClassVar[list[tfds.core.BuilderConfig]] = [
    tfds.core.BuilderConfig(name="maps", description="All maps of a clip at their own size.")
  ]

  def _info(self) -> tfds.core.DatasetInfo:
    # The archive decides the size of its maps, and TFDS asks before it is known.
    return self.dataset_info_from_configs(features=schema.features(None, None, 3))

  def survey(self, manual_dir: pathlib.Path) -> tuple[list[Record], BuildReport]:
    """Records and report of the archive in `manual_dir`; only maps with copies are read.

    Raises:
      ConfigError: the face is to be cut out, or there is an option for frames.
    """
    if self.options.apex or self.options.retimed:
      raise ConfigError("--apex and --retimed: flow maps have no frames. Leave the option out.")
    if self.options.crop in ("face", "landmarks"):
      raise ConfigError(
        f"--crop {self.options.crop}: flow maps show no face. Leave the option out."
      )
    return parse.parse(pathlib.Path(manual_dir), self.builder_config.name, sheet=self.options.sheet)

  def _generate_examples(self, records: list[Record], report: BuildReport):
    maps = _read(records, report)
    size = _common_size(maps)
    for record in records:
      if record.name not in maps:
        continue
      shape = maps[record.name].shape
      if shape[1:] != size:
        report.refuse(
          record.name, f"its maps are {shape[2]}x{shape[1]}, most are {size[1]}x{size[0]}"
        )
        continue
      report.keep(record)
      yield record.name, example(record, maps[record.name], report.synthetic, FLOW_MAPS)
    report.check(self.strict)
    report.write(self.data_dir)


def _read(records: Sequence[Record], report: BuildReport) -> dict[str, np.ndarray]:
  """{clip name: uint8 [T, H, W, 3]}; unreadable clips are refused. All maps fit into memory."""
  maps = {}
  with progress(len(records), f"{report.dataset}/{report.config}", "clip") as bar:
    for record, pixels in zip(records, ordered(_decode, records), strict=True):
      bar.update()
      if isinstance(pixels, frames.FrameError):
        report.refuse(record.name, str(pixels))
      else:
        maps[record.name] = pixels
  return maps


def _decode(record: Record) -> np.ndarray | frames.FrameError:
  try:
    maps = [parse.read_map(path) for path in record.frames]
    if len({pixels.shape for pixels in maps}) > 1:
      raise frames.FrameError("its maps differ in size")
  except frames.FrameError as error:
    return error
  return np.stack(maps)


def _common_size(maps: dict[str, np.ndarray]) -> tuple[int, ...]:
  sizes = collections.Counter(pixels.shape[1:] for pixels in maps.values())
  return sizes.most_common(1)[0][0] if sizes else ()
