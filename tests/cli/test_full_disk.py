"""No room, or no inodes, while a command writes: its exit code, the name of the file, no litter."""

import collections
import pathlib
import subprocess
from collections.abc import Callable

import numpy as np
import pytest
from drawn_video import write

from data_builders import synthetic
from mer_jax.cli import command
from mer_jax.errors import WorkdirError
from mer_jax.experiment import annotated_video
from mer_jax.video.decode import open_video

COMMANDS = {
  "build": "build casme2 --manual_dir={given}/corpus --data_dir={disk}/data",
  "synthetic": "synthetic smic --out={disk}/c --subjects=1 --clips_per_subject=3 --size=32",
  "long": "synthetic long --format=samm_lv --out={disk}/l --subjects=1 --minutes=.04 --size=64",
  "export": "export motion_net_drawn --format=npz --out={disk}/model.npz",
  "score": "score {given}/features.npz --workdir={disk}/run",
}


@pytest.fixture(scope="module")
def given(tmp_path_factory) -> pathlib.Path:
  folder = tmp_path_factory.mktemp("given")
  synthetic.write("casme2", folder / "corpus", subjects=2, clips_per_subject=1, size=32)
  features = np.random.default_rng(0).normal(size=(12, 3))
  np.savez(folder / "features.npz", features=features, labels=[0, 1] * 6, subjects=[0, 1, 2] * 4)
  return folder


@pytest.fixture
def disk(tmp_path):
  """Mounts an empty disk of a size or a number of inodes, in the place of the one before."""
  folder = tmp_path / "disk"
  folder.mkdir()
  mounted = []

  def mount(options: str) -> pathlib.Path:
    if mounted:
      unmount()
    line = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
    try:
      subprocess.run(line, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
      pytest.skip(f"this user cannot mount: {error}")
    mounted.append(options)
    return folder

  def unmount():
    subprocess.run(["umount", folder], check=True)
    mounted.clear()

  yield mount
  if mounted:
    unmount()


def run(name: str, given: pathlib.Path, disk: pathlib.Path) -> int:
  return command.main(COMMANDS[name].format(given=given, disk=disk).split())


@pytest.mark.parametrize(
  "name", [*list(COMMANDS)[:4], pytest.param("score", marks=pytest.mark.exhaustive)]
)
def test_a_full_disk_is_named_and_nothing_stays(
  name: str, given: pathlib.Path, disk: Callable[[str], pathlib.Path], capsys
):
  codes = collections.Counter()
  for options in ("size=4k", "size=60k", "nr_inodes=2", "nr_inodes=4", "nr_inodes=9"):
    folder = disk(options)
    code = run(name, given, folder)
    said = capsys.readouterr().err
    codes[code] += 1
    left = [str(path.relative_to(folder)) for path in folder.rglob("*")]
    assert not [path for path in left if path.startswith(".") or "/." in path]
    if code != 0:
      assert code == WorkdirError.exit_code, said
      assert "No space left on device" in said
      assert left == [] or name in ("score", "export")
  assert codes[WorkdirError.exit_code] >= 2
  assert run(name, given, disk("size=64m")) == 0


def test_a_video_that_finds_no_room_is_an_error(disk, tmp_path):
  write(
    tmp_path / "video.mp4",
    list(np.random.default_rng(0).integers(255, size=(9, 64, 64, 3), dtype=np.uint8)),
  )
  video = open_video(tmp_path / "video.mp4")
  path = disk("size=4k") / "annotated.mp4"
  with pytest.raises(WorkdirError, match=r"annotated.mp4 cannot be written"):
    annotated_video.write(path, video, [], [])
  assert list(path.parent.iterdir()) == []
  annotated_video.write(disk("size=64m") / "annotated.mp4", video, [], [])
  assert open_video(path).claimed == video.claimed == 9
