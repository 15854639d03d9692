"""mer_jax predict: what a trained model says of clips: class probabilities, as csv and as a page.

DATA is a video file, in which expressions are spotted first, so that the page is a timeline; a
prepared dataset (data/casme2/frames128); a folder with the frames of a clip; or a folder of such
folders. Frames are images named by number; key frames are given by these numbers.
"""

import argparse
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mer_jax.cli import examples
from mer_jax.errors import ConfigError
from mer_jax.runtime import command_line

if TYPE_CHECKING:
  from mer_jax.clips import Clips

KEY_FRAMES = ("onset", "apex", "offset")
VIDEO = ("faces", "detector", "threshold", "annotate")


def parser() -> command_line.Parser:
  """The arguments of the command."""
  built = command_line.Parser(
    prog="mer_jax predict", description=__doc__, epilog=examples.of("predict")
  )
  add = built.add_argument
  add("data", metavar="DATA", nargs="+", help="a video, a prepared dataset or a folder of frames")
  add(
    "--model",
    default="motion_net_drawn",
    metavar="NAME|DIR",
    help="a name of `mer_jax models`, or a folder that mer_jax fit left; default motion_net_drawn",
  )
  add("--out", required=True, metavar="OUT", help="folder for predictions.csv and report.html")
  for name, default in zip(KEY_FRAMES, ("the first", "spotted", "the last"), strict=True):
    add(f"--{name}", type=int, metavar="N", help=f"frame number of the clip; default {default}")
  add(
    "--key_frames",
    metavar="FILE",
    help="csv or xlsx with columns clip (the name of its folder), onset, apex, offset, subject",
  )
  add(
    "--crop",
    default="face",
    choices=("face", "landmarks", "as_is"),
    help="face (default): frames show more than the face, which is found and cut out;"
    " landmarks: likewise, aligned as in videos (extra video); as_is: they show the face alone",
  )
  _add_video_options(built)
  return built


def _add_video_options(built: argparse.ArgumentParser) -> None:
  add = built.add_argument_group("of a video").add_argument
  add("--faces", choices=("largest", "all"), help="largest (default), or each for itself")
  add("--detector", choices=("auto", "landmarks", "cascade"), help="of faces; default auto")
  add("--threshold", type=float, metavar="X", help="lower spots more, and more that is wrong")
  add("--annotate", action="store_true", default=None, help="also write annotated.mp4")


def run(options: argparse.Namespace) -> int:
  """Predicts what parsed arguments name; returns the exit code.

  Raises:
    MerError: what stopped it.
  """
  from mer_jax import recognizer

  own = {name: value for name in VIDEO if (value := getattr(options, name)) is not None}
  if any(pathlib.Path(path).expanduser().is_file() for path in options.data):
    return _video(options, own)
  if own:
    raise ConfigError(f"--{next(iter(own))} is for a video file, but {options.data[0]} is none.")
  from mer_jax.clips import concatenate
  from mer_jax.experiment import prediction

  model = recognizer.load(options.model)
  prepared = [prediction.prepared_at(path) for path in options.data]
  folders = [path for path, part in zip(options.data, prepared, strict=True) if part is None]
  parts = [part for part in prepared if part is not None]
  if folders and parts:
    raise ConfigError(
      f"{', '.join(folders)}: no prepared dataset, but others of these are. Predict prepared data"
      " and folders of frames in a command each."
    )
  notes: list[str] = []
  if folders:
    clips, notes = _own_frames(options, folders, prediction.frame_size(model))
    parts = [clips]
  elif options.key_frames or any(getattr(options, name) is not None for name in KEY_FRAMES):
    raise ConfigError("Prepared datasets have their key frames; give none.")
  elif options.crop != "face":
    raise ConfigError(f"--crop={options.crop}: prepared datasets are cropped. Leave it out.")
  prediction.same_frames(parts)
  prediction.predict(
    model,
    concatenate(parts),
    options.out,
    apex="divide_and_conquer" if folders else "",
    notes=notes,
  )
  return 0


def main(arguments: Sequence[str] | None = None) -> int:
  """The command line; returns the exit code."""
  return command_line.execute(parser(), run, arguments)


def _video(options: argparse.Namespace, own: dict[str, Any]) -> int:
  from mer_jax import recognizer
  from mer_jax.experiment.own_video import VideoOptions, predict_video

  if len(options.data) > 1:
    raise ConfigError(f"A video has a page of its own; got {len(options.data)} of DATA. Give one.")
  given = [*(f"--{n}" for n in (*KEY_FRAMES, "key_frames") if getattr(options, n) is not None)]
  if given:
    raise ConfigError(f"{given[0]} is for folders of frames: what a video holds is spotted.")
  if options.crop != "face":
    raise ConfigError(f"--crop={options.crop} is for folders of frames; a video has --detector.")
  video = VideoOptions(**own)
  predict_video(options.data[0], options.out, recognizer.load(options.model), video)
  return 0


def _own_frames(
  options: argparse.Namespace, folders: list[str], size: int
) -> tuple["Clips", list[str]]:
  """The clips in folders of frames, and what was repaired or refused, for the reader."""
  from data_builders import own_frames

  for folder in folders:
    if not pathlib.Path(folder).expanduser().is_dir():
      raise ConfigError(f"{folder} is neither a prepared dataset nor a folder of frames.")
  given = own_frames.read_key_frames(options.key_frames) if options.key_frames else {}
  alone = own_frames.KeyFrames(*(getattr(options, name) for name in KEY_FRAMES))
  if alone != own_frames.NOT_GIVEN:
    given = {**given, "": alone}
  clips, report = own_frames.read(
    [pathlib.Path(folder).expanduser() for folder in folders],
    given,
    size=size,
    crop=options.crop,
  )
  repaired = [f"{r['clip']}: {r['what']} became {r['how']} ({r['why']})" for r in report.repaired]
  refused = [f"{clip} is left out: {why}" for clip, why in report.refused.items()]
  spotted = int(clips.apex_missing.sum())
  missing = [f"The apex of {spotted} of {len(clips)} clips was not given, and was spotted."]
  return clips, [*report.notes, *repaired, *refused, *(missing if spotted else [])]
