"""Messages between processes: they arrive as they were sent; anything else does nothing."""

import ast
import json
import math
import pathlib
import pickle
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mer_jax.errors import MerError
from mer_jax.runtime.distributed import agreement, messages
from mer_jax.runtime.distributed.messages import Failure, Message

PACKAGE = pathlib.Path(__file__).parents[2] / "mer_jax"
DTYPES = ("?", "i1", "u1", "<i2", ">i2", "<u4", "<i8", ">u8", "<f2", "<f4", ">f4", "<f8", ">f8")


def sent(value):
  """What the other process makes of `value`."""
  data = messages.to_bytes([Message("round", messages.encoded(value), None)])
  (message,) = messages.from_bytes(data)
  assert (message.name, message.failure) == ("round", None)
  return messages.decoded(message.value)


def assert_same(arrived, value):
  """Equal bit by bit, in content, shape and kind; arrays of the other byte order are turned."""
  if isinstance(value, np.ndarray):
    assert isinstance(arrived, np.ndarray)
    assert arrived.shape == value.shape
    assert arrived.dtype == value.dtype.newbyteorder("<")
    assert arrived.tobytes() == value.astype(value.dtype.newbyteorder("<")).tobytes()
  elif isinstance(value, dict):
    assert list(arrived) == list(value)
    for key in value:
      assert_same(arrived[key], value[key])
  elif isinstance(value, list | tuple):
    assert type(arrived) is list
    for own, other in zip(arrived, value, strict=True):
      assert_same(own, other)
  elif isinstance(value, float) and math.isnan(value):
    assert type(arrived) is float
    assert math.isnan(arrived)
  else:
    assert type(arrived) is type(value)
    assert arrived == value


numbers = st.booleans() | st.integers() | st.floats() | st.text() | st.none()
arrays = st.sampled_from(DTYPES).flatmap(
  lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
)
keys = st.text().filter(lambda key: key not in ("__array__", "__float__"))
values = st.recursive(
  numbers | arrays,
  lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(keys, inner),
  max_leaves=8,
)


@settings(deadline=None)
@given(values)
def test_what_is_sent_arrives(value):
  assert_same(sent(value), value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.0, 5e-324, 2**70, "ä\0\ud83d"])
def test_single_values_arrive(value):
  assert_same(sent([value]), [value])
  assert math.copysign(1, sent(-0.0)) == -1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (2, 3)])
def test_arrays_of_every_kind_arrive_and_can_be_written_to(dtype, shape):
  rng = np.random.default_rng(0)
  array = rng.integers(0, 100, shape).astype(dtype)
  if array.dtype.kind == "f" and array.size:
    array.flat[:3] = np.nan, np.inf, -0.0
  arrived = sent(array)
  assert_same(arrived, array)
  assert arrived.flags.writeable
  assert_same(sent({"of each": [array, {"x": array.T}]}), {"of each": [array, {"x": array.T}]})


def test_bits_of_a_nan_and_views_with_strides_arrive():
  bits = np.array([0x7FC12345, 0x80000000, 0x00000001, 0xFFC00001], np.uint32).view(np.float32)
  assert_same(sent(bits), bits)
  assert_same(sent(bits[::-2]), bits[::-2])


def test_scalars_of_numpy_arrive_as_those_of_python():
  assert_same(sent([np.float32(0.5), np.int64(3), np.bool_(True)]), [0.5, 3, True])
  assert math.isnan(sent(np.float32("nan")))


def test_a_failure_arrives():
  message = Message("on_main", None, Failure("DataError", "Zeile „3“\n"))
  assert messages.from_bytes(messages.to_bytes([message, message])) == [message, message]


@pytest.mark.parametrize(
  "value",
  [
    object(),
    {1, 2},
    b"bytes",
    1j,
    len,
    {3: "key"},
    {"__array__": "a key that marks arrays"},
    {"inside": [{"__float__": "nan"}]},
    np.array(["text"]),
    np.array([object()]),
    np.zeros(2, [("a", "f4")]),
    np.array([1j]),
    np.array(["2020-01-01"], "datetime64[D]"),
  ],
)
def test_what_is_no_data_is_not_sent(value):
  with pytest.raises(TypeError, match=r"cannot hold"):
    messages.encoded(value)


class Running:
  """Makes a file when it is unpickled."""

  def __init__(self, file):
    self.file = file

  def __reduce__(self):
    return (pathlib.Path.touch, (self.file,))


def test_pickled_bytes_are_refused_and_run_nothing(tmp_path):
  file = tmp_path / "made"
  for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
    data = pickle.dumps(Running(file), protocol)
    with pytest.raises(MerError, match="not one of mer_jax"):
      messages.from_bytes(data)
    text = data.decode("latin-1")
    assert sent([text]) == [text]  # text it stays
    for dtype in ("O", "|O8", "V8"):
      with pytest.raises(MerError):
        messages.decoded({"__array__": "gAROLg==", "dtype": dtype, "shape": [1]})
  assert not file.exists()
  pickle.loads(data)
  assert file.exists()  # it would have


MALFORMED = (
  b"",
  b"\xff\xfe",
  b"\0" * 100,
  b"[",
  b"{}",
  b"[]",
  b"null",
  b"3",
  b'"text"',
  b"[3]",
  b"[[]]",
  b'[["name", 1]]',
  b'[["name", 1, null, 2]]',
  b"[[1, 1, null]]",
  b'[{"name": "x", "value": 1, "failure": null}]',
  b'[["name", 1, "failure"]]',
  b'[["name", 1, ["DataError"]]]',
  b'[["name", 1, ["DataError", 3]]]',
  b'[["name", 1, [["DataError"], "x"]]]',
  b'[["name", 1, null], 3]',
  b'[["name", ' + b"9" * 5000 + b", null]]",
  b"GET / HTTP/1.1\r\n\r\n",
)


@pytest.mark.parametrize("data", MALFORMED)
def test_malformed_bytes_are_refused(data):
  with pytest.raises(MerError, match=r"not one of mer_jax.*Start all processes again"):
    messages.from_bytes(data)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_messages_or_refused(data):
  try:
    received = messages.from_bytes(data)
  except MerError:
    return
  assert all(isinstance(message, Message) for message in received)


@pytest.mark.parametrize(
  "value",
  [
    {"__array__": "AAAA", "dtype": "<f4", "shape": [1]},  # too few bytes
    {"__array__": "AAAAAA==", "dtype": "<f4", "shape": [2]},
    {"__array__": "AAAAAA==", "dtype": "<f4", "shape": [10**12]},
    {"__array__": "AAAAAA==", "dtype": "<f4", "shape": [math.inf]},
    {"__array__": "AAAAAA==", "dtype": "<f4", "shape": 1},
    {"__array__": "AAAAAA==", "dtype": "<f4"},
    {"__array__": "AAAAAA==", "shape": [1]},
    {"__array__": "!!!!", "dtype": "<f4", "shape": [1]},
    {"__array__": 3, "dtype": "<f4", "shape": [1]},
    {"__array__": "AAAAAA==", "dtype": "no such", "shape": [1]},
    {"__array__": "AAAAAA==", "dtype": "(1,2", "shape": [1]},
    {"__array__": "AAAAAA==", "dtype": ["f4"], "shape": [1]},
    {"__array__": "AAAAAA==", "dtype": {"names": ["a"]}, "shape": [1]},
    {"__float__": "much"},
    {"__float__": None},
    {"__float__": 10**400},
  ],
)
def test_damaged_arrays_and_numbers_are_refused(value):
  data = json.dumps([["name", {"inside": [value]}, None]]).encode()
  (message,) = messages.from_bytes(data)
  with pytest.raises(MerError, match="not one of mer_jax"):
    messages.decoded(message.value)


@pytest.mark.parametrize("depth", [300, 600, 980, 5_000, 1_000_000])
@pytest.mark.parametrize("brackets", [(b"[", b"]"), (b'{"a":', b"}")])
def test_what_is_nested_without_end_is_refused_or_read(depth, brackets):
  opening, closing = brackets
  data = b'[["name",' + opening * depth + b"1" + closing * depth + b",null]]"
  try:
    messages.decoded(messages.from_bytes(data)[0].value)
  except MerError as error:
    assert "not one of mer_jax" in str(error)  # noqa: PT017
  else:
    assert depth < sys.getrecursionlimit()


def test_only_classes_of_this_package_are_made_of_a_failure():
  for kind in ("KeyboardInterrupt", "SystemExit", "unknown", "__builtins__", "did_you_mean", ""):
    assert type(agreement._rebuilt(1, kind, "x")) is MerError


def test_nothing_here_reads_formats_that_run_code():
  running = {"pickle", "cPickle", "cloudpickle", "dill", "marshal", "shelve", "joblib"}
  for path in PACKAGE.rglob("*.py"):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
      if isinstance(node, ast.Import):
        names = {alias.name.split(".")[0] for alias in node.names}
      elif isinstance(node, ast.ImportFrom):
        names = {(node.module or "").split(".")[0]}
      elif isinstance(node, ast.Call):
        names = {
          "pickle" for keyword in node.keywords if ast.unparse(keyword) == "allow_pickle=True"
        }
      else:
        continue
      assert not names & running, path
