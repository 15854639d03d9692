"""TFDS builder of SMIC; see parse.py for what it reads and README.md for how to get it."""

import pathlib
from typing import ClassVar

import tensorflow_datasets as tfds

from data_builders.build_report import BuildReport
from data_builders.clip_builder import ClipBuilder, FrameConfig
from data_builders.record import Record
from data_builders.smic import parse
from mer_jax.errors import ConfigError

CAMERAS = {
  "hs": "high-speed camera, 100 frames per second",
  "vis": "normal camera, 25 frames per second",
  "nir": "near-infrared camera, 25 frames per second",
}


class CameraConfig(FrameConfig):
  """Frames of one camera, a key of `CAMERAS`."""

  def __init__(self, *, camera: str, **kwargs):
    super().__init__(**kwargs)
    self.camera = camera


class Builder(ClipBuilder):
  """SMIC, one example per clip; `sheet` must stay None, for SMIC is read from its tree alone."""

  MANUAL_DOWNLOAD_INSTRUCTIONS = parse.EXPECTED
  BUILDER_CONFIGS: ClassVar[list[tfds.core.BuilderConfig]] = [
    CameraConfig(
      name=f"frames{size}" + ("" if camera == "hs" else f"_{camera}"),
      description=f"Gray, {size} x {size} pixels, {description}.",
      size=size,
      camera=camera,
    )
    for camera, description in CAMERAS.items()
    for size in (48, 128, 224)
  ]

  def survey(self, manual_dir: pathlib.Path) -> tuple[list[Record], BuildReport]:
    """Records and report of the corpus in `manual_dir`, without reading any pixel.

    Raises:
      ConfigError: there is a coding sheet, or re-timed frames, whose span a sheet would say.
    """
    options, config = self.options, self.builder_config
    for option, given in (("--sheet", options.sheet), ("--retimed", options.retimed)):
      if given:
        raise ConfigError(f"{option}: SMIC is read from its tree alone. Leave the option out.")
    return parse.parse(
      pathlib.Path(manual_dir), config.name, config.camera, options.crop, options.apex
    )
