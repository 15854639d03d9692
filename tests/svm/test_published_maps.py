"""The RBF SVM on the flow maps of CASME II that a project has published, from PNGs to scores."""

import pathlib

import numpy as np
import pytest

from data_builders import build
from mer_jax import evaluation, inputs, protocols, svm
from mer_jax.clips import load_prepared

ARCHIVE = pathlib.Path(__file__).parents[3] / "shared" / "real" / "flow4_casme2"


@pytest.fixture(scope="module")
def split(tmp_path_factory):
  if not ARCHIVE.is_dir():
    pytest.skip("the archive of real flow maps is not beside the checkout")
  data_dir = tmp_path_factory.mktemp("maps")
  build.build("megc2019_flow", ARCHIVE, data_dir)
  return protocols.split("three_class", load_prepared("megc2019_flow", "maps", data_dir))


def scores_of(split, arrays) -> list[float]:
  """Accuracy, UF1 and UAR of SVC(C=3, gamma="scale", class_weight="balanced")."""
  machine = svm.Machine(kernel="rbf", cost=3.0)
  scores = svm.loso(arrays, split.labels, split.held_out, len(split.class_names), machine)
  predictions = evaluation.predictions_of([0], split, scores.probabilities[None])
  np.testing.assert_array_equal(predictions.prediction, scores.prediction)
  pooled = evaluation.summarise(predictions)["pooled"]
  return [round(pooled[name], 3) for name in ("accuracy", "uf1", "uar")]


def test_first_map(split):
  assert scores_of(split, inputs.make("flow_maps", split.clips)) == [0.738, 0.718, 0.743]


def test_all_four_maps(split):
  maps = inputs.make("padded_frames", split.clips, num_frames=4, size=28)
  assert scores_of(split, maps) == [0.766, 0.769, 0.807]
