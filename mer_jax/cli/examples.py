"""Examples of every command, shown by --help; each is run by a test."""

EXAMPLES = {
  "synthetic": (
    ("draw a corpus in the format of CASME II", "mer_jax synthetic casme2 --out=corpora/CASME2"),
    (
      "draw videos of minutes in the format of CAS(ME)^2",
      "mer_jax synthetic long --format=casme_squared --out=corpora/LONG --subjects=2 --minutes=1",
    ),
  ),
  "build": (
    (
      "prepare a corpus, as its owners distribute it",
      "mer_jax build casme2 --manual_dir=corpora/CASME2 --data_dir=data",
    ),
  ),
  "configs": (("experiments that ship with the package", "mer_jax configs"),),
  "train": (
    (
      "train on it, leave-one-subject-out",
      "mer_jax train --config=demo:casme2 --workdir=runs/demo --config.data.data_dir=data",
    ),
    (
      "the same with two seeds, and another number of epochs",
      "mer_jax train --config=demo:casme2 --workdir=runs/seeds --config.data.data_dir=data"
      " --config.seeds=2 --config.training.epochs=30",
    ),
  ),
  "fit": (
    (
      "train the same model on all clips, to keep",
      "mer_jax fit --config=demo:casme2 --workdir=runs/fit --config.data.data_dir=data",
    ),
  ),
  "predict": (
    (
      "what a trained model says of a prepared dataset",
      "mer_jax predict data/casme2/frames48 --model=runs/fit/model --out=runs/predicted",
    ),
    (
      "what the model that ships says of frames of one's own",
      "mer_jax predict corpora/CASME2/Cropped/sub01 --crop=as_is --out=runs/own_frames",
    ),
    (
      "what moves in a video, as a timeline",
      "mer_jax predict holiday.mp4 --out=runs/holiday",
    ),
  ),
  "export": (
    (
      "a model for programs without mer_jax",
      "mer_jax export runs/fit/model --format=npz --out=runs/model.npz",
    ),
  ),
  "models": (("trained models that ship with the package", "mer_jax models"),),
  "spot": (
    (
      "find micro- and macro-expressions in long videos",
      "mer_jax spot corpora/LONG --out=runs/spot",
    ),
  ),
  "compare": (
    (
      "compare runs clip by clip",
      "mer_jax compare runs/demo runs/seeds --workdir=runs/comparison",
    ),
  ),
  "audit": (
    (
      "score a published log again, and look for the numbers it claims",
      "mer_jax audit runs/demo --protocol=three_class --claimed=uf1=.59",
    ),
  ),
  "score": (
    (
      "score features from elsewhere with an SVM",
      "mer_jax score features.npz --workdir=runs/features --kernel=rbf",
    ),
  ),
}


def of(command: str) -> str:
  """The examples of one command, as the end of its --help."""
  return "examples:\n" + "\n".join(_lines(command))


def all_commands() -> str:
  """An example of every command, in the order of use."""
  return "\n".join(line for command in EXAMPLES for line in _lines(command)[:2])


def _lines(command: str) -> list[str]:
  return [line for what, text in EXAMPLES[command] for line in (f"  # {what}", f"  {text}")]
