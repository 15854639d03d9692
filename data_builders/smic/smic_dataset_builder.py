"""TFDS builder of SMIC; see parse.py for what it reads and README.md for how to get it."""

import pathlib
from typing import ClassVar

import tensorflow_datasets as tfds

from data_builders import examples, schema
from data_builders.build_report import BuildReport
from data_builders.record import Record
from data_builders.smic import parse
from mer_jax.errors import ConfigError


class Config(tfds.core.BuilderConfig):
  """Frames of `size` x `size` pixels, gray, of one camera: "hs", "vis" or "nir"."""

  def __init__(self, *, size: int, camera: str, **kwargs):
    super().__init__(**kwargs)
    self.size = size
    self.camera = camera


class Builder(tfds.core.GeneratorBasedBuilder):
  """One example per clip, from onset to offset.

  Attributes:
    strict: any repair or refusal is an error.
    sheet: must stay None, SMIC is read from its tree alone.
    crop: "auto", "face" or "as_is".
  """

  VERSION = tfds.core.Version("1.0.0")
  RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "First release."}
  MANUAL_DOWNLOAD_INSTRUCTIONS = parse.EXPECTED
  BUILDER_CONFIGS: ClassVar[list[Config]] = [
    Config(
      name=f"frames{size}" + ("" if camera == "hs" else f"_{camera}"),
      description=f"Gray, {size} x {size} pixels, {what}.",
      size=size,
      camera=camera,
    )
    for camera, what in (
      ("hs", "high-speed camera, 100 frames per second"),
      ("vis", "normal camera, 25 frames per second"),
      ("nir", "near-infrared camera, 25 frames per second"),
    )
    for size in (48, 128, 224)
  ]
  strict = False
  sheet: pathlib.Path | None = None
  crop = "auto"

  def _info(self) -> tfds.core.DatasetInfo:
    size = self.builder_config.size
    return self.dataset_info_from_configs(features=schema.features(size, size, 1))

  def survey(self, manual_dir: pathlib.Path) -> tuple[list[Record], BuildReport]:
    """Records and report of the corpus in `manual_dir`, without reading any pixel."""
    if self.sheet is not None:
      raise ConfigError("--sheet: SMIC is read from its tree alone. Leave the option out.")
    config = self.builder_config
    return parse.parse(pathlib.Path(manual_dir), config.name, config.camera, crop=self.crop)

  def _split_generators(self, dl_manager):
    records, report = self.survey(dl_manager.manual_dir)
    return {schema.SPLIT: self._generate_examples(records, report)}

  def _generate_examples(self, records: list[Record], report: BuildReport):
    size = self.builder_config.size
    yield from examples.generate(records, report, size, self.data_dir, self.strict)
