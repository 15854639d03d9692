"""Clips of which only the annotations matter: one black 2 x 2 frame each."""

import numpy as np

from mer_jax.clips import Clips

THREE = ("negative", "positive", "surprise")


def annotated(
  rows: list[tuple[str, str, str, str]],
  synthetic=False,
  action_units: list[str] | None = None,
  objective_class: list[str] | None = None,
) -> Clips:
  """Clips [N] of (dataset, subject, clip, emotion) rows; `synthetic` for all or one for each."""
  n = len(rows)
  dataset, subject, clip, emotion = (np.array(x) for x in zip(*rows, strict=True))
  zeros = np.zeros(n, np.int32)
  return Clips(
    frames=np.zeros((n, 2, 2, 1), np.uint8),
    starts=np.arange(n + 1),
    dataset=dataset,
    subject=subject,
    clip=clip,
    emotion=emotion,
    action_units=np.array(action_units or [""] * n),
    objective_class=np.array(objective_class or [""] * n),
    onset=zeros,
    apex=zeros,
    offset=zeros,
    apex_missing=zeros.astype(bool),
    fps=np.full(n, 200, np.float32),
    first_frame=zeros.astype(np.int64),
    last_frame=zeros.astype(np.int64),
    synthetic=np.broadcast_to(np.array(synthetic, bool), n),
  )


def corpus(dataset: str, counts: dict[str, int], subjects: int) -> list[tuple[str, str, str, str]]:
  """Rows with `counts` clips per emotion, dealt out to the subjects one after another."""
  form = {"casme2": "sub%02d", "samm": "%03d", "smic": "s%02d"}.get(dataset, "p%d")
  emotions = [emotion for emotion, count in counts.items() for _ in range(count)]
  return [
    (dataset, form % (1 + i % subjects), f"clip{i:03d}", emotion)
    for i, emotion in enumerate(emotions)
  ]
