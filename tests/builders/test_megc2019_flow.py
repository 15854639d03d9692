"""Published flow maps: both layouts, names with map indices, copies that disagree."""

import hashlib
import pathlib
import random

import cv2
import numpy as np
import pytest

from data_builders import build
from data_builders.megc2019_flow.parse import parse, read_map
from mer_jax.clips import FLOW_MAPS, load_prepared
from mer_jax.errors import ConfigError, DataError

# (dataset, subject, clip, label): invented, in the three corpora's ways of naming
CLIPS = (
  ("casme2", "sub03", "EP01_2", 0),
  ("casme2", "sub03", "EP01_11f", 1),
  ("casme2", "sub07", "EP06_02_01", 0),
  ("casme2", "sub09", "EP09f", 2),
  ("samm", "006", "006_1_2", 0),
  ("samm", "006", "006_1_3", 1),
  ("smic", "s01", "s01_ne_01", 0),
  ("smic", "s18", "s18_sur_03", 2),
)
KEYS = [f"{dataset}/{subject}/{clip}" for dataset, subject, clip, _ in CLIPS]


def draw(path: pathlib.Path, seed: int, side: int = 28) -> None:
  path.parent.mkdir(parents=True, exist_ok=True)
  pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3)).astype(np.uint8)
  assert cv2.imwrite(str(path), pixels)


def flat(root: pathlib.Path, maps: int = 3, clips=CLIPS, dataset: bool = True) -> pathlib.Path:
  """One folder and a csv."""
  lines = [("dataset," if dataset else "") + "sub,filename_o,label"]
  for n, (corpus, subject, clip, label) in enumerate(clips):
    lines.append((f"{corpus}," if dataset else "") + f"{subject},{clip},{label}")
    for k in range(maps):
      draw(root / "maps" / f"{subject}_{clip}{f'_{k}' if k else ''} .png", 10 * n + k)
  (root / "labels.csv").write_text("\r\n".join(lines) + "\r\n,,,\r\n")
  return root


def folders(root: pathlib.Path, maps: int = 1, per_database: bool = False) -> pathlib.Path:
  """Folders per held-out subject; every clip in the u_train of all others."""
  for held_out, database in {(subject, corpus) for corpus, subject, _, _ in CLIPS}:
    base = root / database if per_database else root
    for n, (_, subject, clip, label) in enumerate(CLIPS):
      split = "u_test" if subject == held_out else "u_train"
      for k in range(maps):
        name = f"{subject}_{clip}{f'_{k}' if k else ''} .png"
        draw(base / held_out / split / str(label) / name, 10 * n + k)
  return root


@pytest.mark.parametrize("maps", [1, 3])
@pytest.mark.parametrize("layout", ["flat", "no dataset column", "folders", "per database"])
def test_each_layout_gives_each_clip_once(tmp_path, layout, maps):
  root = (
    flat(tmp_path, maps, dataset=layout == "flat")
    if layout in ("flat", "no dataset column")
    else folders(tmp_path, maps, layout == "per database")
  )
  records, report = parse(root, "maps")
  assert [record.name for record in records] == sorted(KEYS)
  assert not report.refused
  labels = {f"{d}/{s}/{c}": ("negative", "positive", "surprise")[x] for d, s, c, x in CLIPS}
  assert {record.name: record.emotion for record in records} == labels
  assert {record.numbers for record in records} == {tuple(range(maps))}


def test_round_trip_keeps_maps_in_order_and_channels_u_v_strain(tmp_path):
  root = flat(tmp_path / "archive")
  build.build("megc2019_flow", root, tmp_path / "data")
  clips = load_prepared("megc2019_flow", "maps", tmp_path / "data")
  assert clips.channels == FLOW_MAPS
  assert clips.frames.shape == (24, 28, 28, 3)
  n = [clips.name(i) for i in range(len(clips))].index("samm/006/006_1_3")
  for k, suffix in enumerate(("", "_1", "_2")):
    blue_green_red = cv2.imread(str(root / "maps" / f"006_006_1_3{suffix} .png"))
    np.testing.assert_array_equal(clips.frames_of(n)[k][..., 0], blue_green_red[..., 2])
    np.testing.assert_array_equal(clips.frames_of(n)[k][..., 2], blue_green_red[..., 0])
  assert (clips.offset == 2).all()
  assert (clips.apex == 0).all()
  assert clips.apex_missing.all()
  assert (clips.fps == 0).all()


def test_any_subset_and_any_size(tmp_path):
  root = flat(tmp_path / "archive", clips=CLIPS[4:6])
  for path in (root / "maps").iterdir():
    draw(path, 3, side=12)
  build.build("megc2019_flow", root, tmp_path / "data")
  clips = load_prepared("megc2019_flow", "maps", tmp_path / "data")
  assert clips.frames.shape[1:] == (12, 12, 3)
  assert set(clips.dataset) == {"samm"}


def test_odd_sizes_are_refused(tmp_path):
  root = flat(tmp_path / "archive")
  draw(root / "maps" / "sub03_EP01_2_1 .png", 1, side=14)
  for k in ("", "_1", "_2"):
    draw(root / "maps" / f"sub09_EP09f{k} .png", 1, side=14)
  report, *_ = build.build("megc2019_flow", root, tmp_path / "data")
  assert report.refused == {
    "casme2/sub03/EP01_2": "its maps differ in size",
    "casme2/sub09/EP09f": "its maps are 14x14, most are 28x28",
  }


def test_names_as_in_the_official_list(tmp_path):
  root = flat(tmp_path)
  text = (root / "labels.csv").read_text()
  text = text.replace("samm,006,", "SAMM,6,").replace("casme2,sub09", "CASME II,9")
  (root / "labels.csv").write_text(text)
  records, report = parse(root, "maps")
  assert [record.name for record in records] == sorted(KEYS)
  assert not report.refused


def test_copies_with_other_pixels_or_labels_are_refused(tmp_path):
  root = folders(tmp_path)
  draw(root / "006" / "u_train" / "0" / "sub03_EP01_2 .png", 999)
  original = root / "006" / "u_train" / "2" / "s18_s18_sur_03 .png"
  (original.parent.parent / "1" / original.name).write_bytes(original.read_bytes())
  records, report = parse(root, "maps")
  assert len(records) == len(CLIPS) - 2
  assert "show different maps" in report.refused["casme2/sub03/EP01_2"]
  assert "several labels" in report.refused["smic/s18/s18_sur_03"]


def test_copies_packed_otherwise_are_the_same_map(tmp_path):
  root = folders(tmp_path)
  path = root / "006" / "u_train" / "0" / "sub03_EP01_2 .png"
  pixels = cv2.imread(str(path))
  assert cv2.imwrite(str(path), pixels, [cv2.IMWRITE_PNG_COMPRESSION, 0])
  records, report = parse(root, "maps")
  assert len(records) == len(CLIPS)
  assert not report.refused


def test_missing_maps_rows_and_labels(tmp_path):
  root = flat(tmp_path)
  maps = root / "maps"
  (maps / "sub03_EP01_2_1 .png").unlink()
  for path in maps.glob("s01_*"):
    path.unlink()
  draw(maps / "sub26_EP99_99 .png", 1)
  text = (root / "labels.csv").read_text().replace("EP01_11f,1", "EP01_11f,7")
  (root / "labels.csv").write_text(text + "casme2,nobody,holiday,1\r\nsamm,007,006_1_2,1\r\n")
  records, report = parse(root, "maps")
  assert len(records) == len(CLIPS) - 3
  refused = report.refused
  assert "the maps [0, 2] only" in refused["casme2/sub03/EP01_2"]
  assert "label is '7'" in refused["casme2/sub03/EP01_11f"]
  assert refused["smic/s01/s01_ne_01"] == "its maps are missing"
  assert "sub26_EP99_99" in refused["megc2019_flow/1 files"]
  assert sum("fit none of" in why for why in refused.values()) == 2


def test_no_labels_no_images_renamed_column(tmp_path):
  with pytest.raises(DataError, match="No image found"):
    parse(tmp_path, "maps")
  root = flat(tmp_path / "a")
  text = (root / "labels.csv").read_text()
  (root / "labels.csv").write_text(text.replace("label", "lable", 1))
  with pytest.raises(DataError, match="Nearest: 'lable'"):
    parse(root, "maps")
  (root / "labels.csv").unlink()
  with pytest.raises(DataError, match="neither u_test"):
    parse(root, "maps")


def test_manual_dir_may_be_the_folder_of_maps(tmp_path):
  records, _ = parse(flat(tmp_path) / "maps", "maps")
  assert len(records) == len(CLIPS)


@pytest.mark.parametrize("layout", [flat, folders])
@pytest.mark.parametrize("seed", range(8))
def test_damage_is_reported_or_refused(tmp_path, layout, seed):
  rng = random.Random(seed)
  root = layout(tmp_path / "archive")
  files = sorted(path for path in root.rglob("*") if path.is_file())
  for path in rng.sample(files, 3) + ([root / "labels.csv"] if layout is flat else []):
    data = bytearray(path.read_bytes())
    for _ in range(rng.randrange(4)):
      data[rng.randrange(len(data))] = rng.randrange(256)
    path.write_bytes(bytes(data[: rng.choice([len(data), rng.randrange(len(data) + 1)])]))
  try:
    report, *_ = build.build("megc2019_flow", root, tmp_path / "data")
  except DataError:
    assert not (tmp_path / "data").exists()
    return
  clips = load_prepared("megc2019_flow", "maps", tmp_path / "data")
  assert {clips.name(n) for n in range(len(clips))} == set(report.kept)


def test_faces_cannot_be_cut_out_of_maps(tmp_path):
  with pytest.raises(ConfigError, match="--crop face"):
    build.build("megc2019_flow", flat(tmp_path / "a"), tmp_path / "data", crop="face")


def test_the_published_archive_of_casme2(tmp_path):
  archive = pathlib.Path(__file__).parents[3] / "shared" / "real" / "flow4_casme2"
  if not archive.is_dir():
    pytest.skip("the archive of real flow maps is not beside the checkout")
  build.build("megc2019_flow", archive, tmp_path, strict=True)
  clips = load_prepared("megc2019_flow", "maps", tmp_path)
  assert (clips.num_frames == 4).all()
  labels = [("negative", "positive", "surprise").index(e) for e in clips.emotion]
  lines = sorted(f"{clips.name(n)} {label}\n" for n, label in enumerate(labels))
  digest = "5720b1be53fd4dc22fa260dbbff51dba6c2f2a45f6cfc0cad2199da488d37250"  # MEGC2019's list
  assert hashlib.sha256("".join(lines).encode()).hexdigest() == digest
  # strain is what the first map's blue channel holds: never negative, so mostly dark
  first = np.stack([clips.frames_of(n)[0] for n in range(len(clips))])
  assert np.median(first[..., 2]) < 30 < np.median(first[..., 0])
  pixels = read_map(archive / "maps" / "sub01_EP02_01f .png")
  np.testing.assert_array_equal(clips.frames_of(0)[0], pixels)
