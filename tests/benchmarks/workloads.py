"""What is measured: two published systems at their full sizes, on random numbers of those shapes.

How fast a step is does not depend on what the pixels show, so nothing has to be downloaded.
"""

import copy
from typing import NamedTuple

import numpy as np
from ml_collections import config_dict

from configs import parallel_cnn_lstm, ststnet
from mer_jax import clips, protocols
from mer_jax.protocols.split import leave_one_subject_out

CLASS_NAMES = ("negative", "positive", "surprise")
# Clips of each class, and held-out subjects: CASME II in three classes, and the MEGC2019 composite.
CASME2 = ((88, 32, 25), 24)
COMPOSITE = ((250, 109, 83), 68)
QUICK = ((12, 9, 8), 4)


class Workload(NamedTuple):
  """One experiment, ready for learning.build_program.

  Attributes:
    name: of the model.
    title: what a reader has to know of it, on one line.
    config: resolved.
    split: N clips, F folds; its `clips` hold no pixels.
    arrays: the model's inputs, [N, ...] each.
  """

  name: str
  title: str
  config: config_dict.ConfigDict
  split: protocols.Split
  arrays: dict[str, np.ndarray]

  @property
  def steps(self) -> int:
    """Optimisation steps in an epoch over all clips, ceil(N / B)."""
    return -(-len(self.split.labels) // self.config.training.batch_size)


def make(name: str, *, quick: bool = False, folds: int = 0) -> Workload:
  """The workload `name` (a key of `WORKLOADS`).

  Args:
    name: of the model.
    quick: so small that it takes no time, to see that everything works.
    folds: people that the clips belong to; 0: as many as the corpus has.
  """
  return WORKLOADS[name](quick, folds)


def with_folds(work: Workload, folds: int) -> Workload:
  """The first `folds` folds of `work`; the clips, and so the length of an epoch, stay."""
  split = work.split._replace(
    held_out=work.split.held_out[:folds], fold_names=work.split.fold_names[:folds]
  )
  return work._replace(split=split)


def with_config(work: Workload, **fields: object) -> Workload:
  """`work` with other values of config fields, dots written as double underscores."""
  config = copy.deepcopy(work.config)
  config.update_from_flattened_dict({k.replace("__", "."): v for k, v in fields.items()})
  return work._replace(config=config)


def _parallel_cnn_lstm(quick: bool, folds: int) -> Workload:
  config = parallel_cnn_lstm.get_config("casme2")
  counts, subjects = QUICK if quick else CASME2
  if quick:
    config.input.num_frames, config.input.size = 6, 16
    config.model.channels = (4, 6)
    config.model.cnn_features = config.model.lstm_features = config.model.head_features = 8
    config.training.batch_size = 8
  split = _split(counts, folds or subjects)
  frames, size, n = config.input.num_frames, config.input.size, len(split.labels)
  rng = np.random.default_rng(1)
  # Clips of a tenth of a second to more than the window, as recorded at 200 frames per second.
  mask = np.arange(frames)[None] < rng.integers(frames // 3, 2 * frames, n)[:, None]
  pixels = rng.random((n, frames, size, size, 1), np.float32)
  arrays = {"frames": pixels * mask[:, :, None, None, None], "mask": mask}
  title = (
    f"parallel CNN + LSTM: {n} clips of {frames} frames of {size} x {size}, batches of"
    f" {config.training.batch_size}, SGD with momentum"
  )
  return Workload("parallel_cnn_lstm", title, config, split, arrays)


def _ststnet(quick: bool, folds: int) -> Workload:
  config = ststnet.get_config("megc2019_maps")
  counts, subjects = QUICK if quick else COMPOSITE
  size = 12 if quick else 28
  if quick:
    config.training.batch_size = 16
  split = _split(counts, folds or subjects)
  n = len(split.labels)
  # Of both signs: behind a filter that ReLU never cuts, batch normalisation takes the bias out
  # again, and Adam would step along the sign of rounding errors.
  image = np.random.default_rng(1).standard_normal((n, size, size, 3), np.float32)
  title = (
    f"STSTNet: {n} flow images of {size} x {size}, batches of {config.training.batch_size}, Adam"
  )
  return Workload("ststnet", title, config, split, {"image": image})


WORKLOADS = {"parallel_cnn_lstm": _parallel_cnn_lstm, "ststnet": _ststnet}


def _split(counts: tuple[int, ...], subjects: int) -> protocols.Split:
  """Clips of so many of each class, shared out among `subjects` as unevenly as in the corpora."""
  rng = np.random.default_rng(0)
  labels = rng.permutation(np.repeat(np.arange(len(counts)), counts)).astype(np.int32)
  n = len(labels)
  share = rng.dirichlet(np.full(subjects, 1.5))
  owner = np.concatenate([np.arange(subjects), rng.choice(subjects, n - subjects, p=share)])
  names = [f"sub{s:02d}" for s in owner]
  return leave_one_subject_out(_clips(names, labels), labels, CLASS_NAMES, ())


def _clips(subjects: list[str], labels: np.ndarray) -> clips.Clips:
  n = len(subjects)
  nowhere, blank = np.zeros(n, np.int32), np.full(n, "")
  return clips.Clips(
    frames=np.zeros((n, 1, 1, 1), np.uint8),
    starts=np.arange(n + 1),
    dataset=np.full(n, "casme2"),
    subject=np.array(subjects),
    clip=np.array([f"EP{i:03d}" for i in range(n)]),
    emotion=np.array([CLASS_NAMES[k] for k in labels]),
    action_units=blank,
    objective_class=blank,
    onset=nowhere,
    apex=nowhere,
    offset=nowhere,
    apex_missing=np.zeros(n, np.bool_),
    fps=np.full(n, 200, np.float32),
    first_frame=np.ones(n, np.int64),
    last_frame=np.ones(n, np.int64),
    synthetic=np.ones(n, np.bool_),
  )
