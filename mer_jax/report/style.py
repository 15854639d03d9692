"""How every figure looks, and how it becomes the bytes of a PNG."""

import contextlib
import io
import warnings
from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

import cv2
import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

DPI = 150
# Okabe and Ito's palette, told apart under every common colour blindness (jfly.uni-koeln.de/color).
BLUE, VERMILION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
INK, FAINT = "#222222", "#8a8a8a"

_RC: dict[str, Any] = {
  "font.family": "DejaVu Sans",
  "font.size": 9,
  "axes.titlesize": 10,
  "axes.titleweight": "bold",
  "axes.titlelocation": "left",
  "axes.edgecolor": FAINT,
  "axes.linewidth": 0.8,
  "axes.spines.top": False,
  "axes.spines.right": False,
  "axes.labelcolor": INK,
  "text.color": INK,
  "xtick.color": INK,
  "ytick.color": INK,
  "figure.facecolor": "white",
  "legend.frameon": False,
  # A dollar sign in the name of a clip or class is a dollar sign.
  "text.parse_math": False,
}


@contextlib.contextmanager
def house_style() -> Iterator[None]:
  """Draw inside this: matplotlib's settings are ours within and the caller's again after it."""
  with mpl.rc_context(_RC), warnings.catch_warnings():
    # A name in a script the bundled font lacks is drawn as boxes; that must not end a run.
    warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
    yield


def png(figure: Figure) -> bytes:
  """The figure as PNG at `DPI`, without the date and version that would make equal runs differ."""
  buffer = io.BytesIO()
  figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
  return buffer.getvalue()


class Placed(NamedTuple):
  """A picture, uint8 [H, W, 3], and where its upper left pixel stands."""

  picture: np.ndarray
  top: int
  left: int


def png_with(figure: Figure, pictures: Iterable[Placed]) -> bytes:
  """The figure as PNG at `DPI` with `pictures` over it, pixel by pixel."""
  figure.set_dpi(DPI)
  canvas = FigureCanvasAgg(figure)
  canvas.draw()
  pixels = np.array(canvas.buffer_rgba())[..., :3]
  for picture, top, left in pictures:
    pixels[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
  # Level 3 as other PNGs are packed; what OpenCV does by default takes four times the space.
  packing = [cv2.IMWRITE_PNG_COMPRESSION, 3, cv2.IMWRITE_PNG_STRATEGY, 0]
  _, content = cv2.imencode(".png", pixels[..., ::-1], packing)
  return content.tobytes()


def faint_grid(axes: Axes, axis: Literal["x", "y", "both"]) -> None:
  """Thin lines behind the data along `axis`."""
  axes.grid(axis=axis, color="#e4e4e4", linewidth=0.7)
  axes.set_axisbelow(True)
