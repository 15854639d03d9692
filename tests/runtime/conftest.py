"""A small prepared corpus, and one that differs from it in its pictures alone."""

import pytest

import data_builders.build
import data_builders.synthetic
from configs import parallel_cnn_lstm


def _prepare(root, name, seed):
  data_builders.synthetic.write(
    "casme2", root / name, seed=seed, subjects=5, clips_per_subject=6, size=64
  )
  data_builders.build.build("casme2", root / name, root / f"{name}_data", "frames48")
  return root / f"{name}_data"


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
  return _prepare(tmp_path_factory.mktemp("corpora"), "one", 0)


@pytest.fixture(scope="module")
def other_data_dir(tmp_path_factory):
  return _prepare(tmp_path_factory.mktemp("corpora"), "two", 1)


@pytest.fixture(scope="module")
def config(data_dir):
  """The paper's config, shrunk, long enough to be stopped under way."""
  config = parallel_cnn_lstm.get_config("casme2")
  config.data.data_dir = str(data_dir)
  config.input.num_frames, config.input.size = 6, 16
  config.model.channels = (2, 3)
  config.model.cnn_features = config.model.head_features = 4
  config.model.branch = "cnn"
  config.training.epochs = 12
  config.checkpoint.every_epochs = 1
  config.checkpoint.keep = 12
  return config
