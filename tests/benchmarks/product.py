"""The yardstick: float32 products of square matrices, in jax and in PyTorch."""

import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import torch

from .torch_loop import torch_device

# Size, and products in a row that one timing takes.
SIZES, QUICK_SIZES = {2048: 8, 4096: 2}, {64: 2, 128: 2}


def products(quick: bool) -> dict[str, Callable[[], float]]:
  """By name, what multiplies two matrices and returns the GFLOP/s."""
  found = {}
  for n, repeats in (QUICK_SIZES if quick else SIZES).items():
    found[f"jax {n}"], found[f"torch {n}"] = _in_jax(n, repeats), _in_torch(n, repeats)
  return found


def _matrices(n: int) -> np.ndarray:
  return np.random.default_rng(0).standard_normal((2, n, n), np.float32)


def _in_jax(n: int, repeats: int) -> Callable[[], float]:
  a, b = map(jnp.asarray, _matrices(n))
  product = jax.jit(jnp.matmul)

  def multiply() -> None:
    jax.block_until_ready([product(a, b) for _ in range(repeats)])

  return _rate(multiply, n, repeats)


def _in_torch(n: int, repeats: int) -> Callable[[], float]:
  device = torch_device()
  a, b = torch.tensor(_matrices(n), device=device)

  def multiply() -> None:
    for _ in range(repeats):
      torch.matmul(a, b)
    if device.type == "cuda":
      torch.cuda.synchronize()

  return _rate(multiply, n, repeats)


def _rate(multiply: Callable[[], None], n: int, repeats: int) -> Callable[[], float]:
  multiply()

  def rate() -> float:
    start = time.perf_counter()
    multiply()
    return 2e-9 * repeats * n**3 / (time.perf_counter() - start)

  return rate
