"""What the benchmark found, as a table in Markdown and as a figure."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mer_jax.report import style

from . import machine
from .measure import ONE_DEVICE, median_ms

WAYS = {
  "a": "all folds in one program (mer_jax)",
  ONE_DEVICE: "the same, the CPU as one device",
  "b": "the same step, fold by fold",
  "c": "PyTorch, fold by fold",
}
SHORT = {"a": "mer_jax", ONE_DEVICE: "one device", "b": "fold by fold", "c": "PyTorch"}
COLORS = {"a": style.BLUE, ONE_DEVICE: style.BLUE, "b": style.GREEN, "c": style.VERMILION}
TITLES = {"parallel_cnn_lstm": "parallel CNN + LSTM", "ststnet": "STSTNet"}


def markdown(results: Mapping[str, Any]) -> str:
  """The table of the README, with what its numbers mean below it."""
  lines = [
    "| model | way | ms per step and fold | against PyTorch | GFLOP/s | of the product"
    " | compilation, then cached | memory |",
    "|---|---|---|---|---|---|---|---|",
  ]
  for name, found in results["models"].items():
    lines += [f"| `{name}` | {_cells(found, way)} |" for way in _there(found)]
  products = ", ".join(f"{n} {f['product']:.0f}" for n, f in results["models"].items())
  return "\n".join(
    [
      *lines,
      "",
      *["A trial at tiny sizes; its numbers mean nothing.", ""] * results["quick"],
      f"{machine.caption(results['machine'])}. Medians of {results['rounds']} rounds in turn, with"
      " the extremes. A step is an epoch's time over its ceil(N / B) steps; " + _folds(results),
      f"GFLOP/s count the products of all clips that pass through them; the product is the fastest"
      f" of 2048 x 2048 and 4096 x 4096 float32 in jax and PyTorch in the same rounds ({products}"
      " GFLOP/s). Compilation is what a fresh process waits for before its first step; memory"
      " is the process' peak less what libraries and clips take, fold by fold with one fold at a"
      " time.",
    ]
  )


def figure(results: Mapping[str, Any]) -> bytes:
  """One row for each model: the contenders, and the engine over folds and over seeds; a PNG."""
  models = results["models"]
  with style.house_style():
    drawing = Figure(figsize=(11, 3.3 * len(models) + 0.5), layout="constrained")
    axes = drawing.subplots(len(models), 3, squeeze=False)
    for row, (name, found) in zip(axes, models.items(), strict=True):
      _bars(row[0], found)
      row[0].set_title(f"{TITLES[name]}, {found['folds']} folds")
      _curve(row[1], found, "folds", "over folds, one seed")
      _curve(row[2], found, "seeds", f"over seeds, {found['curves']['folds_of_seeds']} folds")
    drawing.supxlabel(machine.caption(results["machine"]), fontsize=7, color=style.FAINT)
    return style.png(drawing)


def way_of(found: Mapping[str, Any], way: str) -> Mapping[str, Any]:
  """The entry of a, b or c; b is the better of its two ways."""
  return found["ways"][found["best_b"] if way == "b" else way]


def _there(found: Mapping[str, Any]) -> list[str]:
  """The ways that were measured: with one device in all, that of one device is (a)."""
  return [way for way in WAYS if way != ONE_DEVICE or way in found["ways"]]


def _cells(found: Mapping[str, Any], way: str) -> str:
  entry = way_of(found, way)
  ms = entry["ms_per_step_and_fold"]
  start = found["start"].get(way)
  compiled, memory = "", ""
  if start:
    cold, cached = (start[k]["init_seconds"] + start[k]["train_seconds"] for k in start)
    compiled = "none" if way == "c" else f"{cold:.1f} s, {cached:.1f} s"
    memory = f"{_memory(start['cold']):.2f} GiB"
  return " | ".join(
    [
      WAYS[way],
      f"{ms['median']:.3g} ({ms['min']:.3g} to {ms['max']:.3g})",
      f"{median_ms(found['ways']['c']) / ms['median']:.2f} x",
      f"{entry['gflops']:.0f}",
      f"{100 * entry['share_of_product']:.0f} %",
      compiled,
      memory,
    ]
  )


def _memory(process: Mapping[str, Any]) -> float:
  """GiB on top of what the libraries and the clips took before."""
  return (process["peak_bytes"] - process["ready_bytes"]) / 2**30


def _folds(results: Mapping[str, Any]) -> str:
  return "; ".join(f"{n}: all {f['folds']} folds" for n, f in results["models"].items()) + "."


def _bars(axes: Axes, found: Mapping[str, Any]) -> None:
  for place, way in enumerate(_there(found)):
    ms = way_of(found, way)["ms_per_step_and_fold"]
    axes.barh(place, ms["median"], color=COLORS[way], height=0.62)
    axes.plot([ms["min"], ms["max"]], [place, place], color=style.INK, linewidth=1)
    share = 100 * way_of(found, way)["share_of_product"]
    axes.annotate(
      f"{ms['median']:.3g} ms, {share:.0f} % of the product",
      (max(ms["max"], ms["median"]), place),
      xytext=(4, 0),
      textcoords="offset points",
      va="center",
      fontsize=8,
    )
  ways = _there(found)
  axes.set_yticks(range(len(ways)), [SHORT[way] for way in ways])
  axes.invert_yaxis()
  axes.set_xlabel("ms per step and fold")
  axes.set_xlim(0, 2.3 * max(way_of(found, w)["ms_per_step_and_fold"]["max"] for w in ways))


def _curve(axes: Axes, found: Mapping[str, Any], over: str, title: str) -> None:
  points = {int(n): ms for n, ms in found["curves"][over].items()}
  counts = list(points)
  lowest, medians, highest = ([p[k] for p in points.values()] for k in ("min", "median", "max"))
  axes.fill_between(counts, lowest, highest, color=COLORS["a"], alpha=0.2, linewidth=0)
  axes.plot(counts, medians, "o-", color=COLORS["a"], markersize=4, label=SHORT["a"])
  beside = found["curves"]["beside"]
  for way, name in (("b", found["best_b"]), ("c", "c")):
    axes.axhline(
      beside[name]["median"], color=COLORS[way], linestyle="--", linewidth=1.2, label=SHORT[way]
    )
  axes.set_xscale("log", base=2)
  axes.set_xticks(counts, [str(count) for count in counts])
  axes.minorticks_off()
  axes.set_xlabel(over)
  axes.set_ylabel("ms per step and fold")
  axes.set_ylim(0, 1.35 * max(*highest, *(b["median"] for b in beside.values())))
  axes.set_title(title, fontweight="normal")
  axes.legend(loc="upper right", ncols=3, fontsize=7.5, columnspacing=1)
  style.faint_grid(axes, "y")
