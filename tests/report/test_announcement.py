import numpy as np
import pytest

from mer_jax.experiment import settings
from mer_jax.protocols import Split
from mer_jax.report.announcement import announcement


@pytest.mark.parametrize(
  ("names", "protocol", "folds"),
  [
    (("casme2", "smic"), "leave one corpus out", "2 held-out corpora (casme2, smic), 1 seed"),
    (("a", "b"), "cross validation", "2 folds, 1 seed"),
  ],
)
def test_folds_that_are_no_subjects(make_predictions, make_clips, names, protocol, folds):
  run = make_predictions()
  split = Split(
    clips=make_clips(run),
    labels=run.label.astype(np.int32),
    class_names=run.class_names,
    held_out=run.dataset == np.array([["casme2"], ["smic"]]),
    fold_names=names,
    remarks=(),
  )
  lines = announcement(settings.default().to_dict(), split, {}, {}, ["cpu 0"]).splitlines()
  assert lines[1] == f"protocol  three_class, {protocol}"
  assert lines[3] == f"folds     {folds}"


def test_says_what_is_about_to_run(make_predictions, make_clips):
  run = make_predictions(subjects=(("casme2", 5),), clips_each=2)
  config = settings.default()
  config.seeds = 3
  split = Split(
    clips=make_clips(run),
    labels=run.label.astype(np.int32),
    class_names=run.class_names,
    held_out=np.repeat(np.eye(5, dtype=bool), 2, axis=1),
    fold_names=tuple(f"casme2/sub0{s}" for s in range(5)),
    remarks=("Synthetic data.",),
  )
  arrays = {"frames": np.zeros((10, 48, 8, 8, 1)), "mask": np.zeros((10, 48))}
  about = {"model": "parallel_cnn_lstm, 12,345 parameters", "training": "for long"}
  lines = announcement(config.to_dict(), split, arrays, about, ["cpu 0", "cpu 1"]).splitlines()
  found = {line.split()[0]: " ".join(line.split()[1:]) for line in lines}
  assert found == {
    "corpus": "casme2 (frames48)",
    "protocol": "three_class, leave one subject out",
    "clips": "10: 4 negative, 3 positive, 3 surprise",
    "folds": "5 held-out subjects, 3 seeds",
    "input": "padded_frames: frames [48, 8, 8, 1], mask [48] a clip",
    "model": "parallel_cnn_lstm, 12,345 parameters",
    "training": "for long",
    "devices": "2: cpu 0, cpu 1",
    "Note:": "Synthetic data.",
  }
