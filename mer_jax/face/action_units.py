"""Where a face moves: the displacement field of each action unit.

A field says where a point of the neutral face goes: displacement (u right, v down) at the place the
point starts from, in face widths at weight 1. Directions follow the muscles as FACS describes them;
amplitudes are relative within an expression, because the whole expression is scaled afterwards.
"""

import numpy as np

from mer_jax.face.anatomy import Identity


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


_Bump = tuple[float, float, float, float, float, float]  # centre, width, height, direction


def _bumps(number: int, p: Identity) -> list[_Bump]:
  """The pulls of one AU on the person's left side, each at the landmark its muscle ends at."""
  upper_face = _upper_face(p)
  return upper_face[number] if number in upper_face else _lower_face(p)[number]


def _upper_face(p: Identity) -> dict[int, list[_Bump]]:
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


def _lower_face(p: Identity) -> dict[int, list[_Bump]]:
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
