"""Files as crashes, editors and strangers leave them."""

import json
import random
from typing import Any

# What stands where something else was expected.
VALUES = (
  *(None, True, -1, 0, 1, 0.5, 2**31, 2**32, 10**20, -(10**20), 1e308, float("nan"), float("inf")),
  *("", "x", "\ud800", "é" * 40, "../x", "1", "\x00", "a,b", "<b>", "{}"),
  *([], [1], [[]], {}, {"x": 1}, (1, 2), ("a",), (0,), (-1.5, 3)),
)
BYTES = (b"", b"\xff", b"\x00", b"\n", b'"', b"{", b"[" * 3000, b"\xef\xbb\xbf", b"9" * 400, b"\r")


def value(draw: random.Random) -> Any:
  """One of `VALUES`, or a number of any size."""
  sized = draw.choice((-1, 1)) * draw.randrange(10 ** draw.randrange(1, 12))
  return draw.choice((*VALUES, sized, draw.uniform(-2, 2)))


def like(draw: random.Random, old: Any) -> Any:
  """Mostly a value of the type that `old` has, and near it; else one of any kind."""
  if draw.random() < 0.35:
    return value(draw)
  if isinstance(old, bool):
    return not old
  if isinstance(old, int):
    return draw.choice((0, -1, 1, 2, old + 1, old - 1, 1000 * old + 7, 2**31 - 1, 2**32 - 1))
  if isinstance(old, float):
    return draw.choice((0.0, -0.5, 0.5, 1.0, 2 * old, old / 3, 1e-30, 1e30, -1e30))
  if isinstance(old, str):
    return draw.choice((f"{old}x", old[1:], old.upper(), old[::-1], f"{old}\ud800", f"{old} ", ""))
  if isinstance(old, list | tuple):
    kind, old = type(old), list(old)
    replaced = [like(draw, old[0]), *old[1:]] if old else [value(draw)]
    return kind(draw.choice((old[1:], old + old, old[::-1], replaced)))
  return value(draw)


def text(draw: random.Random, data: bytes) -> bytes:
  """`data` with a few bytes cut off, replaced, doubled or put in."""
  for _ in range(draw.randrange(1, 4)):
    at = draw.randrange(len(data) + 1)
    end = min(len(data), at + draw.randrange(1, 60))
    data = draw.choice(
      (
        data[:at],
        data[:at] + draw.choice(BYTES) + data[at:],
        data[:at] + draw.choice(BYTES) + data[end:],
        data[:end] + data[at:],
        data[:at] + bytes(draw.randrange(256) for _ in range(3)) + data[at + 3 :],
      )
    )
  return data


def json_text(draw: random.Random, data: bytes) -> bytes:
  """JSON with one value replaced, removed or added; or as `text` leaves it."""
  try:
    content = json.loads(data)
  except ValueError:
    return text(draw, data)
  if draw.random() < 0.15:
    return text(draw, data)
  holder, key = _place(draw, content)
  if holder is None:
    content = value(draw)
  elif draw.random() < 0.2 and isinstance(holder, dict):
    del holder[key]
  else:
    holder[key] = like(draw, holder[key])
  return json.dumps(content, indent=2).encode()


def lines(draw: random.Random, data: bytes, separator: bytes = b",") -> bytes:
  """A table with a cell replaced, or lines doubled, moved or left out; or as `text` leaves it."""
  if draw.random() < 0.15:
    return text(draw, data)
  rows = data.splitlines()
  for _ in range(draw.randrange(1, 4)):
    at = draw.randrange(len(rows))
    cells = rows[at].split(separator)
    place = draw.randrange(len(cells))
    cells[place] = _cell(draw, cells[place].decode("utf-8", "replace"))
    rows = draw.choice(
      (
        [*rows[:at], separator.join(cells), *rows[at + 1 :]],
        [*rows[:at], *rows[at + 1 :]] or rows,
        [*rows, rows[at]],
        [*rows[:at], separator.join([*rows[at].split(separator), b"x"]), *rows[at + 1 :]],
      )
    )
  return b"\n".join(rows) + b"\n"


def _cell(draw: random.Random, old: str) -> bytes:
  for kind in (int, float):
    try:
      return str(like(draw, kind(old))).encode("utf-8", "surrogatepass")
    except ValueError:
      continue
  return str(like(draw, old)).encode("utf-8", "surrogatepass")


def _place(draw: random.Random, content: Any) -> tuple[Any, Any]:
  """A container within `content` and one of its keys; None where there is none."""
  holder, key = None, None
  while isinstance(content, dict | list) and content:
    keys = list(content) if isinstance(content, dict) else range(len(content))
    holder, key = content, draw.choice(keys)
    content = content[key]
    if draw.random() < 0.3:
      break
  return holder, key
