"""Trained models for programs without mer_jax: as StableHLO, or as plain numpy arrays."""

import io
import json
import os
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mer_jax import checks
from mer_jax.errors import ConfigError, shown
from mer_jax.recognizer import engine, folder
from mer_jax.recognizer.model import Model
from mer_jax.runtime import atomic

FORMATS = ("stablehlo", "npz")
PLATFORMS = ("cpu", "cuda", "tpu")


def export(model: Model, file: str | os.PathLike[str], kind: str) -> list[pathlib.Path]:
  """Writes `model` for programs without mer_jax.

  "stablehlo": `file` is read by jax.export.deserialize; its `call` takes the arrays of the model's
  input by name ([N, ...] each, for any N) and returns "probabilities" and "spread", float32 [N, K]:
  mean and standard deviation over the seeds. Beside it lies `file`.json with all facts of
  model.json: input, classes, what the model has learned from, scores.

  "npz": the weights by flax name, and two texts: "model.json", and "README" with shapes and
  layouts; numpy reads it without pickle, and mer_jax.load too.

  Args:
    model: as mer_jax.load returns it.
    file: where to; replaced if it is there.
    kind: one of `FORMATS`.

  Returns:
    The files written.

  Raises:
    ConfigError: another format, or an SVM as StableHLO.
    WorkdirError: the file cannot be written.
  """
  checks.check_choice("--format", kind, FORMATS)
  path = pathlib.Path(file).expanduser()
  if kind == "npz":
    return [_npz(model, path)]
  return _stablehlo(model, path)


def _npz(model: Model, path: pathlib.Path) -> pathlib.Path:
  dtype = "float64" if engine.is_vector_machine(model) else "float32"
  facts, _, stored = folder.content_of(model.facts(), model.weights, dtype, path)
  texts = {folder.FACTS: np.array(facts), folder.README: np.array(_readme(model))}
  data = io.BytesIO()
  everything: dict[str, Any] = {**stored, **texts}
  np.savez(data, **everything)
  atomic.write_bytes(path, data.getvalue())
  return path


def _stablehlo(model: Model, path: pathlib.Path) -> list[pathlib.Path]:
  if engine.is_vector_machine(model):
    raise ConfigError("An SVM is no program of layers; export it with --format=npz.")
  by_seed = engine.program_of(model)

  def predict(**arrays: jax.Array) -> dict[str, jax.Array]:
    probabilities = by_seed(arrays)
    return {"probabilities": probabilities.mean(axis=0), "spread": probabilities.std(axis=0)}

  (clips,) = jax.export.symbolic_shape("clips")
  given = {
    name: jax.ShapeDtypeStruct((clips, *entry["shape"]), jnp.dtype(entry["dtype"]))
    for name, entry in model.arrays.items()
  }
  exported = jax.export.export(jax.jit(predict), platforms=PLATFORMS)(**given)
  facts = shown(json.dumps(model.facts(), indent=2, ensure_ascii=False)) + "\n"
  beside = path.with_name(f"{path.name}.json")
  atomic.write_bytes(path, bytes(exported.serialize()))
  atomic.write_text(beside, facts)
  return [path, beside]


def _readme(model: Model) -> str:
  lines = [
    f"{model.name}: a model of mer_jax, {model.seeds} seeds along the first axis of every array.",
    f"Input {dict(model.input)}, of a clip:",
    *(f"  {name}: {entry['dtype']} {entry['shape']}" for name, entry in model.arrays.items()),
    f"Output: logits, then softmax, over {', '.join(model.classes)}; the mean over the seeds.",
    *(["The mean over the input and its mirror image."] if model.mirror_at_test else []),
    "Layouts: images are [height, width, channel]; kernels of convolutions [height, width, in,",
    "out], of dense layers [in, out]. batch_stats are running means and variances.",
    "Arrays:",
    *(f"  {name}: {list(array.shape)}" for name, array in sorted(model.weights.items())),
  ]
  return "\n".join(lines) + "\n"
