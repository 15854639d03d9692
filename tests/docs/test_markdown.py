"""Every Markdown file: tables render, links lead somewhere, and a test runs every command."""

import itertools
import pathlib
import re
import shlex
from collections.abc import Iterator

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from data_builders import build

ROOT = pathlib.Path(__file__).parents[2]
NOT_OURS = {".venv", ".cache", "build", "demo", "site"}
FILES = sorted(
  path
  for path in ROOT.rglob("*.md")
  if not any(part in NOT_OURS or part[0] == "." for part in path.relative_to(ROOT).parts[:-1])
)
NAMES = [path.relative_to(ROOT).as_posix() for path in FILES]
# Their commands and Python run in test_commands.py.
EXECUTED = ("README.md", "docs/")
# Commands of other files, and who runs them.
RUN_ELSEWHERE = {
  "make install": "what `make test` does",
  "make test": ".github/workflows/ci.yml",
  "make docs": "a step of its own in .github/workflows/ci.yml",
  "pre-commit install": "writes into .git; tests/docs/test_project_files.py checks its hooks",
  "pip install -c constraints.txt -e '.[test,peers]'": "needs the network and PyTorch",
  "python -m tests.benchmarks.loso": "half an hour; in small in tests/benchmarks",
  "python -m tests.benchmarks.startup": "as above",
  "python -m tests.benchmarks.features": "as above",
  "python -m tests.benchmarks.flow": "as above",
  "python -m tests.benchmarks.svm": "as above",
  "python -m tests.benchmarks.drawing": "as above",
  "python -m tests.benchmarks.convolutions": "as above",
}
# Languages of fences; a shell goes by one name, so that no block of commands is overlooked.
LANGUAGES = {"bash", "python", "diff"}
WIDTH = 120


def parse(text: str) -> list[Token]:
  return MarkdownIt("commonmark").enable("table").parse(text)


def lines_of(token: Token, text: str) -> list[str]:
  assert token.map
  return text.splitlines()[slice(*token.map)]


def cells(row: str) -> int:
  """How many cells a row of a table has."""
  return len(re.findall(r"(?<!\\)\|", row.strip().strip("|"))) + 1


def broken_tables(text: str) -> list[str]:
  """Rows outside of a table, and rows with more or fewer cells than the head of theirs."""
  found = []
  tokens = parse(text)
  for before, token in itertools.pairwise(tokens):
    if token.type == "inline" and before.type == "paragraph_open":
      found += [line for line in token.content.splitlines() if line.lstrip().startswith("|")]
    if before.type == "table_open":
      rows = lines_of(before, text)
      found += [row for row in rows if not row.startswith("|") or cells(row) != cells(rows[0])]
  return found


def links(text: str) -> Iterator[str]:
  """Targets of links and pictures."""
  for token in parse(text):
    for child in token.children or ():
      if child.type in ("link_open", "image"):
        yield str(child.attrs.get("href") or child.attrs.get("src"))


def anchors(text: str) -> set[str]:
  """Anchors of the headings, as git hosts make them."""
  tokens = parse(text)
  found: set[str] = set()
  for heading, token in itertools.pairwise(tokens):
    if heading.type == "heading_open":
      words = "".join(c.content for c in token.children or () if c.type in ("text", "code_inline"))
      slug = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
      number = sum(re.fullmatch(rf"{re.escape(slug)}(-\d+)?", known) is not None for known in found)
      found.add(f"{slug}-{number}" if number else slug)
  return found


def dead_links(path: pathlib.Path, text: str) -> list[str]:
  """Relative links to files that are not there, and to headings that their file does not have."""
  dead = []
  for link in links(text):
    if re.match(r"\w+:", link):
      continue
    name, _, anchor = link.partition("#")
    file = path.parent / name if name else path
    if not file.exists() or ROOT not in [file.resolve(), *file.resolve().parents]:
      dead.append(link)
    elif anchor:
      target = text if not name else file.read_text(encoding="utf-8")
      if file.suffix != ".md" or anchor not in anchors(target):
        dead.append(link)
  return dead


def unknown_commands(name: str, text: str) -> list[str]:
  """Commands that no test runs, and fences in a language that is not checked."""
  found = []
  for token in parse(text):
    language, *_ = [*token.info.split(), ""]
    if token.type == "fence" and language and language not in LANGUAGES:
      found.append(token.info)
    if token.type == "code_block" or (token.type == "fence" and not language):
      found += [line for line in token.content.splitlines() if is_command(line)]
    if token.type == "fence" and language == "bash" and not name.startswith(EXECUTED):
      found += [line for line in token.content.splitlines() if line not in RUN_ELSEWHERE]
  return found


def is_command(line: str) -> bool:
  return re.match(r"\s*(\$|mer_jax|python|pip|make|git) ", line) is not None


@pytest.fixture(params=FILES, ids=NAMES)
def file(request) -> pathlib.Path:
  return request.param


def test_all_are_found():
  assert {"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/index.md"} <= set(NAMES)
  assert sum(name.startswith("data_builders/") for name in NAMES) >= 4


def test_tables_render(file):
  assert broken_tables(file.read_text(encoding="utf-8")) == []


def test_links_lead_somewhere(file):
  assert dead_links(file, file.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith(EXECUTED)])
def test_lines_of_pages_are_short(name):
  lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
  long = [line for line in lines if len(line) > WIDTH]
  assert [line for line in long if not line.startswith(("|", "gcloud"))] == []


def test_commands_are_run_by_a_test(file):
  name = file.relative_to(ROOT).as_posix()
  found = unknown_commands(name, file.read_text(encoding="utf-8"))
  if name.startswith("data_builders/"):
    for command in found:
      program, subcommand, *arguments = shlex.split(command)
      assert (program, subcommand) == ("mer_jax", "build")
      options = build._parser().parse_args(arguments)
      assert options.dataset == file.parent.name
      assert build._configs(options.dataset, options.config)
    found = []
  assert found == []


def test_no_reason_is_left_over():
  texts = [path.read_text(encoding="utf-8") for path in FILES]
  for command in RUN_ELSEWHERE:
    assert any(re.search(rf"^{re.escape(command)}$", text, re.MULTILINE) for text in texts)


def test_the_readme_is_short():
  lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
  assert len(lines) <= 200


CUT = "| a | b |\n|---|---|\n| 1 | 2 |\n\n| 3 | 4 |\n"


@pytest.mark.parametrize(
  ("check", "text", "found"),
  [
    (broken_tables, CUT, ["| 3 | 4 |"]),
    (broken_tables, CUT.replace("\n\n", "\n"), []),
    (broken_tables, "| a | b |\n| 1 | 2 |\n", ["| a | b |", "| 1 | 2 |"]),
    (broken_tables, "| a | b |\n|---|---|\n| 1 | 2 | 3 |\n", ["| 1 | 2 | 3 |"]),
    (broken_tables, "| a | b |\n|---|---|\n| 1 |\n", ["| 1 |"]),
    (broken_tables, "| a | b |\n|---|---|\n| `x\\|y` | 2 |\n", []),
    (broken_tables, "| a | b |\n|---|---|\n| 1 | 2 |\ntext\n", ["text"]),
    (broken_tables, "```\n| a |\n```\n", []),
  ],
)
def test_broken_tables_are_seen(check, text, found):
  assert check(text) == found


@pytest.mark.parametrize(
  ("text", "found"),
  [
    ("[a](docs/data.md) and [b](https://x.org/y#z)", []),
    ("[a](docs/absent.md)", ["docs/absent.md"]),
    ("![a](notebooks/images/absent.png)", ["notebooks/images/absent.png"]),
    ("[a](docs/data.md#flow-archives)", []),
    ("[a](docs/data.md#absent)", ["docs/data.md#absent"]),
    ("# One, `two`: three\n\n[a](#one-two-three) [b](#one)", ["#one"]),
    ("[a](../outside.md)", ["../outside.md"]),
  ],
)
def test_dead_links_are_seen(text, found):
  assert dead_links(ROOT / "README.md", text) == found


@pytest.mark.parametrize(
  ("text", "found"),
  [
    ("```bash\nmake test\n```\n", []),
    ("```bash\nmake tests\n```\n", ["make tests"]),
    ("```sh\nmake test\n```\n", ["sh"]),
    ("```\nmake test\n```\n", ["make test"]),
    ("text\n\n    mer_jax train\n", ["mer_jax train"]),
    ("text\n\n    a listing\n", []),
  ],
)
def test_commands_that_nobody_runs_are_seen(text, found):
  assert unknown_commands("CONTRIBUTING.md", text) == found
