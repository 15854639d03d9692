"""What the builders of corpora share: everything but how a corpus is read, and its texts."""

import abc
import pathlib
from typing import ClassVar

import tensorflow_datasets as tfds

from data_builders import examples, schema
from data_builders.build_report import BuildReport
from data_builders.options import Options
from data_builders.record import Record


class FrameConfig(tfds.core.BuilderConfig):
  """Frames of `size` x `size` pixels, gray."""

  def __init__(self, *, size: int, **kwargs):
    super().__init__(**kwargs)
    self.size = size


class ClipBuilder(tfds.core.GeneratorBasedBuilder, abc.ABC, skip_registration=True):
  """One example per clip, from onset to offset; a corpus adds `survey` and the texts.

  Attributes:
    strict: any repair or refusal is an error.
    options: how the corpus is read.
  """

  VERSION = tfds.core.Version("1.0.0")
  RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "First release."}
  BUILDER_CONFIGS: ClassVar[list[tfds.core.BuilderConfig]] = [
    FrameConfig(name=f"frames{size}", description=f"Gray, {size} x {size} pixels.", size=size)
    for size in (48, 128, 224)
  ]
  strict = False
  options = Options()

  @abc.abstractmethod
  def survey(self, manual_dir: pathlib.Path) -> tuple[list[Record], BuildReport]:
    """Records and report of the corpus in `manual_dir`, without reading any pixel."""

  def _info(self) -> tfds.core.DatasetInfo:
    size = self.builder_config.size
    return self.dataset_info_from_configs(features=schema.features(size, size, 1))

  def _split_generators(self, dl_manager):
    records, report = self.survey(pathlib.Path(dl_manager.manual_dir))
    return {schema.SPLIT: self._generate_examples(records, report)}

  def _generate_examples(self, records: list[Record], report: BuildReport):
    size = self.builder_config.size
    by_landmarks = self.options.crop == "landmarks"
    yield from examples.generate(
      records, report, size, self.data_dir, self.strict, by_landmarks=by_landmarks
    )
