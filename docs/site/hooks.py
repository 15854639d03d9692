"""What the site takes from the checkout outside of docs/, and how its links are turned.

The pages are written for a git host, where a link may lead to any file of the checkout. On the site
pictures and the pages of `PAGES` are copied in; of a link to anything else only its text stays.
"""

import pathlib
import posixpath
import re

from mkdocs.structure.files import File
from pymdownx import slugs

ROOT = pathlib.Path(__file__).parents[2]
PAGES = ("CONTRIBUTING.md", "CHANGELOG.md")
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
ENTRY = re.compile(r"^<!-- api: (\S+)(?: as (\S+))? -->$", re.MULTILINE)


def on_config(config):
  """Gives headings the anchors that they have on a git host, so that links hold in both places."""
  config.mdx_configs["toc"]["slugify"] = slugs.slugify(case="lower")
  return config


def on_files(files, config):
  """Adds what lies outside of docs/ or, as the style, beside this file."""
  style = pathlib.Path(__file__).with_name("site.css")
  files.append(File.generated(config, style.name, abs_src_path=str(style)))
  for name in PAGES:
    files.append(File.generated(config, name, content=(ROOT / name).read_text(encoding="utf-8")))
  for path in sorted((ROOT / "notebooks" / "images").glob("*.png")):
    name = path.relative_to(ROOT).as_posix()
    files.append(File.generated(config, name, abs_src_path=str(path)))
  return files


def on_page_markdown(markdown, page, config, files):
  """Turns links, and entries of the API page into what mkdocstrings reads."""
  folder = "" if page.file.src_uri in PAGES else "docs"
  parts = FENCE.split(markdown)
  parts[::2] = [LINK.sub(lambda link: _turned(link, folder, files), part) for part in parts[::2]]
  return ENTRY.sub(_entry, "".join(parts))


def _turned(link: re.Match[str], folder: str, files) -> str:
  mark, text, target = link.groups()
  if "://" in target or target.startswith("#"):
    return link[0]
  path, hash_, anchor = target.partition("#")
  path = posixpath.normpath(posixpath.join(folder, path))
  on_site = path.removeprefix("docs/")
  # A link that is dead everywhere stays one, so that the build ends with a warning.
  if files.get_file_from_path(on_site) is None and (ROOT / path).exists():
    return text
  return f"{mark}[{text}]({on_site}{hash_}{anchor})"


def _entry(entry: re.Match[str]) -> str:
  name, shown = entry.groups()
  lines = [f"::: {name}", "    options:", f"      heading: {shown or name}"]
  if shown:
    lines.append(f"      toc_label: {shown}")
  return "\n".join([*lines, ""])
