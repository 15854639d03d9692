import numpy as np

from mer_jax import settings
from mer_jax.protocols import Split
from mer_jax.report.announcement import announcement


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
