"""What the numbers were measured on, and how fast it multiplies matrices."""

import importlib.metadata
import os
import pathlib
import platform
import re
import sys
from typing import Any

import jax

PACKAGES = ("jax", "jaxlib", "flax", "optax", "torch", "numpy")


def describe() -> dict[str, Any]:
  """Device, cores, versions, and how busy the machine was before."""
  return {
    "device": device_name(),
    "platform": jax.devices()[0].platform,
    "devices": len(jax.devices()),
    "cores": cores(),
    "load_before": round(os.getloadavg()[0], 2),
    "python": platform.python_version(),
    "versions": {package: _version(package) for package in PACKAGES},
  }


def caption(machine: dict[str, Any]) -> str:
  """`describe` on one line; says where PyTorch ran if that is another place than jax."""
  versions = machine["versions"]
  place = machine.get("torch_device")
  elsewhere = place and (place == "cuda") != (machine["platform"] == "gpu")
  on = f" on {place}" if elsewhere else ""
  processor = f"{machine['cores']} CPU cores"
  if machine["platform"] == "cpu" and machine["devices"] > 1:
    processor += f" as {machine['devices']} devices of jax"
  return (
    f"{machine['device']}, {processor}; jax {versions['jax']}, torch {versions['torch']}{on},"
    f" Python {machine['python']}; load before the run {machine['load_before']}"
  )


def cores() -> int:
  """CPU cores that this process may use."""
  return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def device_name() -> str:
  """The accelerator's name as jax knows it, else the CPU's model."""
  device = jax.devices()[0]
  if device.platform != "cpu":
    return device.device_kind
  info = pathlib.Path("/proc/cpuinfo")
  found = re.search(r"^model name\s*:\s*(.+)$", info.read_text(), re.M) if info.is_file() else None
  return found[1] if found else platform.processor() or platform.machine()


def equal_precision() -> None:
  """Lets PyTorch round products as jax does on a GPU, where both may use TF32."""
  if jax.devices()[0].platform == "gpu":
    import torch

    torch.set_float32_matmul_precision("high")


def peak_memory() -> int:
  """The most bytes this process has held: on the GPU if jax or PyTorch has used one, else in RAM.

  Linux hands the high-water mark of getrusage on to children; VmHWM is the process' own.
  """
  if jax.devices()[0].platform == "gpu":
    of_jax = (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use", 0)
    torch = sys.modules.get("torch")  # loaded, if it was what ran
    return max(of_jax, torch.cuda.max_memory_allocated() if torch else 0)
  status = pathlib.Path("/proc/self/status")
  if status.is_file():
    return 1024 * int(re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())[0])
  import resource

  return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _version(package: str) -> str:
  try:
    return importlib.metadata.version(package)
  except importlib.metadata.PackageNotFoundError:
    return "not installed"
