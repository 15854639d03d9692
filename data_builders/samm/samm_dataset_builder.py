"""TFDS builder of SAMM; see parse.py for what it reads and README.md for how to get it."""

import pathlib
from typing import ClassVar

import tensorflow_datasets as tfds

from data_builders import examples, schema
from data_builders.build_report import BuildReport
from data_builders.record import Record
from data_builders.samm import parse


class Config(tfds.core.BuilderConfig):
  """Frames of `size` x `size` pixels, gray."""

  def __init__(self, *, size: int, **kwargs):
    super().__init__(**kwargs)
    self.size = size


class Builder(tfds.core.GeneratorBasedBuilder):
  """One example per clip, from onset to offset.

  Attributes:
    strict: any repair or refusal is an error.
    sheet: coding sheet to read; None: the one found.
    crop: "auto", "face" or "as_is".
  """

  VERSION = tfds.core.Version("1.0.0")
  RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "First release."}
  MANUAL_DOWNLOAD_INSTRUCTIONS = parse.EXPECTED
  BUILDER_CONFIGS: ClassVar[list[Config]] = [
    Config(name="frames48", description="Gray, 48 x 48 pixels.", size=48),
    Config(name="frames128", description="Gray, 128 x 128 pixels.", size=128),
    Config(name="frames224", description="Gray, 224 x 224 pixels.", size=224),
  ]
  strict = False
  sheet: pathlib.Path | None = None
  crop = "auto"

  def _info(self) -> tfds.core.DatasetInfo:
    size = self.builder_config.size
    return self.dataset_info_from_configs(features=schema.features(size, size, 1))

  def survey(self, manual_dir: pathlib.Path) -> tuple[list[Record], BuildReport]:
    """Records and report of the corpus in `manual_dir`, without reading any pixel."""
    return parse.parse(
      pathlib.Path(manual_dir), self.builder_config.name, sheet=self.sheet, crop=self.crop
    )

  def _split_generators(self, dl_manager):
    records, report = self.survey(dl_manager.manual_dir)
    return {schema.SPLIT: self._generate_examples(records, report)}

  def _generate_examples(self, records: list[Record], report: BuildReport):
    size = self.builder_config.size
    yield from examples.generate(records, report, size, self.data_dir, self.strict)
