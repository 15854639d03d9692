"""The outline of the house: who may import whom, how long things are, what may stand in a file."""

import ast
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
# Imports only ever point upwards in this list, which is that of CONTRIBUTING.md.
ORDER = (
  *("errors", "checks", "clips", "runtime", "face", "protocols", "targets", "inputs", "video"),
  *("models", "svm", "training", "recognizer", "evaluation", "report", "experiment", "cli"),
)
# What data_builders may use of mer_jax.
FOR_BUILDERS = {"errors", "checks", "clips", "runtime", "face", "inputs", "video"}
# Other files of mer_jax/: the door, and the mark of a package with types.
BESIDE = {"__init__", "__main__", "py"}
MOST_ENTRIES = 20
LONGEST_FILE, LONGEST_FUNCTION, LONGEST_RUN, MOST_PARAMETERS = 320, 60, 80, 8
# Lines of a function with its docstring: none longer, and nine of ten no longer.
LONGEST_WITH_DOCSTRING, NINE_OF_TEN = 80, 30
MODULES = sorted([*ROOT.glob("mer_jax/**/*.py"), *ROOT.glob("data_builders/**/*.py")])


def name_of(path: pathlib.Path) -> str:
  return path.relative_to(ROOT).as_posix()


def imports_of(source: str, package: str) -> set[str]:
  """Dotted names of everything imported anywhere in `source`, a module of `package`."""
  found = set()
  for node in ast.walk(ast.parse(source)):
    if isinstance(node, ast.Import):
      found |= {alias.name for alias in node.names}
    elif isinstance(node, ast.ImportFrom):
      above = package.split(".")[: 1 - node.level or None] if node.level else []
      base = ".".join([*above, *([node.module] if node.module else [])])
      found |= {f"{base}.{alias.name}" for alias in node.names}
  return found


def layers_of(imported: set[str]) -> set[str]:
  """The first component below mer_jax of each import: "mer_jax.models.layers" -> "models"."""
  parts = [name.split(".") for name in imported]
  return {name[1] for name in parts if name[0] == "mer_jax" and len(name) > 1}


def allowed(layer: str) -> set[str]:
  return {*ORDER[: ORDER.index(layer) + 1], "__version__"}


def violations(path: str, source: str) -> list[str]:
  """What the module `path` ("mer_jax/models/ststnet.py") imports and must not."""
  parts = path.removesuffix(".py").split("/")
  package = ".".join(parts[:-1])
  imported = imports_of(source, package)
  tops = {name.split(".")[0] for name in imported}
  if parts[0] == "data_builders":
    # Builders draw faces and may compute inputs; nothing of theirs depends on an experiment.
    wrong = layers_of(imported) - FOR_BUILDERS
  elif parts[1] in BESIDE:
    wrong = layers_of(imported) - {"cli", "experiment"}
  elif parts[1] not in ORDER:
    wrong = {f"{parts[1]} is not in the outline"}
  else:
    wrong = layers_of(imported) - allowed(parts[1])
    wrong |= tops & {"configs"}
    # The commands that build and draw corpora are offered lazily, inside functions.
    wrong |= tops & {"data_builders"} if parts[1] != "cli" else set()
  return sorted(wrong | (tops & {"tests", "notebooks"}))


def test_every_module_has_a_place():
  entries = [p for p in (ROOT / "mer_jax").iterdir() if p.name != "__pycache__"]
  present = {p.stem if p.is_file() else p.name for p in entries}
  assert present == {*ORDER, *BESIDE}
  assert len(entries) <= MOST_ENTRIES


def test_the_outline_of_contributing_is_this_order():
  text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
  outline = re.findall(r"^    mer_jax/(\w+)(?:\.py|/) ", text, re.MULTILINE)
  assert outline == list(ORDER)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_only_point_upwards(path):
  assert violations(name_of(path), path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
  ("path", "source", "wrong"),
  [
    ("mer_jax/models/new.py", "from mer_jax.training import fold", ["training"]),
    ("mer_jax/models/new.py", "from mer_jax import training as t, errors", ["training"]),
    ("mer_jax/models/new.py", "def f():\n  import mer_jax.report.page", ["report"]),
    ("mer_jax/models/new.py", "from ..training import fold", ["training"]),
    ("mer_jax/models/new.py", "from . import layers", []),
    ("mer_jax/inputs/new.py", "import data_builders.frames", ["data_builders"]),
    ("mer_jax/clips/structure.py", "from mer_jax import protocols", ["protocols"]),
    ("mer_jax/clips/structure.py", "from mer_jax.runtime import atomic", ["runtime"]),
    ("mer_jax/training/loop.py", "from mer_jax.experiment.settings import default", ["experiment"]),
    ("mer_jax/cli/build.py", "def f():\n  from data_builders import build", []),
    ("mer_jax/utils.py", "", ["utils is not in the outline"]),
    ("data_builders/new/parse.py", "from mer_jax import models", ["models"]),
    ("data_builders/new/parse.py", "from mer_jax.inputs import flow", []),
  ],
)
def test_the_check_sees_what_it_should(path, source, wrong):
  assert violations(path, source) == wrong


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef, lines: list[str]) -> int:
  """Lines of a function without its docstring, comments and blank lines."""
  has_docstring = ast.get_docstring(function) is not None
  skipped = range(0)
  if has_docstring:
    skipped = range(function.body[0].lineno, (function.body[0].end_lineno or 0) + 1)
  own = range(function.lineno, (function.end_lineno or 0) + 1)
  texts = [lines[n - 1].strip() for n in own if n not in skipped]
  return sum(1 for text in texts if text and not text.startswith("#"))


def test_run_fits_on_a_screen():
  """The experiment reads from top to bottom, its docstring included."""
  module = ast.parse((ROOT / "mer_jax/experiment/run.py").read_text(encoding="utf-8"))
  (run,) = (n for n in module.body if isinstance(n, ast.FunctionDef) and n.name == "run")
  assert (run.end_lineno or 0) - run.lineno + 1 < LONGEST_RUN


def functions_of(source: str) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
  kinds = ast.FunctionDef | ast.AsyncFunctionDef
  return [node for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)]


def parameters_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
  """Parameters without self, cls and the stars."""
  arguments = function.args
  names = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
  return len(names) - (names[:1] in (["self"], ["cls"]))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_files_and_functions_stay_short(path):
  source = path.read_text(encoding="utf-8")
  assert len(source.splitlines()) <= LONGEST_FILE
  functions = functions_of(source)
  lengths = {node.name: code_lines(node, source.splitlines()) for node in functions}
  assert {name: n for name, n in lengths.items() if n > LONGEST_FUNCTION} == {}
  counts = {node.name: parameters_of(node) for node in functions}
  assert {name: n for name, n in counts.items() if n > MOST_PARAMETERS} == {}


def test_most_functions_fit_a_glance():
  lengths = sorted(
    (node.end_lineno or 0) - node.lineno + 1
    for path in MODULES
    if path.name != "settings.py"  # its `default` is the list of all fields
    for node in functions_of(path.read_text(encoding="utf-8"))
  )
  assert lengths[-1] <= LONGEST_WITH_DOCSTRING
  assert lengths[len(lengths) * 9 // 10] <= NINE_OF_TEN


# Names of concepts that were given up, see CONTRIBUTING.md: none comes back.
OLD_NAMES = re.compile(
  r"\b(?:rehearsal|mer_jax\.(?:study|tables|learning|options|prepared|selection)|settings\.table"
  r"|config\.rows|add_row|compared_page)\b"
)
PRIVATE = re.compile(r"\bjax\._src\b")
PICKLE = re.compile(r"^\s*(?:import|from) (?:pickle|cloudpickle|dill|shelve|marshal)\b", re.M)


def test_old_names_are_gone():
  own = {pathlib.Path(__file__).name, "CHANGELOG.md"}
  texts = {p: p.read_text("utf-8", errors="replace") for p in tracked_texts() if p.name not in own}
  assert [name_of(p) for p, text in texts.items() if OLD_NAMES.search(text)] == []


def test_private_modules_of_jax_are_touched_in_one_file_and_nothing_is_pickled():
  sources = {name_of(path): path.read_text(encoding="utf-8") for path in MODULES}
  private = [name for name, text in sources.items() if PRIVATE.search(text)]
  assert private == ["mer_jax/runtime/jax_private.py"]
  assert [name for name, text in sources.items() if PICKLE.search(text)] == []
  assert [name for name, text in sources.items() if "contextvars" in text] == []


def test_importing_the_package_is_quick():
  # By what it loads, not by the clock: none of these is needed to read an error in a flag.
  heavy = ("jax", "flax", "tensorflow_datasets", "matplotlib", "cv2", "orbax")
  code = f"import sys, mer_jax; print([m for m in {heavy!r} if m in sys.modules])"
  assert _python("-c", code).strip() == "[]"


def test_every_module_can_be_imported_first():
  """Imports that point upwards cannot form a circle; this is the proof on the real thing."""
  names = [name_of(p).removesuffix(".py").removesuffix("/__init__") for p in MODULES]
  names = [n.replace("/", ".") for n in names if not n.endswith("__main__")]
  layers = sorted({".".join(n.split(".")[:2]) for n in names})
  code = "import importlib, sys; importlib.import_module(sys.argv[1])"
  for name in layers:
    _python("-W", "error::DeprecationWarning:mer_jax", "-c", code, name)


def tracked_texts() -> list[pathlib.Path]:
  listed = subprocess.run(
    ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", "-z"],
    capture_output=True,
    check=False,
  )
  if listed.returncode:
    pytest.skip("not a git checkout, so there is no list of its files")
  paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
  return [p for p in paths if p.is_file() and b"\0" not in p.read_bytes()[:8192]]


# Spelt in two parts so that this file does not contain what it forbids.
FORBIDDEN = re.compile(
  "|".join(
    [
      r"(?<![\w.{}])/(?:" + "work|root|opt" + r")/",
      r"(?<![\w.{}])/home/\w",
      r"(?<![\w.{}])/" + r"Users/\w",
      r"\b(?:index|extra-index)-url\b",
      r"\bsimple/[a-z]",
    ]
  )
)


def test_no_machine_paths_and_no_registry_hosts():
  found = []
  for path in tracked_texts():
    for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1):
      if path.name != pathlib.Path(__file__).name and FORBIDDEN.search(line):
        found.append(f"{name_of(path)}:{number}: {line.strip()[:120]}")
  assert found == []


@pytest.mark.parametrize(
  "line", ["cd /" + "work/main", "'/" + "root/.cache'", "--index-" + "url=x", "/" + "home/me/x"]
)
def test_forbidden_strings_are_recognised(line):
  assert FORBIDDEN.search(line)


def test_nothing_at_the_top_level_but_the_house():
  allowed_here = {
    *("mer_jax", "configs", "data_builders", "tests", "notebooks", "setup.cfg", "README.md"),
    *("pyproject.toml", "Makefile", "constraints.txt", "LICENSE", "CITATION.cff"),
    *("CONTRIBUTING.md", "CHANGELOG.md", "docs", ".github", ".pre-commit-config.yaml"),
    *(".gitignore", ".gitattributes", ".ci", "paper"),
  }
  tops = {p.relative_to(ROOT).parts[0] for p in tracked_texts()}
  assert tops <= allowed_here


def _python(*arguments: str) -> str:
  done = subprocess.run(
    [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
  )
  assert done.returncode == 0, done.stderr
  return done.stdout
