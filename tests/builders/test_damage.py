"""Random damage to a tiny corpus: a build succeeds with a report, or fails with DataError."""

import pathlib
import random
import shutil

import openpyxl
import pytest
from corpus_trees import casme2, image, samm, smic

from data_builders import build
from mer_jax.clips import load_prepared
from mer_jax.errors import DataError

WRITERS = {"casme2": casme2, "samm": samm, "smic": smic}
CELLS = ("/", "?", None, -1, 0, 10**12, 3.5, "", "NaN", "#REF!", "EP02_01f", "\u3000", True, "1e9")


def frame_of(root: pathlib.Path, rng: random.Random) -> pathlib.Path | None:
  frames = sorted(p for p in root.rglob("*") if p.suffix in (".jpg", ".bmp") and p.is_file())
  return rng.choice(frames) if frames else None


def cut_frame(root, rng):
  if path := frame_of(root, rng):
    data = path.read_bytes()
    path.write_bytes(data[: rng.randrange(len(data) + 1)])


def scramble_frame(root, rng):
  if path := frame_of(root, rng):
    data = bytearray(path.read_bytes())
    for _ in range(20):
      if data:
        data[rng.randrange(len(data))] = rng.randrange(256)
    path.write_bytes(bytes(data))


def remove_frame(root, rng):
  if path := frame_of(root, rng):
    path.unlink()


def rename_frame(root, rng):
  if path := frame_of(root, rng):
    name = rng.choice(["x", "12", "img (1)", "img99999999999999999999999", "reg_img8", "é-3"])
    path.rename(path.with_name(name + path.suffix))


def resize_frame(root, rng):
  if path := frame_of(root, rng):
    image(path, 5, rng.choice([(1, 1), (40, 33), (32, 40, 3)]))


def replace_frame_by_folder(root, rng):
  if path := frame_of(root, rng):
    path.unlink()
    path.mkdir()


def remove_folder(root, rng):
  if path := frame_of(root, rng):
    shutil.rmtree(path.parents[rng.randrange(2)])


def double_folder(root, rng):
  if path := frame_of(root, rng):
    name = path.parent.name
    other = name.swapcase() if name.swapcase() != name else f"0{name}"
    shutil.copytree(path.parent, path.parents[1] / other, dirs_exist_ok=True)


def change_cell(root, rng):
  for sheet in root.glob("*.xlsx"):
    try:
      book = openpyxl.load_workbook(sheet)
    except Exception:  # an earlier damage has cut it
      continue
    page = book.worksheets[0]
    # rows of data mostly, now and then the header
    row = rng.randrange(1, page.max_row + 1)
    page.cell(row, rng.randrange(1, page.max_column + 1)).value = rng.choice(CELLS)
    book.save(sheet)


def cut_sheet(root, rng):
  for sheet in root.glob("*.xlsx"):
    data = sheet.read_bytes()
    sheet.write_bytes(data[: rng.randrange(len(data) + 1)])


LIGHT = (cut_frame, scramble_frame, remove_frame, rename_frame, resize_frame, change_cell)
HEAVY = (replace_frame_by_folder, remove_folder, double_folder, cut_sheet)


@pytest.mark.parametrize("dataset", WRITERS)
@pytest.mark.parametrize("seed", range(12))
def test_damage_is_reported_or_refused(tmp_path, dataset, seed):
  rng = random.Random(seed)
  root = WRITERS[dataset](tmp_path / "corpus")
  for _ in range(rng.randrange(1, 7)):
    rng.choice(LIGHT)(root, rng)
  if seed % 3 == 0:
    rng.choice(HEAVY)(root, rng)
  data = tmp_path / "data"
  try:
    report, *_ = build.build(dataset, root, data)
  except DataError:
    assert not data.exists()
    return
  assert report.kept
  assert not set(report.kept) & set(report.refused)
  assert {r["clip"] for r in report.repaired} <= set(report.kept)
  clips = load_prepared(dataset, "frames48", data)
  assert {clips.name(n) for n in range(len(clips))} == set(report.kept)


@pytest.mark.parametrize("dataset", WRITERS)
def test_the_undamaged_corpus_builds_clean(tmp_path, dataset):
  report, *_ = build.build(dataset, WRITERS[dataset](tmp_path / "c"), tmp_path / "d", strict=True)
  assert not report.refused
