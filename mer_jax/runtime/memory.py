"""How much memory this process may use; what needs more is refused before it is allocated."""

import os
import pathlib
import resource

from mer_jax.errors import ConfigError

# Limits of a control group, by version: a container's, or a job's of a scheduler.
_GROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def limit() -> int:
  """Bytes: those of the machine, or fewer where a control group or `ulimit -v` allows fewer."""
  limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
  space, _ = resource.getrlimit(resource.RLIMIT_AS)
  if space != resource.RLIM_INFINITY:
    limits.append(space)
  for file in map(pathlib.Path, _GROUPS):
    try:
      limits.append(int(file.read_text(encoding="ascii")))
    except (OSError, ValueError):  # absent, or "max"
      continue
  return min(limits)


def check(what: str, needed: int, available: int, advice: str) -> None:
  """Refuses what cannot fit.

  Args:
    what: the subject of the message: "Training 30 models".
    needed: bytes at the least.
    available: bytes.
    advice: a sentence on what to lower.

  Raises:
    ConfigError: `needed` is more than `available`; has both numbers.
  """
  if needed > available:
    raise ConfigError(
      f"{what} needs at least {in_words(needed)} of memory; {in_words(available)} are there."
      f" {advice}"
    )


def in_words(size: int) -> str:
  """1_234_567_890 -> "1.2 GB"."""
  units = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")
  power = min(max(len(str(size)) - 1, 0) // 3, len(units) - 1)
  return f"{size / 1000**power:.3g} {units[power]}"
