"""Where a face moves: the displacement field of each action unit.

A field says where a point of the neutral face goes: displacement (u right, v down) at the place the
point starts from, in face widths at weight 1. Directions follow the muscles as FACS describes them;
amplitudes are relative within an expression, because the whole expression is scaled afterwards.

`fields` gives them one by one at any places; `displacement` their sum on a grid along the axes of
the face, fast enough to draw thousands of faces a second. Both read the same table of pulls, and
`displacement` takes arrays of jax as well as of numpy.
"""

from typing import Any

import numpy as np

from mer_jax.face.anatomy import Identity, Proportions

# FACS numbers of the action units that move a face here, in the order of arrays over A.
NUMBERS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 24, 25, 26)


def fields(names: list[str], person: Identity, x: np.ndarray, y: np.ndarray) -> np.ndarray:
  """float32 [A, *x.shape, 2]: displacement of each named AU ("L12") at the places (x, y).

  The left side of the person is at positive x; one muscle is written for that side and mirrored.
  No two people's muscles end in quite the same place or pull quite the same way (`anatomy`).
  """
  out = np.empty((len(names), *x.shape, 2), np.float32)
  for row, name in zip(out, names, strict=True):
    mirror = 1.0 if name[0] == "L" else -1.0
    right, down, growth, turn = person.anatomy[int(mirror < 0), int(name[1:])]
    cos, sin, spread = np.cos(turn), np.sin(turn), np.exp(growth)
    row[...] = 0.0
    for centre_x, centre_y, width, height, u, v in _bumps(int(name[1:]), person):
      across = (mirror * x - centre_x - right) / (width * spread)
      along = (y - centre_y - down) / (height * spread)
      bump = np.exp(-0.5 * (across**2 + along**2))
      row[..., 0] += mirror * (cos * u - sin * v) * bump
      row[..., 1] += (sin * u + cos * v) * bump
  return out


def displacement(person: Proportions, weights: Any, x: Any, y: Any) -> Any:
  """The motion of a whole expression on a grid, float [H, W, 2], in face widths.

  Every pull is a Gaussian along the axes of the face, hence a product of a row and a column, and
  the sum of all pulls is a product of two small matrices.

  Args:
    person: proportions and anatomy.
    weights: float [2, A], of the left side and of the right, AUs in the order of `NUMBERS`.
    x: float [W], places of the columns in face widths.
    y: float [H], places of the rows.
  """
  xp = x.__array_namespace__()
  owners = [unit for unit, number in enumerate(NUMBERS) for _ in _bumps(number, person)]
  bumps = [bump for number in NUMBERS for bump in _bumps(number, person)]
  centre_x, centre_y, width, height, u, v = (
    xp.stack([xp.asarray(value, dtype=x.dtype) for value in column])
    for column in zip(*bumps, strict=True)
  )
  mirror = xp.asarray([[1.0], [-1.0]], dtype=x.dtype)  # [2, 1] beside pulls [2, P]
  muscles = person.anatomy[:, [NUMBERS[unit] for unit in owners]]
  shift_x, shift_y, growth, turn = (muscles[..., i] for i in range(4))
  cos, sin, spread = xp.cos(turn), xp.sin(turn), xp.exp(growth)
  across = (mirror[..., None] * x - (centre_x + shift_x)[..., None]) / (width * spread)[..., None]
  along = (y - (centre_y + shift_y)[..., None]) / (height * spread)[..., None]
  right, down = mirror * (cos * u - sin * v), sin * u + cos * v
  pulls = (xp.stack([right, down]) * weights[:, owners]).reshape(2, -1, 1)
  columns = xp.exp(-0.5 * across**2).reshape(-1, len(x))
  rows = xp.exp(-0.5 * along**2).reshape(-1, len(y))
  return xp.moveaxis((pulls * rows).swapaxes(1, 2) @ columns, 0, -1)


_Bump = tuple[float, float, float, float, float, float]  # centre, width, height, direction


def _bumps(number: int, p: Identity | Proportions) -> list[_Bump]:
  """The pulls of one AU on the person's left side, each at the landmark its muscle ends at."""
  upper_face = _upper_face(p)
  return upper_face[number] if number in upper_face else _lower_face(p)[number]


def _upper_face(p: Identity | Proportions) -> dict[int, list[_Bump]]:
  """FACS' upper face: brows, lids and cheeks."""
  inner, outer = p.eye_x - 0.6 * p.brow_w, p.eye_x + 0.6 * p.brow_w
  return {
    # frontalis, inner and outer part
    1: [(inner, p.brow_y, 0.085, 0.080, 0.05, -1.0)],
    2: [(outer, p.brow_y, 0.095, 0.080, 0.05, -1.0)],
    # corrugator and depressor supercilii: down and together
    4: [(inner, p.brow_y, 0.080, 0.070, -0.55, 0.75), (p.eye_x, p.brow_y, 0.10, 0.06, -0.1, 0.35)],
    # levator palpebrae
    5: [(p.eye_x, -p.eye_h, 0.085, 0.035, 0.0, -0.8)],
    # orbicularis oculi, outer ring: cheek up, corner of the eye in
    6: [
      (p.eye_x + 0.05, 0.16, 0.110, 0.075, 0.0, -0.85),
      (p.eye_x + 1.3 * p.eye_w, 0.03, 0.055, 0.060, -0.5, -0.1),
    ],
    # orbicularis oculi, inner ring: lower lid up and inwards, upper lid a little down
    7: [
      (p.eye_x, p.eye_h + 0.02, 0.090, 0.032, -0.25, -0.75),
      (p.eye_x, -p.eye_h, 0.085, 0.028, 0.0, 0.35),
    ],
  }


def _lower_face(p: Identity | Proportions) -> dict[int, list[_Bump]]:
  """FACS' lower face: nose, lips, chin and jaw."""
  inner = p.eye_x - 0.6 * p.brow_w
  corner, lower = p.mouth_w, p.mouth_y + 0.7 * p.lip
  upper = p.mouth_y - 0.6 * p.lip
  return {
    # levator labii superioris alaeque nasi
    9: [
      (0.6 * p.nose_w, 0.6 * p.nose_y, 0.060, 0.085, 0.05, -0.9),
      (0.5 * corner, upper, 0.075, 0.050, 0.0, -0.4),
      (inner, p.brow_y + 0.04, 0.070, 0.060, -0.1, 0.35),
    ],
    # levator labii superioris
    10: [
      (0.5 * corner, upper, 0.085, 0.050, 0.05, -0.95),
      (1.1 * p.nose_w, p.nose_y - 0.02, 0.060, 0.070, 0.15, -0.5),
    ],
    # zygomaticus major: corner out and up, cheek follows
    12: [
      (corner, p.mouth_y, 0.085, 0.070, 0.65, -0.8),
      (corner + 0.09, p.mouth_y - 0.16, 0.090, 0.080, 0.15, -0.35),
    ],
    # buccinator: the cheek beside the corner is drawn in, the corner tightens
    14: [
      (corner + 0.085, p.mouth_y, 0.065, 0.070, -0.85, 0.05),
      (corner - 0.01, p.mouth_y, 0.040, 0.045, 0.45, 0.0),
    ],
    # depressor anguli oris
    15: [(corner, p.mouth_y + 0.02, 0.075, 0.070, 0.1, 0.95)],
    # mentalis, at the midline: chin boss and lower lip up (half from either side)
    17: [(0.03, p.mouth_y + 0.20, 0.100, 0.080, 0.0, -0.5), (0.04, lower, 0.09, 0.035, 0.0, -0.3)],
    # risorius: corners straight back
    20: [(corner, p.mouth_y + 0.01, 0.080, 0.065, 0.9, 0.15)],
    # orbicularis oris: lips narrow (23) or pressed together (24)
    23: [
      (0.35 * corner, upper, 0.080, 0.030, -0.15, 0.40),
      (0.35 * corner, lower, 0.080, 0.030, -0.15, -0.40),
      (corner, p.mouth_y, 0.055, 0.050, -0.5, 0.0),
    ],
    24: [
      (0.40 * corner, upper - 0.02, 0.100, 0.035, 0.0, 0.55),
      (0.40 * corner, lower + 0.02, 0.100, 0.035, 0.0, -0.65),
    ],
    # lips part (25), jaw drops (26), half from either side
    25: [(0.04, lower, 0.100, 0.035, 0.0, 0.5), (0.04, upper, 0.09, 0.030, 0.0, -0.15)],
    26: [(0.04, p.mouth_y + 0.19, 0.150, 0.130, 0.0, 0.55)],
  }
