"""One progress bar for everything that takes long: an ETA where someone watches, else silence."""

import contextlib
import sys
from collections.abc import Iterator

# Not tqdm.auto: its notebook form warns where ipywidgets is absent, and the text form works there.
from tqdm import tqdm


def progress(
  total: int, what: str, unit: str = "it", initial: int = 0, *, shown: bool = True
) -> tqdm:
  """A bar to be used as a context manager; call `.update(n)` and `.set_postfix_str(text)` on it.

  Args:
    total: how many units the whole work has.
    what: what stands before the bar.
    unit: the name of one unit ("clip", "epoch").
    initial: units already done, by a run that is being resumed.
    shown: False to draw nothing at all.

  Returns:
    A tqdm bar on standard error; it draws nothing when that is neither a terminal nor a notebook.
  """
  return tqdm(
    total=total,
    desc=what,
    unit=unit,
    initial=initial,
    # None: silent unless a terminal is attached, which a notebook's output does not claim to be.
    disable=(False if "ipykernel" in sys.modules else None) if shown else True,
    file=sys.stderr,
    dynamic_ncols=True,
  )


@contextlib.contextmanager
def note_shown(bar: tqdm, text: str) -> Iterator[None]:
  """While inside, `text` stands behind `bar`: nothing counts up meanwhile. "" changes nothing."""
  if text:
    bar.set_postfix_str(text)
  yield
  if text:
    bar.set_postfix_str("")
