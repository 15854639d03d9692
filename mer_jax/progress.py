"""One progress bar for everything that takes long: an ETA on a terminal, silence elsewhere."""

import sys

from tqdm.auto import tqdm


def progress(total: int, what: str, unit: str = "it", initial: int = 0) -> tqdm:
  """A bar to be used as a context manager; call `.update(n)` and `.set_postfix_str(text)` on it.

  Args:
    total: how many units the whole work has.
    what: what stands before the bar.
    unit: the name of one unit ("clip", "epoch").
    initial: units already done, by a run that is being resumed.

  Returns:
    A tqdm bar on standard error; it draws nothing when standard error is not a terminal.
  """
  return tqdm(
    total=total,
    desc=what,
    unit=unit,
    initial=initial,
    disable=None,  # None: silent unless a terminal is attached
    file=sys.stderr,
    dynamic_ncols=True,
  )
