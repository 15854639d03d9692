"""Clips as film strips: what the network was shown, what it said."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from mer_jax.clips import FLOW_MAPS, Clips
from mer_jax.evaluation.predictions import Predictions, made, select
from mer_jax.report import style

_CLIPS = 8  # at most; two per class where there are fewer classes
MISSED = 24  # misclassified clips at most
_FRAMES = 8
_MAPS = 3
_WIDTH = 10  # inches
_STEP = 1.06  # from one picture to the next, in widths of a picture
_FEWEST = 6  # a strip of fewer pictures is not blown up


class Tile(NamedTuple):
  """One picture of a strip: uint8 [H, W, 3], and what stands under it."""

  picture: np.ndarray
  caption: str


def choose(clips: Clips, predictions: Predictions) -> list[tuple[int, int]]:
  """Picks clips to show: for every class one that was recognised and one that was missed.

  Of each kind the first clip is taken whose dataset and subject are shown least so far, so that
  the choice is the same every time and nobody picks the good ones. A clip without a prediction was
  neither recognised nor missed.

  Args:
    clips: the clips of the run, in any order; may lack some that were predicted.
    predictions: of one seed.

  Returns:
    Pairs (index into clips, row of predictions), at most `_CLIPS`.
  """
  where = {clips.name(n): n for n in range(len(clips))}
  keys = zip(predictions.dataset, predictions.subject, predictions.clip, strict=True)
  known = [(where.get("/".join(key)), row) for row, key in enumerate(keys)]
  is_predicted = made(predictions)
  candidates = [(n, row) for n, row in known if n is not None and is_predicted[row]]
  right = predictions.label == predictions.prediction
  shown: list[tuple[int, int]] = []
  for recognised in (True, False):
    for label in range(len(predictions.class_names)):
      kind = [
        (n, row)
        for n, row in candidates
        if predictions.label[row] == label and right[row] == recognised
      ]
      datasets = [clips.dataset[n] for n, _ in shown]
      subjects = [clips.subject[n] for n, _ in shown]
      times = [
        (datasets.count(clips.dataset[n]), subjects.count(clips.subject[n])) for n, _ in kind
      ]
      shown += [kind[times.index(min(times))]] if kind else []
  return shown[:_CLIPS]


def draw(clips: Clips, predictions: Predictions) -> bytes | None:
  """Draws the chosen clips, one strip each, with truth and prediction (of the first seed that
  has any).

  Frames run evenly from first to last and always include onset, apex and offset; the last picture
  is the change from onset to apex in gray levels, red where it grew brighter. Of flow maps the
  channels are shown instead.

  Returns:
    A PNG; None where `clips` holds none of the predicted clips.
  """
  once = _first_seed(predictions)
  return _draw(clips, [(n, _verdict(once, row)) for n, row in choose(clips, once)])


def draw_first(clips: Clips, captions: Sequence[str]) -> bytes | None:
  """Draws the first clips of `clips` [N] as `draw` does, with what is predicted of each.

  Args:
    clips: those that were predicted.
    captions: N texts, as "positive (0.81)".

  Returns:
    A PNG; None where there is no clip.
  """
  shown = range(min(len(clips), _CLIPS))
  return _draw(clips, [(n, (captions[n], style.INK)) for n in shown])


def choose_missed(clips: Clips, predictions: Predictions) -> list[tuple[int, int]]:
  """The misclassified clips, the surest errors first; none where `clips` show people.

  Of people, `choose` shows as few as a reader needs; clips of which some are drawn count as people.

  Args:
    clips: the clips of the run, in any order; may lack some that were predicted.
    predictions: of one seed.

  Returns:
    Pairs (index into clips, row of predictions), at most `MISSED`.
  """
  if clips.channels != FLOW_MAPS and not np.all(clips.synthetic):
    return []
  where = {clips.name(n): n for n in range(len(clips))}
  missed = np.flatnonzero(made(predictions) & (predictions.prediction != predictions.label))
  surest = np.argsort(
    -predictions.probabilities[missed, predictions.prediction[missed]], kind="stable"
  )
  keys = zip(predictions.dataset, predictions.subject, predictions.clip, strict=True)
  names = ["/".join(key) for key in keys]
  rows = [row for row in missed[surest].tolist() if names[row] in where]
  return [(where[names[row]], row) for row in rows[:MISSED]]


def draw_missed(clips: Clips, predictions: Predictions) -> bytes | None:
  """Draws what `choose_missed` chooses of the first seed that has any prediction, as `draw` does.

  Returns:
    A PNG; None where there is no such clip.
  """
  once = _first_seed(predictions)
  return _draw(clips, [(n, _verdict(once, row)) for n, row in choose_missed(clips, once)])


def _first_seed(predictions: Predictions) -> Predictions:
  """The predictions of the first seed that has any."""
  return select(predictions, predictions.seed == predictions.seed[made(predictions)].min())


def _draw(clips: Clips, shown: list[tuple[int, tuple[str, str]]]) -> bytes | None:
  """Strips of the clips at some indices, each with a text and its colour."""
  if not shown:
    return None
  strips = [_tiles(clips, n) for n, _ in shown]
  columns = max(_FEWEST, *(len(tiles) for tiles in strips))
  side = round(0.98 * _WIDTH * style.DPI / (columns * _STEP))
  line = side + round(0.52 * style.DPI)
  height, width = line * len(shown), _WIDTH * style.DPI
  placed = []
  with style.house_style():
    figure = Figure(figsize=(width / style.DPI, height / style.DPI))
    for i, ((n, (text, color)), tiles) in enumerate(zip(shown, strips, strict=True)):
      top = i * line + round(0.28 * style.DPI)
      title = 1 - (top - 0.03 * style.DPI) / height
      figure.text(0.01, title, _title(clips, n), fontsize=8.5)
      figure.text(0.99, title, text, color=color, fontsize=8.5, ha="right")
      placed += _strip(figure, tiles, (height, width), top, side)
    # Pixel by pixel: axes for each picture took most of the time of a report.
    return style.png_with(figure, placed)


def _tiles(clips: Clips, n: int) -> list[Tile]:
  frames = clips.frames_of(n)
  if clips.channels == FLOW_MAPS:
    return [tile for m in range(min(len(frames), _MAPS)) for tile in _flow(frames[m], m)]
  marks = {int(clips.onset[n]): "onset", int(clips.offset[n]): "offset"}
  apex = int(clips.apex[n])
  # Where two of them fall on one frame the apex is the one to name.
  is_midpoint = apex == (int(clips.onset[n]) + int(clips.offset[n])) // 2
  missing = "midpoint" if is_midpoint else "spotted"
  marks[apex] = missing if clips.apex_missing[n] else "apex"
  tiles = [
    Tile(_gray(frames[t]), f"{marks[t]} {t}" if t in marks else str(t))
    for t in _even(len(frames), marks)
  ]
  return [*tiles, _difference(frames[apex], frames[int(clips.onset[n])])]


def _even(length: int, marks: dict[int, str]) -> list[int]:
  """`_FRAMES` indices spread over a clip, the nearest to each mark moved onto it."""
  steps = list(np.round(np.linspace(0, length - 1, min(_FRAMES, length))).astype(int))
  for mark in marks:
    free = [i for i, step in enumerate(steps) if step not in marks]
    if mark not in steps and free:
      steps[min(free, key=lambda i: abs(steps[i] - mark))] = mark
  return sorted({int(step) for step in steps})


def _gray(frame: np.ndarray) -> np.ndarray:
  return np.broadcast_to(frame[..., :1], (*frame.shape[:2], 3))


def _difference(apex: np.ndarray, onset: np.ndarray) -> Tile:
  change = apex.astype(np.float64).mean(axis=-1) - onset.astype(np.float64).mean(axis=-1)
  # The 99th percentile: one flickering pixel must not make the rest pale.
  scale = max(float(np.percentile(np.abs(change), 99)), 1.0)
  return Tile(_signed(change / scale), f"change, ±{scale:.0f}")


def _flow(frame: np.ndarray, m: int) -> list[Tile]:
  u, v = (frame[..., c] / 127.5 - 1 for c in range(2))
  pictures = [_signed(u), _signed(v), _gray(frame[..., 2:])]
  names = ("u", "v", "strain")
  return [Tile(p, f"map {m + 1}: {name}") for p, name in zip(pictures, names, strict=True)]


def _signed(values: np.ndarray) -> np.ndarray:
  """-1..1 as blue, white, red: uint8 [H, W, 3]."""
  return colormaps["RdBu_r"](np.clip(values, -1, 1) / 2 + 0.5, bytes=True)[..., :3]


def _strip(
  figure: Figure, tiles: list[Tile], size: tuple[int, int], top: int, side: int
) -> list[style.Placed]:
  """Writes the captions of a strip on `figure`, of `size` (height, width) in pixels.

  Returns:
    Its pictures, `side` pixels along their longer side, from the row `top` on.
  """
  height, width = size
  placed = []
  for i, tile in enumerate(tiles):
    picture = _sized(tile.picture, side)
    left = round(0.01 * width + i * side * _STEP)
    placed.append(style.Placed(picture, top, left))
    named = not tile.caption.isdigit()
    figure.text(
      (left + picture.shape[1] / 2) / width,
      1 - (top + len(picture) + 0.04 * side) / height,
      tile.caption,
      ha="center",
      va="top",
      fontsize=7.5,
      color=style.INK if named else style.FAINT,
      fontweight="bold" if tile.caption.startswith(("apex", "midpoint", "spotted")) else "normal",
    )
  return placed


def _sized(picture: np.ndarray, side: int) -> np.ndarray:
  """`picture` with `side` pixels along its longer side; pixels that grow stay squares."""
  height, width = (max(1, round(n * side / max(picture.shape[:2]))) for n in picture.shape[:2])
  shrinks = max(picture.shape[:2]) > side
  way = cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST
  return cv2.resize(np.ascontiguousarray(picture, np.uint8), (width, height), interpolation=way)


def _title(clips: Clips, n: int) -> str:
  rate = f" at {clips.fps[n]:.0f} fps" if clips.fps[n] > 0 else ""
  units = f", AU {clips.action_units[n]}" if clips.action_units[n] else ""
  emotion = f": {clips.emotion[n]}" if clips.emotion[n] else ""
  if clips.channels == FLOW_MAPS:
    return f"{clips.name(n)}{emotion}{units}"
  return f"{clips.name(n)}{emotion}{units}, {clips.num_frames[n]} frames{rate}"


def _verdict(predictions: Predictions, row: int) -> tuple[str, str]:
  truth = predictions.class_names[predictions.label[row]]
  predicted = predictions.class_names[predictions.prediction[row]]
  p = predictions.probabilities[row, predictions.prediction[row]]
  if truth == predicted:
    return f"✓ {truth} ({p:.2f})", style.GREEN
  return f"✗ {truth}, predicted {predicted} ({p:.2f})", style.VERMILION
