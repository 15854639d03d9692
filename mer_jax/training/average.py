"""The mean of a fold's parameters over the steps of its training.

ema: exponential moving average, as of Polyak and Juditsky, "Acceleration of Stochastic
Approximation by Averaging" (1992), and Tarvainen and Valpola, "Mean teachers" (NeurIPS 2017),
debiased as Adam's moments are. swa: plain mean over the last part of the training (Izmailov et al.,
"Averaging Weights Leads to Wider Optima and Better Generalization", UAI 2018).

Running statistics of batch normalisation are averaged alike; they are not computed again for the
mean, as Izmailov et al. do, which would need a further pass over the clips of every fold.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

AVERAGES = ("none", "ema", "swa")
_TINY = 1e-30  # stands for a decay of 0, whose logarithm is not finite


class Average(NamedTuple):
  """Which mean is taken.

  Attributes:
    name: "ema" or "swa".
    decay: of ema, what a further step leaves of the mean, in [0, 1).
    first_step: the step from which on parameters enter the mean, counted from 0.
  """

  name: str
  decay: float = 0.999
  first_step: int = 0


class Averaged(NamedTuple):
  """The mean so far.

  Attributes:
    params, batch_stats: means of the fold's; zeros before the first step that enters.
    count: int32, the steps that have entered.
  """

  params: Any
  batch_stats: Any
  count: jax.Array


def empty(params: Any, batch_stats: Any) -> Averaged:
  """The mean over no step."""
  zeros = jax.tree.map(jnp.zeros_like, (params, batch_stats))
  return Averaged(*zeros, count=jnp.zeros((), jnp.int32))


def add(
  average: Average, mean: Averaged, params: Any, batch_stats: Any, step: jax.Array
) -> Averaged:
  """`mean` with the parameters after `step`, an int32 scalar."""
  enters = step >= average.first_step
  count = mean.count + enters
  n = jnp.maximum(count, 1).astype(jnp.float32)
  if average.name == "swa":
    share = 1 / n
  else:
    # 1 - decay^n, which loses its digits for small n if it is computed as it stands here.
    share = (1 - average.decay) / -jnp.expm1(n * (math.log(average.decay or _TINY)))
  # The first step has share 1 of a mean of zeros: it is the mean.
  share = jnp.where(enters, share, 0)
  fresh = jax.tree.map(lambda old, new: old + share * (new - old), mean[:2], (params, batch_stats))
  return Averaged(*fresh, count=count)


def variables(mean: Averaged, params: Any, batch_stats: Any) -> tuple[Any, Any]:
  """The mean (params, batch_stats), or the given ones as long as it is empty."""
  return jax.tree.map(
    lambda average, last: jnp.where(mean.count > 0, average, last), mean[:2], (params, batch_stats)
  )
