"""What this package compiles is right where a release of XLA is not."""

import ast
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from mer_jax import models

ROOT = pathlib.Path(__file__).parents[2]


def optimised(*arguments):
  """What a process prints that optimises its programs, as users do and other tests do not."""
  environment = {key: value for key, value in os.environ.items() if key != "XLA_FLAGS"}
  done = subprocess.run(
    [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True
  )
  assert done.returncode == 0, done.stderr
  return done.stdout


REPRODUCTION = """
import jax, jax.numpy as jnp
from mer_jax.runtime import xla_guard
x = jnp.stack((jnp.arange(40000.0), jnp.zeros(40000), jnp.zeros(40000)), axis=1)
squares = xla_guard.jit(jax.vmap(lambda row: jnp.sum((jnp.eye(3) @ row) ** 2)))
print(*squares(x))
"""


def test_the_reproduction_of_jax_issue_39103_equals_float64():
  values = np.array(optimised("-c", REPRODUCTION).split(), np.float64)
  np.testing.assert_allclose(values, np.arange(40000.0) ** 2, rtol=1e-6)


BROADCAST = """
import jax, jax.numpy as jnp, numpy as np
from mer_jax.runtime import xla_guard
rng = np.random.default_rng(7)
rows, weights = rng.random((5, 257, 100)) + 0.5, rng.random((5, 257, 8)) + 0.5
squares = lambda xp, rows, weights: (
  (xp.matmul(rows, xp.broadcast_to(xp.asarray(0.5, rows.dtype), (5, 100, 8))) * weights) ** 2
).sum(axis=1)
expected = squares(np, rows, weights)
compiled = xla_guard.jit(lambda *arrays: squares(jnp, *arrays))
computed = np.asarray(compiled(np.float32(rows), np.float32(weights)))
print(np.abs(computed / expected - 1).max())
"""


def test_a_product_with_a_broadcast_operand_equals_float64():
  """What 0.11.2 and 0.12 get wrong without the guard."""
  assert float(optimised("-c", BROADCAST)) < 1e-5


@pytest.mark.parametrize("name", models.MODELS)
def test_loss_and_gradients_of_every_model_are_the_same_with_and_without_fusion(name):
  """Beyond 32,768 rows; and those of float64."""
  differences = json.loads(optimised("tests/runtime/numbers_of_models.py", name))
  assert max(differences.values()) < 2e-4, differences


OPTIONS = """
import json
from mer_jax.runtime import xla_guard
releases = ("0.10.0", "0.10.1", "0.10.2", "0.11.0", "0.11.2", "0.12.0.1")
print(json.dumps({release: xla_guard.compiler_options(release) for release in releases}))
"""


def test_releases_that_fuse_are_guarded():
  """As users have it: these tests themselves run without the guard (tests/conftest.py)."""
  options = json.loads(optimised("-c", OPTIONS))
  assert [release for release, given in options.items() if not given] == ["0.10.0", "0.10.1"]
  assert all(
    given in ({}, {"xla_cpu_experimental_ynn_fusion_type": ""}) for given in options.values()
  )


def test_every_program_of_the_package_is_compiled_with_the_guard():
  """`jax.jit` stands in the guard, where bytes are passed on between processes, and in the export.

  An export is not compiled here, and not by these options where it is.
  """
  using = set()
  for path in (ROOT / "mer_jax").rglob("*.py"):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
      if isinstance(node, ast.Attribute) and ast.unparse(node) == "jax.jit":
        using.add(path.relative_to(ROOT).as_posix())
  assert using == {
    "mer_jax/runtime/xla_guard.py",
    "mer_jax/runtime/distributed/arrays.py",
    "mer_jax/recognizer/export.py",
  }
