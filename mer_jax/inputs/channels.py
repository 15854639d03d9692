"""Which inputs can read which clips: gray frames or published flow maps."""

import functools
from collections import defaultdict
from collections.abc import Callable
from typing import Concatenate, ParamSpec

import numpy as np

from mer_jax import errors
from mer_jax.clips import Clips

Options = ParamSpec("Options")
Input = Callable[Concatenate[Clips, Options], dict[str, np.ndarray]]

_fitting: defaultdict[str, list[str]] = defaultdict(list)


def reads(*channels: str) -> Callable[[Input[Options]], Input[Options]]:
  """Decorates an input that can read clips of these `Clips.channels` and refuses others.

  Raises:
    ConfigError: (the decorated input) names the inputs that fit the clips.
  """

  def decorate(function: Input[Options]) -> Input[Options]:
    name = function.__name__
    for kind in channels:
      _fitting[kind].append(name)

    @functools.wraps(function)
    def checked(clips: Clips, *args: Options.args, **settings: Options.kwargs):
      if clips.channels not in channels:
        raise errors.ConfigError(
          f"The input {name} reads clips of {' or '.join(map(repr, channels))}; these hold"
          f" {clips.channels!r}. Inputs that read them: {', '.join(_fitting[clips.channels])}."
        )
      return function(clips, *args, **settings)

    return checked

  return decorate
