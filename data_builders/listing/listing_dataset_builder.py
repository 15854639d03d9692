"""TFDS builder of clips of one's own; see table.py for what it reads and docs/own_data.md."""

import pathlib

import tensorflow_datasets as tfds

from data_builders import schema
from data_builders.build_report import BuildReport
from data_builders.clip_builder import ClipBuilder
from data_builders.listing import parse, table
from data_builders.record import Record


class Builder(ClipBuilder):
  """A listing, one example per clip."""

  MANUAL_DOWNLOAD_INSTRUCTIONS = table.EXPECTED

  def _info(self) -> tfds.core.DatasetInfo:
    size = self.builder_config.size
    features = {**schema.features(size, size, 1), "split": tfds.features.Text()}
    return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

  def survey(self, manual_dir: pathlib.Path) -> tuple[list[Record], BuildReport]:
    """Records and report of the clips in `manual_dir`, without reading any pixel."""
    return parse.parse(pathlib.Path(manual_dir), self.builder_config.name, self.options)
