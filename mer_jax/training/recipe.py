"""What a training is made of: the recipe, the clips, a fold, and the keys of its randomness."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import flax.linen as nn
import jax
import optax

from mer_jax.targets import SingleClass
from mer_jax.training import losses, schedule
from mer_jax.training.augment import Augment
from mer_jax.training.average import Average
from mer_jax.training.source import Source

# What the keys below a seed's key are for: fold_in of the purpose, then the fold, then the step;
# what all folds share has no fold.
INIT, BATCHES, DROPOUT, DRAWN, AUGMENT = range(5)


class Data(NamedTuple):
  """All clips, on device, the same for every fold.

  Attributes:
    inputs: arrays [N, ...] as an input of mer_jax.inputs made them.
    labels: int32 [N].
  """

  inputs: dict[str, jax.Array]
  labels: jax.Array


class Fold(NamedTuple):
  """Which fold this is.

  Attributes:
    identity: uint32, drawn from the fold's name, so that a fold's randomness is its own whichever
      folds run beside it.
    weights: float32 [N]; 0 for clips that the fold must not learn from.
    hyper: float32 scalars by name, see `Recipe.optimizer`; "dropout" and "focal_gamma", where
      present, stand in for the model's rate and for a plain cross-entropy. Being data, they may
      differ from fold to fold, and another value compiles nothing.
    until: int32, the step from which on the fold stays as it is; None: it trains on and on.
  """

  identity: jax.Array
  weights: jax.Array
  hyper: dict[str, jax.Array]
  until: jax.Array | None = None


class Recipe(NamedTuple):
  """Everything about training that does not change from step to step.

  Attributes:
    model: flax module (inputs, weights [B], train) -> logits [B, K].
    optimizer: from a fold's hyper-parameters (learning_rate, momentum, weight_decay; one that is
      absent is 0) to an optax transformation.
    target: what is predicted of a clip: its loss, and probabilities from logits.
    batch_size: B.
    schedule: one of schedule.SCHEDULES.
    fewest: the least number of training clips of any fold.
    source: draws examples; with the schedule "shared" only.
    drawn: how many of the B examples of a batch `source` draws, 0..B; the others are clips.
    epoch_steps: steps of an epoch where all B are drawn.
    augment: random changes of the examples of a batch.
    average: which mean of the parameters over the steps predicts; None: the last ones do.
    action_unit_loss: factor of the loss of the logits [B, A] that the model sows as "action_units"
      into the collection "auxiliary", over drawn examples; 0: there is none.
    mirror_at_test: whether a prediction is the mean over a clip and its mirror image.
    losses: what is minimised, pairs of a name in losses.LOSSES and a factor.
    trained, frozen: prefixes of the names of parameters that are trained, see subtrees.learns; the
      others stay bit by bit, and so do the running statistics of their layers.
  """

  model: nn.Module
  optimizer: Callable[[Mapping[str, jax.Array]], optax.GradientTransformation]
  target: SingleClass
  batch_size: int
  schedule: str = "shared"
  fewest: int = 1
  source: Source | None = None
  drawn: int = 0
  epoch_steps: int = 0
  augment: Augment = Augment()
  average: Average | None = None
  action_unit_loss: float = 0.0
  mirror_at_test: bool = False
  losses: tuple[tuple[str, float], ...] = losses.DEFAULT
  trained: tuple[str, ...] = ()
  frozen: tuple[str, ...] = ()

  def steps_per_epoch(self, num_clips: int) -> int:
    """Steps in which N clips are seen once; `epoch_steps` where no clip is in any batch."""
    clips = self.batch_size - self.drawn
    return schedule.steps_per_epoch(num_clips, clips) if clips else self.epoch_steps


def purpose_key(seed_key: jax.Array, purpose: int, identity: jax.Array) -> jax.Array:
  """The key of one purpose (INIT, BATCHES, DROPOUT, AUGMENT) of one fold (uint32) of a seed."""
  return jax.random.fold_in(jax.random.fold_in(seed_key, purpose), identity)
