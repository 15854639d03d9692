"""What the pages are made of: their templates, pictures within the page, settings as lines."""

import base64
import json
import types
from collections.abc import Mapping
from typing import Any, NamedTuple

import jinja2


class Figure(NamedTuple):
  """A picture of the page: the bytes of a PNG, and what it shows for those who cannot see it."""

  png: bytes
  alt: str

  @property
  def base64(self) -> str:
    return base64.b64encode(self.png).decode("ascii")


class Section(NamedTuple):
  """A section of report.html that belongs to another part of the package.

  Attributes:
    html: a rendered template.
    remark: what the banner on top of the page must hold of it; "" for nothing.
    figures: its pictures, which also become files.
  """

  html: str
  remark: str = ""
  figures: Mapping[str, Figure] = types.MappingProxyType({})


def template(name: str, package: str | None = "mer_jax.report") -> jinja2.Template:
  """The template `name` of `package`; it escapes its values, and an absent name fails."""
  environment = jinja2.Environment(
    loader=jinja2.PackageLoader(package or "mer_jax.report", "."),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
  )
  return environment.get_template(name)


def flat(value: Any, prefix: str = "") -> list[tuple[str, str]]:
  """Nested JSON as (dotted name, text), in its own order; a list of plain values is one line."""
  if not prefix and not value:
    return []
  if not prefix and isinstance(value, dict) and isinstance(value.get("config"), dict):
    # config.json keeps the config beside its hash; its fields are known without that prefix.
    value = {**value["config"], **{k: v for k, v in value.items() if k != "config"}}
  if isinstance(value, dict) and value:
    return [line for k, v in value.items() for line in flat(v, f"{prefix}.{k}" if prefix else k)]
  if isinstance(value, list) and any(isinstance(v, dict | list) for v in value):
    return [line for i, v in enumerate(value) for line in flat(v, f"{prefix}[{i}]")]
  if isinstance(value, list):
    return [(prefix, ", ".join(map(_text, value)))]
  return [(prefix, _text(value))]


def _text(value: Any) -> str:
  return value if isinstance(value, str) else json.dumps(value)
