"""A trained model on disk: weights.safetensors and model.json in one folder; numpy alone reads it.

Weights lie under their flax names ("params/streams/conv/kernel"), the seeds along the first axis.
"""

import hashlib
import io
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import safetensors
import safetensors.numpy

from mer_jax import checks
from mer_jax.errors import ConfigError, DataError, shown, unknown
from mer_jax.runtime import atomic, regular_files

FORMAT = 1
WEIGHTS, FACTS = "weights.safetensors", "model.json"
# A text in an exported .npz, beside that of model.json.
README = "README"
# The field of model.json that holds the sha256 of the file, itself counted as zeros.
SEAL, _UNSEALED = "sealed", "0" * 64
# float64 where a model computes in it: an SVM.
DTYPES = ("float32", "float16", "float64")
# Models that ship with the package, a folder each.
SHIPPED = pathlib.Path(__file__).parent / "shipped"
# What model.json holds beside what is added here, and the type of each.
FIELDS: dict[str, type | tuple[type, ...]] = {
  "name": str,
  "model": dict,
  "input": dict,
  "arrays": dict,
  "classes": list,
  "action_units": list,
  "target": str,
  "mirror_at_test": bool,
  "provenance": dict,
  "config": dict,
  "scores": (dict, str),
  "versions": dict,
}


class Content(NamedTuple):
  """What a folder holds.

  Attributes:
    facts: the keys of `FIELDS`.
    weights: float32 [S, ...] by flax name; float64 where the file holds that.
    digest: sha256 of weights.safetensors, in hexadecimal.
  """

  facts: dict[str, Any]
  weights: dict[str, np.ndarray]
  digest: str


def shipped() -> list[str]:
  """Names of the models that ship with the package, sorted."""
  return sorted(file.parent.name for file in SHIPPED.glob(f"*/{FACTS}"))


def find(name_or_folder: str | os.PathLike[str]) -> pathlib.Path:
  """The folder of a model: a folder with model.json or, where there is none, a shipped name.

  Raises:
    ConfigError: there is neither.
  """
  folder = pathlib.Path(name_or_folder).expanduser()
  if (folder / FACTS).is_file() or (folder / WEIGHTS).is_file() or _is_exported(folder):
    return folder
  if str(name_or_folder) in shipped():
    return SHIPPED / str(name_or_folder)
  if (folder / "model" / FACTS).is_file():
    raise ConfigError(f"{folder} is a workdir; its model lies in {folder / 'model'}.")
  named = unknown("model", str(name_or_folder), shipped()) if shipped() else ""
  raise ConfigError(
    f"{name_or_folder} is neither a folder with {FACTS}, as mer_jax fit leaves one, nor a model"
    f" that ships with the package. {named or 'None ships with this version.'}"
  )


def _is_exported(file: pathlib.Path) -> bool:
  return file.is_file() and file.suffix == ".npz"


def digest(name_or_folder: str | os.PathLike[str]) -> str:
  """sha256 of the weights of a model, in hexadecimal.

  Raises:
    ConfigError: there is no such model.
    DataError: its weights are absent.
  """
  where = find(name_or_folder)
  if where.is_file():
    return read(where).digest
  return hashlib.sha256(_bytes(where / WEIGHTS)).hexdigest()


def write(
  folder: str | os.PathLike[str],
  facts: Mapping[str, Any],
  weights: Mapping[str, np.ndarray],
  dtype: str = "float32",
) -> None:
  """Writes a model, each file atomically, model.json last: a folder without it holds no model.

  Args:
    folder: created if absent; a model in it is replaced.
    facts: the keys of `FIELDS`, as JSON values.
    weights: float [S, ...] by flax name.
    dtype: of the file, one of `DTYPES`.

  Raises:
    ConfigError: another dtype.
    DataError: weights that are not finite, in that dtype.
    WorkdirError: the folder cannot be written.
  """
  folder = pathlib.Path(folder).expanduser()
  text, data, _ = content_of(facts, weights, dtype, folder / WEIGHTS)
  atomic.write_bytes(folder / WEIGHTS, data)
  atomic.write_text(folder / FACTS, text)


def content_of(
  facts: Mapping[str, Any],
  weights: Mapping[str, np.ndarray],
  dtype: str,
  file: pathlib.Path,
) -> tuple[str, bytes, dict[str, np.ndarray]]:
  """The text of model.json, the bytes of weights.safetensors, and the arrays in it by name.

  Args:
    facts, weights, dtype: as of `write`.
    file: where the weights will lie, for messages.

  Raises:
    ConfigError, DataError: as `write`.
  """
  checks.check_choice("dtype", dtype, DTYPES)
  with np.errstate(over="ignore"):  # a number too large becomes infinite, which is an error below
    stored = {name: np.ascontiguousarray(x, dtype) for name, x in sorted(weights.items())}
  _check_weights(file, stored)
  data = safetensors.numpy.save(stored)
  content = {
    "format": FORMAT,
    **facts,
    "seeds": len(next(iter(stored.values()))),
    "dtype": dtype,
    "digest": hashlib.sha256(data).hexdigest(),
    SEAL: _UNSEALED,
  }
  text = sealed(shown(json.dumps(content, indent=2, ensure_ascii=False)) + "\n")
  return text, data, stored


def sealed(text: str) -> str:
  """The text of a model.json with the digest of all its other bytes in the field `SEAL`."""
  seal = json.loads(text)[SEAL]
  plain = text.replace(seal, _UNSEALED, 1)
  return plain.replace(_UNSEALED, hashlib.sha256(plain.encode()).hexdigest(), 1)


def read(where: pathlib.Path) -> Content:
  """Reads a model, a folder or what `mer_jax export --format=npz` wrote.

  Raises:
    DataError: a file is absent, damaged or of another version, or a weight is not finite.
  """
  if where.is_file():
    return _read_npz(where)
  facts = _facts(where / FACTS, _bytes(where / FACTS))
  data = _bytes(where / WEIGHTS)
  return _content(where / WEIGHTS, facts, data)


def _read_npz(file: pathlib.Path) -> Content:
  try:
    data = io.BytesIO(_bytes(file))
    regular_files.check_unpacked(data)
    with np.load(data, allow_pickle=False) as stored:
      arrays = {name: stored[name] for name in stored.files}
    text = str(arrays.pop(FACTS))
    arrays.pop(README)
    data = safetensors.numpy.save(dict(sorted(arrays.items())))
  except Exception as error:  # zipfile, zlib, numpy and safetensors have errors of their own
    raise DataError(
      f"{file} is no model that mer_jax export wrote ({type(error).__name__}: {error}). Export it"
      " again."
    ) from error
  return _content(file, _facts(file, text.encode()), data)


def _content(file: pathlib.Path, facts: dict[str, Any], data: bytes) -> Content:
  """What `facts` and the weights in `data`, the bytes of a safetensors file, are together."""
  own = hashlib.sha256(data).hexdigest()
  if own != facts["digest"]:
    raise DataError(
      f"{file} is not the file that its {FACTS} belongs to: the sha256 of the weights is"
      f" {own[:12]}..., there {str(facts['digest'])[:12]}... Copy the folder again, or fit"
      " the model again."
    )
  try:
    stored = safetensors.numpy.load(data)
  except safetensors.SafetensorError as error:
    raise DataError(f"{file} is no safetensors file: {error}.") from error
  _check_weights(file, stored)
  weights = {
    name: array.astype(np.promote_types(array.dtype, np.float32))
    for name, array in sorted(stored.items())
  }
  return Content({name: facts[name] for name in FIELDS}, weights, own)


def _facts(file: pathlib.Path, data: bytes) -> dict[str, Any]:
  """The fields of model.json, of which `data` are the bytes and `file` the place."""
  try:
    text = data.decode("utf-8")
    facts = json.loads(text)
  except (ValueError, RecursionError) as error:  # also of text that is not UTF-8
    raise DataError(f"{file} is no JSON ({error}). Copy the folder again.") from error
  version = facts.get("format") if isinstance(facts, dict) else None
  if version != FORMAT:
    raise DataError(
      f"{file} is of format {version!r}; this version of mer_jax reads format {FORMAT}. Fit the"
      " model again, or use the version of mer_jax that wrote it."
    )
  wrong = [
    name
    for name, kind in {**FIELDS, "digest": str, SEAL: str}.items()
    if not isinstance(facts.get(name), kind)
  ]
  if wrong:
    raise DataError(
      f"{file} lacks {', '.join(wrong)}, or holds values of another type there. Copy the folder"
      " again, or fit the model again."
    )
  if sealed(text) != text:
    raise DataError(
      f"{file} is not as it was written: its sha256 is not the one in its field {SEAL!r}. Copy the"
      " folder again, or fit the model again."
    )
  return facts


def _bytes(file: pathlib.Path) -> bytes:
  try:
    return regular_files.read_bytes(file, regular_files.MOST_UNPACKED)
  except OSError as error:
    raise DataError(
      f"{file} cannot be read ({error.strerror}). A model is a folder with {FACTS} and {WEIGHTS}."
    ) from error


def _check_weights(file: pathlib.Path, weights: Mapping[str, np.ndarray]) -> None:
  """Raises DataError unless these are arrays [S, ...] of finite numbers of one of `DTYPES`."""
  if not weights:
    raise DataError(f"{file} holds no weights.")
  for name, array in weights.items():
    if array.dtype not in DTYPES:
      raise DataError(f"{file}: {name} is {array.dtype}; expected {' or '.join(DTYPES)}.")
    if not np.isfinite(array).all():
      raise DataError(
        f"{file}: {name} is not finite in {array.dtype}. A training that left the finite numbers"
        " gives no model; a large number needs float32."
      )
  seeds = {array.shape[:1] for array in weights.values()}
  if len(seeds) > 1 or seeds & {(), (0,)}:
    raise DataError(
      f"{file}: the first axis counts the seeds, and must be the same everywhere and at least 1;"
      f" got {sorted(seeds)}."
    )
