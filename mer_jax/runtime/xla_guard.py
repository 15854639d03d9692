"""The guard around releases of XLA that silently compute wrong numbers on CPUs.

From jaxlib 0.10.2 on, XLA hands products, elementwise operations and reductions to YNNPACK as one.
0.10.2 loses rows beyond 32,768 of a product whose squares are summed (jax issue 39103; relative
errors of 1e-2) and crashes on some reductions of seven axes, as 0.11.0 does (39257, 40412). 0.11.2
and 0.12 have those right, but not every sum over a product with a broadcast operand, which returns
memory that nobody wrote to (tests/runtime/test_xla_guard.py). The cure is a compiler option that
keeps these operations apart. It is given to our own programs one by one, so it also holds where jax
has been running for long, as in a notebook, and costs other programs nothing.
"""

from collections.abc import Callable
from typing import Any

import jax
import jaxlib.version

# Since then YNNPACK fuses; 0.10.1 gets all cases right, and no later release so far.
FIRST_AFFECTED = (0, 10, 2)
_NO_FUSION = {"xla_cpu_experimental_ynn_fusion_type": ""}


def compiler_options(version: str = jaxlib.version.__version__) -> dict[str, Any]:
  """The options with which a program must be compiled by jaxlib `version`; none before 0.10.2."""
  release = tuple(int(part) for part in version.split(".")[:3])
  return dict(_NO_FUSION) if release >= FIRST_AFFECTED else {}


def jit(function: Callable[..., Any], **options: Any) -> Any:
  """`jax.jit` with the guard; every program of this package is compiled by it.

  Args:
    function: what is compiled.
    **options: as of jax.jit; its compiler_options are added to those of the guard.
  """
  own = {**compiler_options(), **(options.pop("compiler_options", None) or {})}
  return jax.jit(function, compiler_options=own or None, **options)
