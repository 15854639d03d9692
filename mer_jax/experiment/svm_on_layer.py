"""config.svm: an SVM on a layer of a network, trained in the same fold as the network.

The network of a fold learns from the fold's training clips; its features of these clips then train
an SVM, and the SVM predicts the clips that the fold holds out. So neither has seen a held-out
subject. Whatever is selected on the way is selected by the network's own logits.
"""

from collections.abc import Sequence

import numpy as np
from ml_collections import config_dict

from mer_jax import svm, training
from mer_jax.errors import ConfigError
from mer_jax.experiment.selection.options import LEAKY
from mer_jax.protocols import Split
from mer_jax.training.fold import FoldState

LAYER = "layer"  # the field that is no option of the SVM


def machine_of(config: config_dict.ConfigDict, seed: int = 0) -> svm.Machine:
  """The SVM that config.svm describes."""
  options = {key: value for key, value in config.svm.items() if key != LAYER}
  return svm.Machine(**options, seed=seed)


def check(config: config_dict.ConfigDict) -> None:
  """Checks options, and what an SVM on a layer excludes.

  Raises:
    ConfigError: an unknown option, one out of range, or fields that do not go together.
  """
  options = [key for key in config.svm if key != LAYER]
  if config.model.name == "svm" or not config.svm.layer:
    if options:
      raise ConfigError(
        f"config.svm.{options[0]} is set, but it is of an SVM on a layer of a network: name that in"
        " config.svm.layer; options of the model svm stand in config.model."
      )
    if config.svm.layer and not config.start.weights:
      raise ConfigError(
        f"config.svm.layer is {config.svm.layer!r}, but the SVM reads an input and no weights of"
        " config.start. Name weights, or leave the layer empty."
      )
    return
  svm.check_options({key: config.svm[key] for key in options}, "config.svm")
  if config.selection.name == LEAKY:
    raise ConfigError(
      f"config.selection.name is {LEAKY}, which looks at what the network predicts along the way,"
      " but an SVM predicts in the end (config.svm.layer). Use last or inner."
    )
  if config.training.mirror_at_test:
    raise ConfigError(
      "config.training.mirror_at_test averages probabilities of a network, but an SVM on its"
      " features predicts (config.svm.layer). Switch one of them off."
    )


def about(config: config_dict.ConfigDict) -> dict[str, str]:
  """The line of the announcement; none where the network predicts."""
  if not config.svm.layer:
    return {}
  options = [f"{key} {value}" for key, value in sorted(config.svm.items()) if key != LAYER]
  given = ", ".join(options) or "with its defaults"
  return {"svm": f"on {config.svm.layer} of each fold's network, {given}"}


def by_setting(
  config: config_dict.ConfigDict,
  split: Split,
  seeds: Sequence[int],
  program: training.Program,
  state: FoldState,
  settings: int,
) -> list[np.ndarray]:
  """Probabilities of each clip by the SVM of the fold that holds it out, see svm.loso.

  Args:
    config: resolved.
    split: N clips, F folds.
    seeds: S seeds.
    program: the last stage of the folds of every setting.
    state: its state.
    settings: P.

  Returns:
    P times float32 [S, N, K], NaN where no fold holds a clip out or its network was stopped.
  """
  features = training.features_by_fold(program, state, config.svm.layer)
  folds, classes = len(split.held_out), len(split.class_names)
  out = np.full((settings, len(seeds), len(split.labels), classes), np.nan, np.float32)
  for p, s, f in np.ndindex(settings, len(seeds), folds):
    rows, held = features[s, p * folds + f], split.held_out[f]
    if np.isnan(rows).any():
      continue
    # A second fold holds out the rest, for every clip has to be held out once; it is not read.
    both, machine = np.stack([held, ~held]), machine_of(config, seeds[s])
    scores = svm.loso(rows, split.labels, both, classes, machine, shown=False)
    out[p, s, held] = scores.probabilities[held]
  return list(out)
