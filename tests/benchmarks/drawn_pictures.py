"""Drawn motion beside measured motion, as pictures: python -m tests.benchmarks.drawn_pictures

The mean of every class (u, v, strain) and a few maps of it, drawn, beside those of the prepared
clips that a config names, in the form in which models read both (input.normalise=relative). Leaves
drawn_motion.png, and drawn_course.png with a drawn course over time, in the folder of --out. What
is made of a licensed corpus shows its people and must not be passed on.
"""

import argparse
import io
import pathlib
import sys
from typing import NamedTuple

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

import mer_jax
from mer_jax import inputs
from mer_jax.experiment import config_files, data, drawn_source, settings
from mer_jax.report import style
from mer_jax.runtime import atomic, xla_guard

MEAN_OF, EVERY = 600, 3  # drawn maps in a mean; pixels between arrows
CHANNELS = ("mean u", "mean v", "mean strain")
FRAMES, SHOWN = 48, 8  # of a course
STRAIN = 3.0  # the darkest


class Maps(NamedTuple):
  """Flow maps of clips, drawn or measured.

  Attributes:
    name: what stands beside them.
    maps: float32 [N, H, W, 3].
    labels: int [N].
  """

  name: str
  maps: np.ndarray
  labels: np.ndarray


def main(arguments: list[str] | None = None) -> int:
  """Draws both pictures; returns 0."""
  given, overrides = _parse(arguments)
  config = mer_jax.load_config(given.config)
  config.data.data_dir = given.data_dir
  config_files.override(config, overrides)
  config.drawn.share = 1.0
  split = data.spot_apexes(config, data.load_split(config))
  arrays = inputs.make(config.input.name, split.clips, **settings.options(config.input))
  source = drawn_source.of(config, split.class_names, arrays)
  assert source is not None
  both = (_drawn(source, given.seed), Maps(given.name, arrays["image"], split.labels))
  out = pathlib.Path(given.out)
  atomic.write_bytes(
    out / "drawn_motion.png", beside(split.class_names, both, given.samples, given.seed)
  )
  atomic.write_bytes(out / "drawn_course.png", course(split.class_names, source, given.seed))
  print(f"{out / 'drawn_motion.png'}, drawn_course.png")
  return 0


def beside(names: tuple[str, ...], sources: tuple[Maps, ...], samples: int, seed: int) -> bytes:
  """A PNG: for every class K a row of each source, its mean by channel, then maps of it."""
  rng = np.random.default_rng(seed)
  columns, rows = len(CHANNELS) + samples, len(names) * len(sources)
  means = {
    (k, source.name): source.maps[source.labels == k].mean(axis=0)
    for k in range(len(names))
    for source in sources
  }
  # Few clips leave single large values, which must not make all else pale.
  largest = np.percentile([np.abs(mean[..., :2]) for mean in means.values()], 99.5)
  with style.house_style():
    figure = Figure(figsize=(6.0, 0.87 * rows + 0.35), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.012, hspace=0, wspace=0)
    axes = figure.subplots(rows, columns, squeeze=False)
    for row, (k, source) in enumerate((k, s) for k in range(len(names)) for s in sources):
      of_class = source.maps[source.labels == k]
      mean = means[k, source.name]
      for channel in range(2):
        image = mean[..., channel]
        axes[row, channel].imshow(image, cmap="RdBu_r", vmin=-largest, vmax=largest)
      axes[row, 2].imshow(mean[..., 2], cmap="Greys", vmin=0, vmax=STRAIN)
      chosen = rng.permutation(len(of_class))[:samples]
      for column, n in enumerate(chosen, len(CHANNELS)):
        arrows(axes[row, column], of_class[n])
      axes[row, 0].set_ylabel(f"{names[k]}\n{source.name}", fontsize=7.5)
    titles = (*CHANNELS, *(f"map {i + 1}" for i in range(samples)))
    _frame(axes, titles)
    return _small(style.png(figure))


def course(names: tuple[str, ...], source: drawn_source.DrawnSource, seed: int) -> bytes:
  """A PNG: one drawn course of every class K, at `SHOWN` of its frames."""
  drawn = _draw(source._replace(num_frames=FRAMES), seed, 16)
  frames, mask = drawn.inputs["frames"], drawn.inputs["mask"]
  with style.house_style():
    figure = Figure(figsize=(6.0, 0.82 * len(names) + 0.35), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.012, hspace=0, wspace=0)
    axes = figure.subplots(len(names), SHOWN, squeeze=False)
    for k, name in enumerate(names):
      n = int(np.flatnonzero(drawn.labels == k)[0])
      times = np.linspace(0, mask[n].sum() - 1, SHOWN).round().astype(int)
      for column, t in enumerate(times):
        arrows(axes[k, column], frames[n, t])
        axes[k, column].text(1, 4, f"{t}", fontsize=6, color=style.INK)
      axes[k, 0].set_ylabel(name, fontsize=7.5)
    _frame(axes, ("onset", *[""] * (SHOWN - 2), "offset"))
    return _small(style.png(figure))


def arrows(axes: Axes, flow: np.ndarray) -> None:
  """One map [H, W, 3]: strain as grey, u and v as arrows from every `EVERY`-th pixel."""
  axes.imshow(flow[..., 2], cmap="Greys", vmin=0, vmax=2 * STRAIN)
  places = np.arange(EVERY // 2, len(flow), EVERY)
  u, v = np.moveaxis(flow[np.ix_(places, places)], -1, 0)[:2]
  axes.quiver(
    *(places, places, u, v),
    angles="xy",
    scale_units="xy",
    scale=0.7,
    width=0.013,
    headwidth=3.5,
    color=style.BLUE,
  )
  axes.set_xlim(-0.5, len(flow) - 0.5)
  axes.set_ylim(len(flow) - 0.5, -0.5)


def _drawn(source: drawn_source.DrawnSource, seed: int) -> Maps:
  drawn = _draw(source, seed, MEAN_OF * len(source.mixtures))
  return Maps("drawn", drawn.inputs["image"], drawn.labels)


def _draw(source: drawn_source.DrawnSource, seed: int, count: int):
  """`count` examples, a share of all from each class."""
  return jax.device_get(xla_guard.jit(lambda key: source(key, count))(jax.random.key(seed)))


def _small(png: bytes) -> bytes:
  """The same picture in 256 colours, which is a third of the size."""
  buffer = io.BytesIO()
  picture = Image.open(io.BytesIO(png)).convert("RGB")
  few = picture.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
  few.save(buffer, format="png", optimize=True)
  return buffer.getvalue()


def _frame(axes: np.ndarray, titles: tuple[str, ...]) -> None:
  for place in axes.flat:
    place.set(xticks=[], yticks=[])
    for side in place.spines.values():
      side.set(visible=True, linewidth=0.4)
  for place, title in zip(axes[0], titles, strict=True):
    place.set_title(title, fontsize=7.5, loc="center", fontweight="normal")


def _parse(arguments: list[str] | None) -> tuple[argparse.Namespace, list[str]]:
  parser = argparse.ArgumentParser(
    prog="python -m tests.benchmarks.drawn_pictures",
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
    epilog="Further arguments override fields of the config: --config.drawn.head_shift=0.0",
  )
  parser.add_argument("--config", default="motion_net:casme2", help="whose clips and input")
  parser.add_argument("--data_dir", default="data", help="where they are prepared")
  parser.add_argument("--name", default="measured", help="what stands beside their rows")
  parser.add_argument("--samples", type=int, default=4, help="maps of every class")
  parser.add_argument("--seed", type=int, default=0, help="which are drawn and chosen")
  parser.add_argument("--out", default="build/pictures", help="folder for the pictures")
  given, rest = parser.parse_known_args(arguments)
  if given.samples < 1:
    parser.error(f"--samples is {given.samples}; it must be at least 1")
  return given, rest


if __name__ == "__main__":
  sys.exit(main())
