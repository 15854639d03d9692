"""The table of a grid for LaTeX."""

from collections.abc import Sequence


def tabular(
  groups: Sequence[str],
  columns: Sequence[str],
  rows: Sequence[Sequence[str]],
  last: Sequence[str],
  notes: Sequence[str],
) -> str:
  """A tabular for the package booktabs.

  Args:
    groups: what stands above the columns, which are the same in each group.
    columns: their names.
    rows: a label and the cells of all groups.
    last: the like, below a rule.
    notes: comments before the table.
  """
  head = " & ".join(
    rf"\multicolumn{{{len(columns)}}}{{c}}{{{_escaped(group)}}}" for group in groups
  )
  names = " & ".join(" & ".join(columns) for _ in groups)
  return "\n".join(
    [
      *(f"% {note}" for note in notes),
      rf"\begin{{tabular}}{{l{'r' * len(columns) * len(groups)}}}",
      r"\toprule",
      rf" & {head} \\",
      rf" & {names} \\",
      r"\midrule",
      *(_line(row) for row in rows),
      r"\midrule",
      _line(last),
      r"\bottomrule",
      r"\end{tabular}",
      "",
    ]
  )


def _line(cells: Sequence[str]) -> str:
  return " & ".join(map(_escaped, cells)) + r" \\"


def _escaped(text: str) -> str:
  special = {"&": r"\&", "%": r"\%", "_": r"\_", "{": r"\{", "}": r"\}", "±": r"$\pm$", "–": "--"}
  return "".join(special.get(letter, letter) for letter in text)
