"""Action units as sheets write them, and the labels and folds of CD6ME."""

import numpy as np
import pytest
from annotated_clips import annotated
from hypothesis import given
from hypothesis import strategies as st

from mer_jax.errors import DataError, ProtocolError
from mer_jax.protocols.action_units import parse
from mer_jax.protocols.cd6me import ACTION_UNITS, CLIPS, DECIDED, POSITIVES, cd6me, label


@pytest.mark.parametrize(
  ("cell", "certain", "open_", "uncertain"),
  [
    ("", [], [], []),
    ("?", [], [], []),
    ("4", [4], [], []),
    ("4.0", [4], [], []),
    ("4+L7", [4, 7], [], []),
    ("R12", [12], [], []),
    ("AU4", [4], [], []),
    ("au 4 + AU12 ", [4, 12], [], []),
    ("12+15 ", [12, 15], [], []),
    ("A/L12", [12], [], []),
    ("4A/B", [4], [], []),
    ("L12/R12", [12], [], []),
    ("ref(7B)+43C", [7, 43], [], []),
    ("T18+39", [18, 39], [], []),
    ("R14+17+soft focus", [14, 17], [], []),
    ("1，2", [1, 2], [], []),
    ("1, 2", [1, 2], [], []),
    ("4 or 5", [], [{4, 5}], []),
    ("12/14", [], [{12, 14}], []),
    ("(R6 or R12)+R15", [15], [{6, 12}], []),
    ("L12 OR L14", [], [{12, 14}], []),
    ("R14A or 17A or 24A", [], [{14, 17, 24}], []),
    ("AU1+AU12(k)", [1], [], [12]),
    ("4 (K)+5", [5], [], [4]),
  ],
)
def test_cells(cell, certain, open_, uncertain):
  parsed = parse(cell)
  assert parsed.certain == set(certain)
  assert list(parsed.open) == open_
  assert parsed.uncertain == set(uncertain)


@pytest.mark.parametrize("cell", ["12 14", "123", "4.5", "4+112", "AU4 AU5", "20140508"])
def test_cells_that_are_no_action_units(cell):
  with pytest.raises(DataError, match=r"expected numbers of at most two digits"):
    parse(cell)


@given(
  st.text(st.sampled_from("0123456789 +/.()LRABTkorAU?,é²"), max_size=12) | st.text(max_size=12)
)
def test_nothing_but_a_data_error(cell):
  try:
    parsed = parse(cell)
  except DataError:
    return
  assert all(0 <= unit < 100 for unit in parsed.certain | parsed.uncertain)
  assert all(len(units) > 1 for units in parsed.open)


@given(
  st.lists(st.tuples(st.integers(1, 69), st.sampled_from(["", "L", "R", "A", "AU", "T", "B"]))),
  st.sampled_from(["+", " + ", ",", "; "]),
)
def test_written_units_are_read(units, sign):
  assert parse(sign.join(f"{side}{unit}" for unit, side in units)).certain == {u for u, _ in units}


def rows_of(counts: dict[str, int]) -> list[tuple[str, str, str, str]]:
  return [
    (d, f"s{n % 3}", f"c{n:03d}", "others") for d, count in counts.items() for n in range(count)
  ]


def test_labels_are_the_units_in_their_order():
  clips = annotated(rows_of({"samm": 4}), action_units=["1+R2", "12+43", "", "17 or 15"])
  labels, remarks = label(clips)
  assert labels.dtype == bool
  shown = [{u for u, there in zip(ACTION_UNITS, row, strict=True) if there} for row in labels]
  assert shown == [{1, 2}, {12}, set(), set()]
  assert "samm/s0/c003 (17 or 15)" in remarks[0]
  assert "1 of 4 clips have no action unit" in remarks[1]
  assert label(clips, units=(43,))[0][:, 0].tolist() == [False, True, False, False]


def test_what_the_authors_decided_counts():
  rows = [tuple([*name.split("/"), "others"]) for name in DECIDED]
  cells = ["(R6 or R12)+R15", "6 or 12", "L12 or L14", "12/14", "R14A or 17A or 24A"]
  labels, remarks = label(annotated(rows, action_units=cells))
  column = {u: labels[:, a].tolist() for a, u in enumerate(ACTION_UNITS)}
  assert column[12] == [True, True, False, False, False]
  assert column[14] == [False, False, True, True, True]
  assert column[6] == column[17] == [False] * 5
  assert column[15] == [True, False, False, False, False]
  assert remarks == []


def test_uncertain_units_do_not_count():
  labels, remarks = label(annotated(rows_of({"4dme": 2}), action_units=["4(k)+1", "43(k)"]))
  assert labels.sum() == 1
  assert remarks == ["Units that the coders were unsure of do not count: 4dme/s0/c000."]


def test_a_cell_that_cannot_be_read_names_its_clip():
  clips = annotated(rows_of({"samm": 1, "casme2": 1}), action_units=["4", "1212"])
  with pytest.raises(DataError, match=r"casme2/s0/c000: The action units '1212'"):
    cd6me(clips, allow_incomplete=True)


def official_cells() -> list[str]:
  """Units dealt out so that each is shown as often as in the six corpora."""
  cells = [set() for _ in range(sum(CLIPS.values()))]
  at = 0
  for unit, count in POSITIVES.items():
    for _ in range(count):
      cells[at % len(cells)].add(unit)
      at += 1
  return ["+".join(map(str, sorted(cell))) or "?" for cell in cells]


def test_the_complete_corpora():
  clips = annotated(rows_of(CLIPS), action_units=official_cells())
  split = cd6me(clips)
  assert split.labels.shape == (2031, 12)
  assert dict(zip(split.action_units, split.labels.sum(axis=0), strict=True)) == POSITIVES
  assert split.fold_names == ("4dme", "casme", "casme2", "casme3", "mmew", "samm")
  assert dict(zip(split.fold_names, split.held_out.sum(axis=1), strict=True)) == CLIPS
  assert np.all(split.held_out.sum(axis=0) == 1)
  assert any("of 2031: AU1 304, AU2 280" in remark for remark in split.remarks)
  cells = official_cells()
  cells[0] = "1+2"  # AU2 is one too many, AU4 stays as it is
  with pytest.raises(ProtocolError, match=r"The action units are other ones: AU2 281 of 280"):
    cd6me(annotated(rows_of(CLIPS), action_units=cells))


def test_incomplete_corpora():
  clips = annotated(rows_of({"casme2": 4, "samm": 159}), action_units=["4"] * 163)
  with pytest.raises(
    ProtocolError, match=r"not those of CD6ME\. casme: no clip.*casme2: 4 clips, off"
  ):
    cd6me(clips)
  split = cd6me(clips, allow_incomplete=True)
  assert split.held_out.sum(axis=1).tolist() == [4, 159]
  assert sum("Not the complete corpus (CD6ME)" in remark for remark in split.remarks) == 5


def test_bad_input_is_refused():
  with pytest.raises(ProtocolError, match="Unknown corpus in CD6ME 'smic'"):
    cd6me(annotated(rows_of({"smic": 2})))
  with pytest.raises(ProtocolError, match="all clips are of samm"):
    cd6me(annotated(rows_of({"samm": 2})))
  with pytest.raises(ProtocolError, match="no clips to split"):
    cd6me(annotated(rows_of({"samm": 2})).select([]))
  mixed = annotated(rows_of({"samm": 1, "casme2": 1}), synthetic=[True, False])
  with pytest.raises(ProtocolError, match="1 of 2 clips are synthetic"):
    cd6me(mixed)
