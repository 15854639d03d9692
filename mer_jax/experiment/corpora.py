"""The argument of a config: which corpus, hence which prepared datasets and which protocol."""

from ml_collections import config_dict

from mer_jax import errors

# argument -> datasets, protocol, builder config of the frames (None: the config's own)
CORPORA = {
  "casme2": (("casme2",), "three_class", None),
  "samm": (("samm",), "three_class", None),
  "smic": (("smic",), "three_class", None),
  # All of a corpus' own emotions instead.
  "casme2_native": (("casme2",), "native", None),
  "samm_native": (("samm",), "native", None),
  "smic_native": (("smic",), "native", None),
  # The five emotions most papers use.
  "casme2_five_class": (("casme2",), "five_class", None),
  "samm_five_class": (("samm",), "five_class", None),
  # The composite of MEGC2019: trained on all three, scored on each as well.
  "megc2019": (("casme2", "samm", "smic"), "megc2019", None),
  # Objective classes I to V, the composite of MEGC2018.
  "megc2018": (("casme2", "samm"), "megc2018", None),
  # Hold-out database evaluation: a fold holds a whole corpus out.
  "megc2019_hde": (("casme2", "samm", "smic"), "megc2019", None),
  "megc2018_hde": (("casme2", "samm"), "megc2018", None),
  # Published optical-flow maps instead of frames, of the corpora they cover.
  "casme2_maps": (("megc2019_flow",), "three_class", "maps"),
  "megc2019_maps": (("megc2019_flow",), "megc2019", "maps"),
}

# Those of frames, which inputs can be computed from.
WITH_FRAMES = tuple(name for name in CORPORA if not name.endswith("_maps"))


def apply(config: config_dict.ConfigDict, arg: str) -> bool:
  """Sets datasets and protocol of `config` for the config argument `arg`.

  Returns:
    True if the corpus holds published flow maps instead of frames.

  Raises:
    ConfigError: no such argument.
  """
  if arg not in CORPORA:
    raise errors.ConfigError(errors.unknown("config argument", arg, CORPORA))
  datasets, protocol, builder_config = CORPORA[arg]
  config.data.datasets = datasets
  config.protocol.name = protocol
  if protocol in ("megc2018", "megc2019"):
    # What a fold holds out: subject, or dataset (a whole corpus).
    config.protocol.held_out = "dataset" if arg.endswith("_hde") else "subject"
  if protocol == "native":
    # Clips below which a class is dropped.
    config.protocol.minimum = 10
  if builder_config:
    config.data.builder_config = builder_config
  return builder_config == "maps"


def apply_flow(config: config_dict.ConfigDict, arg: str, size: int = 28) -> None:
  """Sets datasets, protocol, and as input one image of flow and strain, onset to apex.

  Args:
    config: of a run.
    arg: as in `apply`; of frames, flow is measured on those of 128 pixels.
    size: height and width of the image in pixels.

  Raises:
    ConfigError: no such argument.
  """
  config.data.builder_config = "frames128"
  if apply(config, arg):
    # The first of the published maps of a clip, enlarged where a model reads larger ones.
    config.input = {"name": "flow_maps", "index": 0, "size": size}
  else:
    # Measured as tv_l1, farneback or dis; minmax: each clip and channel to 0..1.
    config.input = {"name": "flow", "method": "dis", "size": size, "scaling": "minmax"}


def is_composite(arg: str) -> bool:
  """Whether the argument of a config is the composite of three corpora or of two."""
  return len(CORPORA[arg][0]) > 1 or CORPORA[arg][1] in ("megc2018", "megc2019")
