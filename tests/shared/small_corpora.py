"""One small synthetic corpus, drawn and prepared once for all tests of whole runs."""

import pytest

import data_builders.build
import data_builders.synthetic
from configs import parallel_cnn_lstm
from mer_jax.report import style


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
  root = tmp_path_factory.mktemp("corpora")
  data_builders.synthetic.write("casme2", root / "casme2", subjects=5, clips_per_subject=6, size=64)
  for config in ("frames48", "frames128"):
    data_builders.build.build("casme2", root / "casme2", root / "data", config)
  return root / "data"


@pytest.fixture(scope="session")
def three_corpora(tmp_path_factory):
  """A data_dir with all three corpora, three subjects each, in both sizes."""
  root = tmp_path_factory.mktemp("three")
  for dataset in ("casme2", "samm", "smic"):
    corpus = root / dataset
    data_builders.synthetic.write(dataset, corpus, subjects=3, clips_per_subject=5, size=64)
    for config in ("frames48", "frames128"):
      data_builders.build.build(dataset, corpus, root / "data", config)
  return root / "data"


@pytest.fixture
def config(data_dir, monkeypatch):
  """The paper's config, shrunk; reports in this process are drawn coarsely."""
  monkeypatch.setattr(style, "DPI", 40)
  config = parallel_cnn_lstm.get_config("casme2")
  config.data.data_dir = str(data_dir)
  config.input.num_frames, config.input.size = 6, 16
  config.model.channels = (2, 3)
  config.model.cnn_features = config.model.lstm_features = config.model.head_features = 4
  config.training.epochs = 2
  # By hand: else the model is traced twice more, to see how many folds fit into memory.
  config.training.fold_block = 5
  config.devices = 1
  return config
