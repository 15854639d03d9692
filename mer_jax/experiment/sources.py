"""Which definitions of the code a training reaches, and their digests.

A run may go on with another version of the code as long as nothing differs that its training
reaches. Reached is every function, class and constant that a root names, that those name, and so
on; the roots are what the config looks up (model, input, protocol, optimiser) and the engine. The
tables in which the config looks them up are not followed: another entry changes no run.
"""

import ast
import functools
import hashlib
import importlib.util
import inspect
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

# Tables by module and name: what a config chooses from them is a root of its own.
TABLES = {
  ("mer_jax.models", "MODELS"),
  ("mer_jax.inputs", "INPUTS"),
  ("mer_jax.inputs.spotting", "APEXES"),
  ("mer_jax.protocols", "PROTOCOLS"),
  ("mer_jax.targets", "TARGETS"),
  ("mer_jax.training.losses", "LOSSES"),
  ("mer_jax.training.losses", "READS"),
}


class Definition(NamedTuple):
  """A name at the top level of a module: "mer_jax.training.fold", "train_step"."""

  module: str
  name: str


def digests(roots: Iterable[Callable[..., Any]]) -> dict[str, str]:
  """Digests of all definitions that `roots` (functions and classes) reach.

  Only definitions in the packages of the roots count; libraries are compared by version.

  Returns:
    "mer_jax/training/fold.py:train_step" -> the first 16 hexadecimal digits of sha256 of its code
    without comments, docstrings and layout.
  """
  starts = [_definition_of(root) for root in roots]
  packages = frozenset({"mer_jax", *(start.module.partition(".")[0] for start in starts)})
  pending, reached = list(starts), {}
  while pending:
    definition = pending.pop()
    if definition in reached or definition in TABLES:
      continue
    source = _module(definition.module)
    nodes = source.definitions.get(definition.name, []) if source else []
    reached[definition] = nodes
    for node in nodes:
      pending += _references(definition.module, node, packages)
  return {
    f"{definition.module.replace('.', '/')}.py:{definition.name}": _digest(tuple(nodes))
    for definition, nodes in sorted(reached.items())
    if nodes
  }


class _Module(NamedTuple):
  """Definitions by name, with the statements about them, and imported names.

  `imports` maps a name to a module and the name in it; to "" there where it is the module itself.
  """

  definitions: dict[str, list[ast.stmt]]
  imports: dict[str, tuple[str, str]]


def _definition_of(root: Callable[..., Any]) -> Definition:
  function = inspect.unwrap(root)
  return Definition(function.__module__, function.__qualname__.partition(".")[0])


@functools.cache
def _module(name: str) -> _Module | None:
  """The module `name` as parsed; None where there is no such module in Python."""
  path = _path(name)
  if path is None:
    return None
  tree = _without_docstrings(ast.parse(path.read_text(encoding="utf-8")))
  package = name if path.name == "__init__.py" else name.rpartition(".")[0]
  definitions: dict[str, list[ast.stmt]] = {}
  for node in tree.body:
    for defined in _defined_names(node):
      definitions.setdefault(defined, []).append(node)
  for node in tree.body:  # as f.defvjp(forward, backward)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
      for mentioned in _names(node):
        if mentioned in definitions:
          definitions[mentioned].append(node)
  return _Module(definitions, dict(_imports(tree, package)))


@functools.cache
def _path(module: str) -> pathlib.Path | None:
  try:
    spec = importlib.util.find_spec(module)
  except (ImportError, ValueError, AttributeError):
    return None
  if spec is None or not spec.origin or not spec.origin.endswith(".py"):
    return None
  return pathlib.Path(spec.origin)


def _defined_names(node: ast.stmt) -> list[str]:
  if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
    return [node.name]
  targets: list[ast.expr] = []
  if isinstance(node, ast.Assign):
    targets = node.targets
  elif isinstance(node, ast.AnnAssign):
    targets = [node.target]
  return [n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)]


def _imports(tree: ast.Module, package: str) -> Iterator[tuple[str, tuple[str, str]]]:
  for node in ast.walk(tree):
    if isinstance(node, ast.Import):
      for alias in node.names:
        name = alias.name if alias.asname else alias.name.partition(".")[0]
        yield alias.asname or name, (name, "")
    elif isinstance(node, ast.ImportFrom):
      above = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
      base = ".".join([*above, *([node.module] if node.module else [])])
      for alias in node.names:
        yield alias.asname or alias.name, (base, alias.name)


def _names(node: ast.AST) -> set[str]:
  return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


@functools.cache
def _references(module: str, node: ast.AST, packages: frozenset[str]) -> tuple[Definition, ...]:
  """The definitions that `node`, a part of `module`, names."""
  chains = filter(None, map(_chain, ast.walk(node)))
  resolved = (_resolve(module, chain, packages) for chain in chains)
  return tuple(definition for definition in resolved if definition is not None)


def _chain(node: ast.AST) -> list[str]:
  """["layers", "conv"] of `layers.conv`; empty for what is no name or attribute of a name."""
  attributes: list[str] = []
  while isinstance(node, ast.Attribute):
    attributes.append(node.attr)
    node = node.value
  return [node.id, *reversed(attributes)] if isinstance(node, ast.Name) else []


def _resolve(module: str, chain: list[str], packages: frozenset[str]) -> Definition | None:
  """The definition that `chain` names in `module`, through re-exports; None for any other name."""
  first, *rest = chain
  source = _module(module)
  if source is None:
    return None
  if first in source.definitions:
    return Definition(module, first)
  if first not in source.imports:
    within = f"{module}.{first}"  # a module of a package that is imported as a whole
    return _resolve(within, rest, packages) if rest and _path(within) is not None else None
  target, name = source.imports[first]
  if target.partition(".")[0] not in packages:
    return None
  if not name:
    return _resolve(target, rest, packages) if rest else None
  if _path(f"{target}.{name}") is not None:  # a module
    return _resolve(f"{target}.{name}", rest, packages) if rest else None
  return _resolve(target, [name], packages)


@functools.cache
def _digest(nodes: tuple[ast.stmt, ...]) -> str:
  """Of statements of a parsed module, which stay as they are."""
  text = "\n".join(map(ast.unparse, nodes))
  return hashlib.sha256(text.encode()).hexdigest()[:16]


def _without_docstrings(tree: ast.Module) -> ast.Module:
  """`tree` itself, changed."""
  for node in ast.walk(tree):
    is_documented = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    if is_documented and ast.get_docstring(node) is not None:
      node.body = node.body[1:] or [ast.Pass()]
  return tree
