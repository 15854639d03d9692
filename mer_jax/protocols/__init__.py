"""Protocols: which clips take part, which class each has, and who is held out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mer_jax import checks
from mer_jax.clips import Clips
from mer_jax.protocols import completeness
from mer_jax.protocols.five_class import FIVE_CLASS, five_class
from mer_jax.protocols.megc2018 import MEGC2018, megc2018
from mer_jax.protocols.megc2019 import megc2019
from mer_jax.protocols.native import native
from mer_jax.protocols.split import Split
from mer_jax.protocols.split import tested as tested
from mer_jax.protocols.three_class import three_class

PROTOCOLS: dict[str, Callable[..., Split]] = {
  "three_class": three_class,
  "megc2018": megc2018,
  "megc2019": megc2019,
  "five_class": five_class,
  "native": native,
}

_MEGC2019 = {dataset: (official,) for dataset, official in completeness.MEGC2019.items()}
# What each protocol takes from a corpus, in the versions that are in use; native takes what it is
# given.
OFFICIAL: dict[str, Mapping[str, Sequence[completeness.Official]]] = {
  "three_class": _MEGC2019,
  "megc2018": MEGC2018,
  "megc2019": _MEGC2019,
  "five_class": FIVE_CLASS,
}
# Protocols that need all of their corpora at once.
COMPOSITES = ("megc2018", "megc2019")


def split(name: str, clips: Clips, /, *, allow_incomplete: bool = False, **settings: Any) -> Split:
  """Carries out the protocol `name` on `clips`.

  Args:
    name: see `find`.
    clips: Clips [N], in any order.
    allow_incomplete: go on, with a remark, where the clips are not the complete corpus.
    **settings: further options of that protocol.

  Returns:
    The selected clips with labels and folds; see `Split`.

  Raises:
    ConfigError: unknown protocol or option.
    ProtocolError: the clips cannot carry out the protocol; the message says what is missing.
  """
  function = find(name)
  checks.check_options(f"protocol {name}", function, settings)
  return function(clips, allow_incomplete=allow_incomplete, **settings)


def find(name: str) -> Callable[..., Split]:
  """The function of the protocol `name`: a key of `PROTOCOLS`, or "package.module:function".

  Raises:
    ConfigError: there is no such protocol.
  """
  return checks.look_up("protocol", name, PROTOCOLS)
