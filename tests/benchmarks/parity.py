"""The proof that goes before every measurement: all contenders compute the same thing.

With dropout off, the parameters of the engine's first state go into PyTorch. The first batch, less
the clips that the fold holds out (the engine gives them weight 0, PyTorch never sees them), has to
give the same loss and the same gradients, and three optimiser steps the same parameters: in the
engine's chunk over all folds and in both ways of training folds one by one.

Deviations are relative and array by array: the Euclidean norm of the difference over that of the
gradient, or of the way that a parameter has moved. At full size a gradient has been seen to differ
by half a thousandth: where rounding decides which of two places a maximum is in, or on which side
of 0 a ReLU is, a filter learns from another pixel; elsewhere it is a millionth. PyTorch's running
variances count n / (n - 1) times the variance of a batch; that factor, which neither side
normalises with, is taken out before.
"""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import jax
import numpy as np
import torch

from mer_jax import training
from mer_jax.targets import SingleClass
from mer_jax.training import batch
from mer_jax.training import fold as one

from . import torch_loop, torch_models
from .contenders import AllFolds, OneByOneChunks, OneByOneSteps, one_by_one
from .workloads import Workload, with_config

STEPS = 3
TOLERANCE = {"loss": 1e-5, "gradients": 5e-3, "parameters": 1e-2, "statistics": 1e-4}


class ParityError(Exception):
  """Two contenders do not compute the same thing."""


class Reference(NamedTuple):
  """What PyTorch makes of one fold, arrays by PyTorch's names.

  Attributes:
    loss, gradients: of the first batch.
    parameters, statistics: after `STEPS` steps.
  """

  loss: float
  gradients: dict[str, np.ndarray]
  parameters: dict[str, np.ndarray]
  statistics: dict[str, np.ndarray]


def prove(work: Workload) -> dict[str, float]:
  """Compares the contenders on the first and the last fold of `work`.

  Returns:
    The largest deviation of each kind; the keys of `TOLERANCE`.

  Raises:
    ParityError: one of them is above its tolerance.
  """
  work = with_config(work, model__dropout=0.0)
  folds = (0, len(work.split.fold_names) - 1)
  deviations = []
  with jax.default_matmul_precision("highest"):
    engine = AllFolds(work)
    first = {f: _copy(engine.state, f) for f in folds}
    trained = [_engine(engine, folds), *_one_by_one(work, folds)]
    for f in folds:
      reference = _in_torch(work, engine.program, f, first[f])
      deviations.append(_first_batch(work, engine.program, f, first[f], reference))
      deviations += [_moved(work, first[f], states[f], reference) for states in trained]
  worst = {kind: max(d.get(kind, 0.0) for d in deviations) for kind in TOLERANCE}
  if not all(worst[kind] <= allowed for kind, allowed in TOLERANCE.items()):
    raise ParityError(
      f"{work.name}: the contenders do not compute the same thing. Relative deviations: {worst};"
      f" allowed: {TOLERANCE}."
    )
  return worst


def _copy(states: one.FoldState, f: int) -> one.FoldState:
  """Fold `f` of the first seed, as numpy arrays that donation cannot touch."""
  return jax.tree.map(lambda x: np.array(x[0, f]), states)


def _engine(engine: AllFolds, folds: tuple[int, ...]) -> dict[int, one.FoldState]:
  engine.train(STEPS)
  return {f: _copy(engine.state, f) for f in folds}


def _one_by_one(work: Workload, folds: tuple[int, ...]) -> list[dict[int, one.FoldState]]:
  programs = one_by_one(work)
  chunks, steps = OneByOneChunks(work, programs), OneByOneSteps(work, programs)
  for f in folds:
    chunks.train(f, STEPS)
    steps.train(f, STEPS)
  return [
    {f: _copy(chunks.states[f], 0) for f in folds},
    {f: jax.device_get(steps.states[f]) for f in folds},
  ]


def _batch(program: training.Program, work: Workload, f: int, step: int):
  """(clips that the step sees, which of them fold `f` learns from, 1 or 0)."""
  shared = _shared_batch(program.recipe, jax.random.key(program.seeds[0]), step, program.data)
  if shared is None or shared.clips is None:
    raise ValueError("The proof needs training.schedule='shared'.")
  index = np.asarray(shared.clips.index)
  return index, np.asarray(shared.clips.valid) * ~work.split.held_out[f][index]


_shared_batch = jax.jit(batch.shared_batch, static_argnums=0)


def _in_torch(work: Workload, program: training.Program, f: int, first: one.FoldState) -> Reference:
  device = torch_loop.torch_device()
  model = torch_models.build(work, device)
  torch_models.load(work.name, model, first.params)
  optimizer = torch_models.optimizer(work, model)
  inputs = torch_models.inputs(work, device)
  labels = torch.tensor(work.split.labels, dtype=torch.long, device=device)
  values, gradients, statistics = [], {}, {}
  for number in range(STEPS):
    index, weights = _batch(program, work, f, number)
    mine = torch.tensor(index[weights > 0], device=device)
    before = _numbers(dict(model.named_buffers()))
    values.append(float(torch_loop.step(model.train(), optimizer, inputs[mine], labels[mine])))
    gradients = gradients or _numbers({n: p.grad for n, p in model.named_parameters()})
    after = _numbers(dict(model.named_buffers()))
    statistics = _statistics(statistics, before, after, len(mine) * inputs[0, 0].numel())
  return Reference(values[0], gradients, _numbers(dict(model.named_parameters())), statistics)


def _numbers(tensors: Mapping[str, torch.Tensor | None]) -> dict[str, np.ndarray]:
  """Copies of those that are there: a parameter that is not trained has no gradient."""
  return {n: t.detach().cpu().numpy().copy() for n, t in tensors.items() if t is not None}


def _statistics(
  last: dict[str, np.ndarray], before: dict[str, np.ndarray], after: dict[str, np.ndarray], n: int
) -> dict[str, np.ndarray]:
  """Running mean and variance after a step on `n` numbers a channel, without n / (n - 1)."""
  if "norm.running_var" not in after:
    return {}
  keep = 1 - torch_models.BATCH_NORM["momentum"]
  new = after["norm.running_var"] - keep * before["norm.running_var"]
  var = keep * last.get("var", before["norm.running_var"]) + new * (n - 1) / n
  return {"mean": after["norm.running_mean"], "var": var}


def _first_batch(
  work: Workload, program: training.Program, f: int, first: one.FoldState, reference: Reference
) -> dict[str, float]:
  index, weights = _batch(program, work, f, 0)
  loss, gradients = _loss_and_gradients(
    program.recipe,
    first,
    {name: array[index] for name, array in work.arrays.items()},
    work.split.labels[index],
    np.asarray(weights, np.float32),
  )
  return {
    "loss": abs(float(loss) - reference.loss) / abs(reference.loss),
    "gradients": _deviation(torch_models.converted(work.name, gradients), reference.gradients),
  }


@partial(jax.jit, static_argnums=0)
def _loss_and_gradients(recipe: training.Recipe, state: one.FoldState, inputs, labels, weights):
  def loss_of(params):
    logits, _ = recipe.model.apply(
      {"params": params, "batch_stats": state.batch_stats},
      inputs,
      weights,
      train=True,
      rngs={"dropout": jax.random.key(0)},
      mutable=["batch_stats"],
    )
    return SingleClass(logits.shape[-1]).loss(logits, labels, weights)  # plain cross-entropy

  return jax.value_and_grad(loss_of)(state.params)


def _moved(
  work: Workload, first: one.FoldState, last: one.FoldState, reference: Reference
) -> dict[str, float]:
  start, end = (torch_models.converted(work.name, state.params) for state in (first, last))
  ours = {name: end[name] - start[name] for name in start}
  theirs = {name: reference.parameters[name] - start[name] for name in start}
  found = {"parameters": _deviation(ours, theirs)}
  if reference.statistics:
    found["statistics"] = _deviation(last.batch_stats["streams"]["norm"], reference.statistics)
  return found


def _deviation(ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray]) -> float:
  """|ours - theirs| / |theirs| of the array where that is most."""
  if set(ours) != set(theirs):
    raise ParityError(f"Not the same arrays: {sorted(ours)} and {sorted(theirs)}.")
  norm = np.linalg.norm
  return max(float(norm(ours[name] - theirs[name]) / norm(theirs[name])) for name in theirs)
