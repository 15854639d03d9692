"""What an input declares of itself: the clips it reads, the arrays it gives, its options."""

import functools
import inspect
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, ParamSpec, TypeVar, cast

from mer_jax import checks, errors
from mer_jax.clips import Clips

# Names of the inputs that read clips of some channels, for messages.
_readers: defaultdict[str, list[str]] = defaultdict(list)
Parameters = ParamSpec("Parameters")
Arrays = TypeVar("Arrays")


class Declaration(NamedTuple):
  """What is known of an input before it is computed.

  Attributes:
    reads: the `Clips.channels` that it can read.
    gives: names of the arrays that it returns, in their order.
    options: names of its options.
    uses_cache: whether it takes a `Cache`.
    needs_motion: whether clips of one frame mean nothing to it.
  """

  reads: tuple[str, ...]
  gives: tuple[str, ...]
  options: tuple[str, ...]
  uses_cache: bool
  needs_motion: bool = False


def declares(
  *,
  reads: Sequence[str],
  gives: Sequence[str],
  passes_on: Callable[..., Any] | None = None,
  needs_motion: bool = False,
) -> Callable[[Callable[Parameters, Arrays]], Callable[Parameters, Arrays]]:
  """Decorates an input, a function of Clips and keyword options, with its `Declaration`.

  Args:
    reads: the `Clips.channels` that it can read; clips of others are refused.
    gives: names of the arrays that it returns.
    passes_on: what takes the keywords that the input accepts as `**options` and hands on: another
      input, or a NamedTuple of options.
    needs_motion: whether it measures what changes between the frames of a clip.

  Raises:
    ConfigError: (the decorated input) the clips hold channels that it does not read.
  """

  def decorate(function: Callable[Parameters, Arrays]) -> Callable[Parameters, Arrays]:
    name = function.__name__
    parameters = inspect.signature(function).parameters
    for channels in reads:
      _readers[channels].append(name)
    options = dict.fromkeys(
      [*checks.keywords(function), *(_options_of(passes_on) if passes_on else ())]
    )

    @functools.wraps(function)
    def checked(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Arrays:
      channels = cast(Clips, args[0]).channels
      if channels not in reads:
        raise errors.ConfigError(
          f"The input {name} reads clips of {' or '.join(map(repr, reads))}; these hold"
          f" {channels!r}. Inputs that read them: {', '.join(_readers[channels])}."
        )
      return function(*args, **kwargs)

    setattr(  # noqa: B010
      checked,
      "declaration",
      Declaration(tuple(reads), tuple(gives), tuple(options), "cache" in parameters, needs_motion),
    )
    return checked

  return decorate


def declaration(function: Callable[..., Any]) -> Declaration:
  """The `Declaration` of an input.

  Raises:
    ConfigError: the function declares nothing.
  """
  declared = getattr(function, "declaration", None)
  if declared is None:
    raise errors.ConfigError(
      f"The input {getattr(function, '__name__', function)!r} does not declare what it reads and"
      " gives; decorate it with mer_jax.inputs.declares."
    )
  return declared


def _options_of(function: Callable[..., Any]) -> tuple[str, ...]:
  """Option names of another input, or of a NamedTuple."""
  if isinstance(function, type):
    return tuple(inspect.signature(function).parameters)
  return declaration(function).options
