"""A build completes in spite of every fault that the synthetic corpora plant, and reports it."""

import json

import numpy as np
import pytest
from undrawn_frames import undrawn

from data_builders import build, synthetic
from mer_jax.clips import load_prepared

# Text of the report on each planted fault that calls for a repair.
MENTIONS = {
  "apex_slash": "'/'",
  "apex_outside": "outside",
  "apex_at_onset": "it is the onset",
  "frame_gap": "absent in between",
  "last_frames_missing": "absent at the end",
  "first_frames_missing": "absent at the head",
  "wrong_offset": "Duration",
}
REASONS = {
  "empty_folder": "holds no frame",
  "missing_folder": "missing from the tree",
  "truncated_only": "truncated",
  "unlisted_folder": "no row",
}


@pytest.fixture(scope="module", params=["casme2", "samm", "smic"])
def built(request, tmp_path_factory):
  root = tmp_path_factory.mktemp(request.param)
  # twice as many clips as there are faults to plant
  clips_per_subject = {"casme2": 6, "samm": 6, "smic": 3}[request.param]
  with pytest.MonkeyPatch.context() as patch:
    undrawn(patch)
    synthetic.write(
      request.param,
      root / "corpus",
      subjects=6,
      clips_per_subject=clips_per_subject,
      size=32,
      seed=1,
      quirks=True,
    )
  report, *_ = build.build(request.param, root / "corpus", root / "data")
  faults = json.loads((root / "corpus" / "quirks.json").read_text())
  return request.param, root, report, faults


def test_each_fault_is_kept_repaired_refused_or_ignored_as_it_should(built):
  dataset, _, report, faults = built
  assert not faults["skipped"]
  treatments = [fault["treatment"] for fault in faults["planted"]]
  assert {"kept", "repaired", "refused"} <= set(treatments)
  for fault in faults["planted"]:
    if not fault["clip"]:
      continue
    name = f"{dataset}/{fault['subject']}/{fault['clip']}"
    mended = " ".join(f"{r['how']} {r['why']}" for r in report.repaired if r["clip"] == name)
    if fault["treatment"] == "refused":
      assert REASONS[fault["quirk"]] in report.refused[name], fault
    elif fault["treatment"] == "ignored":
      assert name not in report.kept, fault
    else:
      assert name in report.kept, fault
    if fault["treatment"] == "repaired":
      assert MENTIONS[fault["quirk"]] in mended, fault


def test_no_clip_is_repaired_or_refused_without_a_planted_fault(built):
  dataset, _, report, faults = built
  planted = {f"{dataset}/{f['subject']}/{f['clip']}" for f in faults["planted"] if f["clip"]}
  touched = {r["clip"] for r in report.repaired if r["what"] != "face box"}
  assert touched | set(report.refused) <= planted


def test_kept_clips_agree_with_the_truth(built):
  dataset, root, report, faults = built
  planted = {(f["subject"], f["clip"]) for f in faults["planted"]}
  clips = load_prepared(dataset, "frames48", root / "data")
  assert clips.synthetic.all()
  assert len(clips) == len(report.kept)
  compared = 0
  for n in range(len(clips)):
    if (clips.subject[n], clips.clip[n]) in planted:
      continue
    path = root / "corpus" / "truth" / str(clips.subject[n]) / f"{clips.clip[n]}.npz"
    truth = np.load(path)
    assert str(truth["emotion"]).lower().rstrip("s") == clips.emotion[n].rstrip("s")
    if not clips.apex_missing[n]:
      assert int(truth["apex"]) == clips.apex[n]
    compared += 1
  assert compared >= len(clips) // 3
