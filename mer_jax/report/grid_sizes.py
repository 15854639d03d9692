"""What each system of a grid reads, and how large it is."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from mer_jax.report.grid_results import Result, Size


class Line(NamedTuple):
  """A line of the table: `datasets` are those of this size, empty where all corpora are."""

  label: tuple[str, str]
  datasets: str
  reads: str
  parameters: str
  multiply_adds: str


def lines(
  results: Mapping[tuple[str, str], Result],
  labels: Mapping[str, tuple[str, str]],
  titles: Mapping[str, str],
) -> list[Line]:
  """A line for each system, and for each of its sizes where corpora differ in that.

  Args:
    results: by (system, dataset).
    labels: of the systems, in their order.
    titles: of datasets; one without a title goes by its name.
  """
  table = []
  for system, label in labels.items():
    sizes: dict[Size, list[str]] = {}
    for (name, dataset), result in results.items():
      if name == system and result.size:
        sizes.setdefault(result.size, []).append(titles.get(dataset, dataset))
    for size, datasets in sizes.items():
      where = ", ".join(datasets) if len(sizes) > 1 else ""
      table.append(Line(label, where, *_cells(size)))
  return table


def _cells(size: Size) -> Iterable[str]:
  return size.reads, _count(size.parameters), _millions(size.multiply_adds)


def _count(number: int | None) -> str:
  return "–" if number is None else f"{number:,}"


def _millions(number: int | None) -> str:
  if number is None:
    return "–"
  millions = number / 1e6
  return f"{millions:,.1f} M" if millions >= 10 else f"{millions:.2f} M"
