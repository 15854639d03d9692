"""SMIC: cameras, frame numbers of every length, names against folders."""

import pytest
from corpus_trees import image, smic

from data_builders.smic.parse import parse
from data_builders.smic.smic_dataset_builder import Builder
from mer_jax.errors import DataError


def test_reads_the_tree_alone(tmp_path):
  records, report = parse(smic(tmp_path), "frames48", "hs")
  assert [r.name for r in records] == [
    "smic/s01/s01_ne_01",
    "smic/s01/s01_po_02",
    "smic/s03/s03_sur_01",
    "smic/s18/s18_sur_03",
    "smic/s20/s20_ne_01",
  ]
  assert [r.emotion for r in records] == [
    "negative",
    "positive",
    "surprise",
    "surprise",
    "negative",
  ]
  assert records[2].frames[0].name == "reg_image090823.bmp"
  # six digits go on to seven: 999999, 1000000
  assert records[3].numbers == (999998, 999999, 1000000, 1000001)
  assert records[4].numbers[0] == 17581039
  assert all(r.apex_missing and r.apex == (len(r.frames) - 1) // 2 for r in records)
  assert not report.repaired
  assert not report.refused


@pytest.mark.parametrize(("camera", "fps"), [("hs", 100), ("vis", 25), ("nir", 25)])
def test_each_camera_has_its_tree_and_rate(tmp_path, camera, fps):
  records, report = parse(smic(tmp_path), "any", camera)
  assert {r.fps for r in records} == {fps}
  assert report.source["tree"].endswith(camera.upper())
  assert all(camera.upper() in r.frames[0].parts for r in records)


def test_every_config_names_size_and_camera():
  configs = {name: (c.size, c.camera) for name, c in Builder.builder_configs.items()}
  assert configs == {
    "frames48": (48, "hs"),
    "frames128": (128, "hs"),
    "frames224": (224, "hs"),
    "frames48_vis": (48, "vis"),
    "frames128_vis": (128, "vis"),
    "frames224_vis": (224, "vis"),
    "frames48_nir": (48, "nir"),
    "frames128_nir": (128, "nir"),
    "frames224_nir": (224, "nir"),
  }


def test_absent_camera_names_those_found(tmp_path):
  with pytest.raises(DataError, match=r"camera NIR .*found: HS, VIS"):
    parse(smic(tmp_path, cameras=("HS", "VIS")), "frames48_nir", "nir")


def test_manual_dir_may_be_one_camera(tmp_path):
  records, _ = parse(smic(tmp_path) / "SMIC_all_cropped" / "VIS", "frames48_vis", "vis")
  assert len(records) == 5


@pytest.mark.parametrize(
  ("tree", "crop"), [("SMIC_all_cropped", False), ("SMIC/SMIC_all_cropped", False)]
)
def test_cropped_tree_goes_before_raw(tmp_path, tree, crop):
  smic(tmp_path, tree="SMIC_all_raw")
  for path in (tmp_path / "SMIC_all_raw").rglob("*.bmp"):
    path.rename(path.with_name(path.name.removeprefix("reg_")))
  records, _ = parse(tmp_path, "frames48", "hs")
  assert {r.crop for r in records} == {True}
  records, report = parse(smic(tmp_path, tree=tree), "frames48", "hs")
  assert {r.crop for r in records} == {crop}
  assert any("SMIC_all_raw" in note for note in report.notes)


def test_name_wins_over_folders(tmp_path):
  hs = smic(tmp_path) / "SMIC_all_cropped" / "HS"
  (hs / "s18/micro/surprise/s18_sur_03").rename(hs / "s18/micro/s18_sur_03")
  (hs / "s18/micro/negative").mkdir()
  (hs / "s18/micro/s18_sur_03").rename(hs / "s18/micro/negative/s18_sur_03")
  records, report = parse(tmp_path, "frames48", "hs")
  assert [r.emotion for r in records if r.clip == "s18_sur_03"] == ["surprise"]
  assert [(r["clip"], r["what"]) for r in report.repaired] == [("smic/s18/s18_sur_03", "emotion")]


def test_padded_folders_and_non_micro_clips(tmp_path):
  hs = smic(tmp_path) / "SMIC_all_cropped" / "HS"
  (hs / "s3").rename(hs / "s03")
  image(hs / "s1/non_micro/s1_ne_09/reg_image000001.bmp")
  image(hs / "s1/non_micro/s1_non_01/reg_image000001.bmp")
  records, report = parse(tmp_path, "frames48", "hs")
  assert len(records) == 5
  assert not report.repaired
  assert not report.refused


def test_one_clip_in_two_folders_is_refused(tmp_path):
  hs = smic(tmp_path) / "SMIC_all_cropped" / "HS"
  image(hs / "s01/micro/negative/s01_ne_01/reg_image000001.bmp")
  records, report = parse(tmp_path, "frames48", "hs")
  assert len(records) == 4
  assert "two folders" in report.refused["smic/s01/s01_ne_01"]


def test_gaps_and_empty_folders(tmp_path):
  hs = smic(tmp_path) / "SMIC_all_cropped" / "HS"
  (hs / "s1/micro/negative/s1_ne_01/reg_image559741.bmp").unlink()
  for path in (hs / "s18/micro/surprise/s18_sur_03").iterdir():
    path.unlink()
  records, report = parse(tmp_path, "frames48", "hs")
  assert len(records) == 4
  assert report.refused == {"smic/s18/s18_sur_03": "its folder holds no frame"}
  assert [r["why"] for r in report.repaired] == ["1 absent in between: 559741"]


def test_long_videos_are_another_release(tmp_path):
  smic(tmp_path, tree="SMIC-E_raw_image/HS_long/SMIC-HS-E", cameras=("",))
  with pytest.raises(DataError, match="long videos"):
    parse(tmp_path, "frames48", "hs")
