"""The guard around releases of XLA that silently compute wrong numbers on CPUs.

jaxlib 0.10.2 joins a product and the sum of its squares to one operation of YNNPACK that loses rows
beyond 32,768 (jax issue 39103; relative errors of 1e-2), and crashes on some reductions of seven
axes, as 0.11.0 does (39257, 40412). The cure is a compiler option. It is given to our own programs
one by one, so it also holds where jax has been running for long, as in a notebook, and costs other
programs nothing.
"""

from collections.abc import Callable
from typing import Any

import jax
import jaxlib.version

# Releases in which the fusion of YNNPACK is wrong; 0.10.1, 0.11.2 and 0.12 are right.
AFFECTED = ("0.10.2", "0.11.0")
_NO_FUSION = {"xla_cpu_experimental_ynn_fusion_type": ""}


def compiler_options(version: str = jaxlib.version.__version__) -> dict[str, Any]:
  """The options with which a program must be compiled by jaxlib `version`; mostly none."""
  return dict(_NO_FUSION) if version in AFFECTED else {}


def jit(function: Callable[..., Any], **options: Any) -> Any:
  """`jax.jit` with the guard; every program of this package is compiled by it.

  Args:
    function: what is compiled.
    **options: as of jax.jit; its compiler_options are added to those of the guard.
  """
  own = {**compiler_options(), **(options.pop("compiler_options", None) or {})}
  return jax.jit(function, compiler_options=own or None, **options)
