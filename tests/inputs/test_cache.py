"""What is computed once and found again, and when it is not."""

import numpy as np
import pytest
from drawn_frames import drawn

from mer_jax.errors import WorkdirError
from mer_jax.inputs import cache


class Counted:
  """A computation that counts how often it ran."""

  def __init__(self):
    self.runs = 0

  def __call__(self):
    self.runs += 1
    return {"flow": np.arange(6, dtype=np.float32).reshape(2, 3), "mask": np.array([True, False])}


@pytest.fixture
def clips():
  return drawn([5, 3])


def test_without_a_folder_it_is_computed_every_time(clips):
  compute = Counted()
  for _ in range(2):
    assert set(cache.NO_CACHE.load_or_compute(clips, "flow", {}, compute)) == {"flow", "mask"}
  assert cache.cache_in("") == cache.cache_in(None) == cache.NO_CACHE
  assert compute.runs == 2


def test_what_is_kept_is_found_again_bit_by_bit(clips, tmp_path):
  compute = Counted()
  kept = cache.cache_in(tmp_path / "new" / "folder").load_or_compute
  first = kept(clips, "flow", {"size": 28}, compute)
  again = kept(clips, "flow", {"size": 28}, compute)
  assert compute.runs == 1
  for name, array in first.items():
    np.testing.assert_array_equal(again[name], array)
    assert again[name].dtype == array.dtype


def test_other_clips_options_or_names_are_computed_anew(clips, tmp_path):
  compute = Counted()
  pixel = clips.frames.copy()
  pixel[0, 0, 0, 0] ^= 1
  other = type(clips)(**{**vars(clips), "frames": pixel})
  apex = type(clips)(**{**vars(clips), "apex": clips.onset})
  assert not np.array_equal(apex.apex, clips.apex)
  kept = cache.cache_in(tmp_path).load_or_compute
  kept(clips, "flow", {"size": 28}, compute)
  for given, name, options in (
    (other, "flow", {"size": 28}),
    (apex, "flow", {"size": 28}),
    (clips.select([1, 0]), "flow", {"size": 28}),
    (clips, "hoof", {"size": 28}),
    (clips, "flow", {"size": 32}),
  ):
    before = compute.runs
    kept(given, name, options, compute)
    assert compute.runs == before + 1


def test_other_code_computes_anew(clips, tmp_path, monkeypatch):
  compute = Counted()
  kept = cache.cache_in(tmp_path).load_or_compute
  kept(clips, "flow", {}, compute)
  monkeypatch.setattr(cache, "_code", lambda: "other")
  kept(clips, "flow", {}, compute)
  assert compute.runs == 2


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04", b"no archive", None])
def test_a_damaged_file_is_computed_again(clips, tmp_path, damage):
  compute = Counted()
  kept = cache.cache_in(tmp_path).load_or_compute
  kept(clips, "flow", {}, compute)
  (file,) = tmp_path.iterdir()
  complete = file.read_bytes()
  file.write_bytes(complete[: len(complete) // 2] if damage is None else damage)
  computed = kept(clips, "flow", {}, compute)
  assert compute.runs == 2
  np.testing.assert_array_equal(computed["flow"], Counted()()["flow"])
  assert file.read_bytes() == complete


def test_an_error_keeps_nothing(clips, tmp_path):
  def fail():
    raise ValueError("halfway")

  kept = cache.cache_in(tmp_path).load_or_compute
  with pytest.raises(ValueError, match="halfway"):
    kept(clips, "flow", {}, fail)
  assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_named(clips, tmp_path):
  (tmp_path / "file").write_text("in the way")
  kept = cache.cache_in(tmp_path / "file").load_or_compute
  with pytest.raises(WorkdirError, match="file"):
    kept(clips, "flow", {}, Counted())
