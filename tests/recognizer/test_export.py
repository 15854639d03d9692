"""An exported model says what the model says, in a process that knows nothing of mer_jax."""

import json
import subprocess
import sys

import jax
import numpy as np
import pytest
import trained_models

from mer_jax import errors, recognizer, svm
from mer_jax.cli import command
from mer_jax.recognizer import Provenance, vector_machine

SEEN = Provenance((("casme2", "sub01"), ("casme2", "sub02")), {"digest": "abc"}, True)
WITHOUT_MER_JAX = """
import sys
sys.modules["mer_jax"] = None  # whoever imports it fails
import jax, jax.export, numpy as np
exported = jax.export.deserialize(bytearray(open(sys.argv[1], "rb").read()))
for clips in (1, 5):
  given = np.load(sys.argv[2])["image"][:clips]
  np.savez(f"{sys.argv[3]}/{clips}", **exported.call(image=given))
"""


@pytest.fixture
def model(tmp_path):
  built = trained_models.ststnet(provenance=SEEN, mirror_at_test=True, scores={"uf1": 0.5})
  recognizer.save(built, tmp_path / "model")
  return recognizer.load(tmp_path / "model")


def test_a_program_runs_without_mer_jax_for_any_number_of_clips(model, tmp_path, capsys):
  file = tmp_path / "program.bin"
  given = {"image": np.random.default_rng(0).random((5, 12, 12, 3), np.float32)}
  command.main(["export", str(tmp_path / "model"), "--format=stablehlo", f"--out={file}"])
  assert "2 subjects of casme2 (synthetic) and drawn examples" in capsys.readouterr().out
  np.savez(tmp_path / "given.npz", **given)
  code = [sys.executable, "-c", WITHOUT_MER_JAX, file, tmp_path / "given.npz", tmp_path]
  done = subprocess.run(code, capture_output=True, text=True)
  assert done.returncode == 0, done.stderr
  by_seed = model.probabilities(given)
  for clips in (1, 5):
    with np.load(tmp_path / f"{clips}.npz") as output:
      expected = by_seed[:, :clips]
      np.testing.assert_allclose(output["probabilities"], expected.mean(axis=0), atol=1e-5)
      np.testing.assert_allclose(output["spread"], expected.std(axis=0), atol=1e-5)
  facts = json.loads((tmp_path / "program.bin.json").read_text())
  assert facts["provenance"] == SEEN.to_json()
  assert facts["classes"] == list(model.classes)


def test_arrays_are_the_weights_and_load_again(model, tmp_path):
  file = tmp_path / "deep" / "model.npz"
  assert command.main(["export", str(tmp_path / "model"), "--format=npz", f"--out={file}"]) == 0
  with np.load(file) as arrays:
    for name, array in model.weights.items():
      np.testing.assert_array_equal(arrays[name], array)
    assert "params/logits/kernel: [2," in str(arrays["README"])
  again = recognizer.load(file)
  assert again.provenance == SEEN
  assert again.scores == model.scores
  given = {"image": np.ones((2, 12, 12, 3), np.float32)}
  np.testing.assert_array_equal(again.probabilities(given), model.probabilities(given))

  data = bytearray(file.read_bytes())
  data[len(data) // 2] ^= 1
  file.write_bytes(data)
  with pytest.raises(errors.DataError, match="Export it again"):
    recognizer.load(file)


def test_every_architecture_that_ships_can_be_a_program(tmp_path):
  for name in ("motion_net_drawn", "parallel_cnn_lstm_drawn"):
    file = tmp_path / name
    assert command.main(["export", name, "--format=stablehlo", f"--out={file}"]) == 0
    own = recognizer.load(name)
    exported = jax.export.deserialize(bytearray(file.read_bytes()))
    rng = np.random.default_rng(1)
    given = {
      key: (rng.random((3, *entry["shape"])) * 2).astype(entry["dtype"])
      for key, entry in own.arrays.items()
    }
    expected = own.probabilities(given).mean(axis=0)
    np.testing.assert_allclose(exported.call(**given)["probabilities"], expected, atol=1e-5)


def test_an_svm_is_exported_as_arrays_alone(tmp_path, capsys):
  rows, labels = np.random.default_rng(0).normal(size=(20, 12)), np.arange(20) % 3
  weights = vector_machine.stacked([svm.fit(rows, labels, 3, svm.MACHINE)])
  arrays = {"features": {"shape": [12], "dtype": "float32"}}
  built = trained_models.ststnet(model={"name": "svm"}, weights=weights, arrays=arrays)
  recognizer.save(built, tmp_path / "svm", "float64")
  where, file = str(tmp_path / "svm"), str(tmp_path / "svm.npz")
  assert command.main(["export", where, "--format=npz", f"--out={file}"]) == 0
  given = {"features": rows.astype(np.float32)}
  np.testing.assert_array_equal(
    recognizer.load(file).probabilities(given), built.probabilities(given)
  )
  code = command.main(["export", where, "--format=stablehlo", f"--out={tmp_path / 'x'}"])
  assert code == errors.ConfigError.exit_code
  assert "export it with --format=npz" in capsys.readouterr().err
  code = command.main(["export", where, "--format=onnx", f"--out={tmp_path / 'x'}"])
  assert code == errors.ConfigError.exit_code
  assert not (tmp_path / "x").exists()
