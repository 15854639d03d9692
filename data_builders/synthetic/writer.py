"""Writes a synthetic corpus: all of it, or nothing."""

import json
import os
import pathlib
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, NamedTuple

import cv2

from data_builders.synthetic import corpora, folder, plan, sheets, truth
from data_builders.synthetic.corpora import Corpus
from data_builders.synthetic.plan import PlannedClip
from data_builders.synthetic.quirks import plant
from data_builders.synthetic.render import Studio
from data_builders.synthetic.scene import Setting, compose
from mer_jax import checks, errors
from mer_jax.runtime import folders
from mer_jax.runtime.progress import progress

VERSION = 1  # of what is drawn; a corpus of another version is another corpus
# The steepest of a hundred displacement fields has slope 0.4 at intensity 1; at 1 it would fold.
MOST_INTENSITY = 2.0
CASME2_SHEETS = ("20140508", "20190701")


class CorpusOptions(NamedTuple):
  """What a synthetic corpus is like.

  Attributes:
    subjects: number of subjects; None for the real corpus' own.
    clips_per_subject: mean number of clips, uneven around it with an exact total; None for the
      real corpus' uneven numbers.
    size: face width in pixels; None for that of the owners' frames.
    intensity: factor on the expressions' motion; 0 to 2; 1.0 is 0.3 to 3 px at a face width of
      128 px.
    seed: everything follows from it and the other options.
    quirks: plant the known faults of the real corpus and list them in quirks.json.
    tree: "cropped" or "raw"; None for "cropped", or "raw" for samm, which has no other.
    sheet: which of CASME II's coding sheets to imitate, "20140508" or "20190701".
  """

  subjects: int | None = None
  clips_per_subject: int | None = None
  size: int | None = None
  intensity: float = 1.0
  seed: int = 0
  quirks: bool = False
  tree: str | None = None
  sheet: str = "20140508"


def write(
  corpus: str,
  out: str | os.PathLike[str],
  *,
  overwrite: bool = False,
  workers: int | None = None,
  **options: Any,
) -> bool:
  """Writes a corpus in the owners' tree, file names and sheet, with its ground truth.

  Args:
    corpus: "casme2", "samm" or "smic".
    out: folder to make. One that holds the same corpus already is left as it is.
    overwrite: replace a synthetic corpus in `out` that has other parameters.
    workers: threads; None for one per core. It does not change the result.
    **options: fields of `CorpusOptions`.

  Returns:
    True if it was written, False if it was there already.

  Raises:
    ConfigError: an argument is unknown or out of its range.
    DataError: `out` holds something else.
    WorkdirError: another process draws into `out`, the disk is full, or it may not be written.
  """
  kind = corpora.corpus(corpus)
  checks.check_names(f"synthetic corpus {corpus}", CorpusOptions._fields, options)
  own = _completed(kind, CorpusOptions(**options))
  clips = plan.plan(kind, own.subjects, own.clips_per_subject, own.seed, own.tree)
  parameters = {
    "version": VERSION,
    "corpus": corpus,
    "subjects": len({clip.subject for clip in clips}),
    "clips": sum(clip.camera in ("", "HS") for clip in clips),
    **{name: value for name, value in own._asdict().items() if name != "subjects"},
    "sheet": own.sheet if corpus == "casme2" else None,
  }
  out = pathlib.Path(out).expanduser()
  if folder.already_there(out, parameters, overwrite):
    return False
  with folders.replacing(out) as root:
    studio = Studio(Setting(kind, own.tree, own.size, own.intensity, own.seed))
    _draw(studio, clips, root, workers)
    _annotate(kind, clips, own, root)
    folder.write_mark(root, kind.name, parameters)
  return True


class _Completed(NamedTuple):
  """`CorpusOptions` with the defaults of a corpus."""

  subjects: int | None
  clips_per_subject: int | None
  size: int
  intensity: float
  seed: int
  quirks: bool
  tree: str
  sheet: str


def _completed(kind: Corpus, options: CorpusOptions) -> _Completed:
  """`options` with tree and size of the owners' corpus where they name none, checked."""
  tree = kind.trees[0] if options.tree is None else options.tree
  size = kind.face_width.get(tree, 0) if options.size is None else options.size
  own = _Completed(
    subjects=options.subjects,
    clips_per_subject=options.clips_per_subject,
    size=size,
    intensity=options.intensity,
    seed=options.seed,
    quirks=options.quirks,
    tree=tree,
    sheet=options.sheet,
  )
  _check(kind, own)
  return own


def _check(kind: Corpus, own: _Completed) -> None:
  tree, sheet, size, intensity, seed = own.tree, own.sheet, own.size, own.intensity, own.seed
  if tree not in kind.trees:
    raise errors.ConfigError(errors.unknown(f"tree of {kind.name}", tree, kind.trees))
  if sheet not in CASME2_SHEETS:
    raise errors.ConfigError(errors.unknown("CASME II sheet", sheet, CASME2_SHEETS))
  if not 16 <= size <= 1024:
    raise errors.ConfigError(f"size is {size} px; a face must be 16 to 1024 px wide.")
  if not 0 <= intensity <= MOST_INTENSITY:
    raise errors.ConfigError(
      f"intensity is {intensity}; it must lie between 0 and {MOST_INTENSITY}, beyond which the skin"
      " of some faces would fold over."
    )
  if seed < 0:
    raise errors.ConfigError(f"seed is {seed}; it must not be negative.")


def _draw(
  studio: Studio, clips: list[PlannedClip], root: pathlib.Path, workers: int | None
) -> None:
  """Renders every clip, several at a time: OpenCV leaves the interpreter free meanwhile."""
  before = cv2.getNumThreads()
  cv2.setNumThreads(1)  # the frames are too small to share one between cores
  pool = ThreadPoolExecutor(workers or os.cpu_count() or 1)
  try:
    waiting = [pool.submit(_draw_clip, studio, clip, root) for clip in clips]
    with progress(len(clips), f"drawing {studio.setting.corpus.name}", unit="clip") as bar:
      for done in as_completed(waiting):
        done.result()
        bar.update(1)
  finally:
    pool.shutdown(wait=True, cancel_futures=True)
    cv2.setNumThreads(before)


def _draw_clip(studio: Studio, clip: PlannedClip, root: pathlib.Path) -> None:
  scene = compose(studio.setting, clip)
  frames = root / clip.folder
  frames.mkdir(parents=True)
  for t, frame in enumerate(studio.frames(scene)):
    name = corpora.frame_name(
      studio.setting.corpus.name, clip.subject, clip.onset + t, studio.setting.tree
    )
    suffix = pathlib.PurePath(name).suffix
    options = [cv2.IMWRITE_JPEG_QUALITY, 95] if suffix == ".jpg" else []
    encoded = cv2.imencode(suffix, frame, options)[1]
    (frames / name).write_bytes(encoded.tobytes())
  truth.save(root / clip.truth, scene, studio.setting.size)


def _annotate(kind: Corpus, clips: list[PlannedClip], own: _Completed, root: pathlib.Path) -> None:
  sheet = own.sheet
  table = sheets.rows(kind, clips, sheet)
  if own.quirks:
    rng = plan.stream(own.seed, kind, plan.QUIRKS)
    planted = plant(kind, clips, table, sheets.file_name(kind, sheet), root, rng)
    (root / "quirks.json").write_text(json.dumps(planted, indent=1) + "\n", encoding="utf-8")
  sheets.write(kind, table, sheet, root)
  sheets.write_objective_classes(kind, clips, root)
