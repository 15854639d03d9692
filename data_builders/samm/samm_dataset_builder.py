"""TFDS builder of SAMM; see parse.py for what it reads and README.md for how to get it."""

import pathlib

from data_builders import sheet_corpus
from data_builders.build_report import BuildReport
from data_builders.clip_builder import ClipBuilder
from data_builders.record import Record
from data_builders.samm import parse


class Builder(ClipBuilder):
  """SAMM, one example per clip."""

  MANUAL_DOWNLOAD_INSTRUCTIONS = parse.EXPECTED

  def survey(self, manual_dir: pathlib.Path) -> tuple[list[Record], BuildReport]:
    """Records and report of the corpus in `manual_dir`, without reading any pixel."""
    config = self.builder_config.name
    return sheet_corpus.read(parse.CORPUS, pathlib.Path(manual_dir), config, self.options)
