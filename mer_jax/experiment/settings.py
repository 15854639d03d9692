"""The fields of a config, each with its unit and default, and the check that a config has no other.

Config files start from `default()` and change what their paper changes. The sections `input`,
`model`, `optimizer` and `protocol` take further fields, the options of what they name.
"""

import json
import math
import os
from typing import Any

from ml_collections import config_dict

from mer_jax import checks
from mer_jax.errors import ConfigError, unknown
from mer_jax.experiment import examples, start_options, training_options
from mer_jax.experiment.selection import options as options_of_selection

# Sections with further fields, the options of what their `name` names, which checks them.
OPEN_SECTIONS = ("input", "model", "optimizer", "protocol", "drawn", "stages", "svm")
# Seeds are 32 bits of a key; every other whole number is an int32 of the program.
MOST_SEEDS = 2**32


def default() -> config_dict.ConfigDict:
  """Every field with its default: the paper's training, on CASME II, three classes."""
  config = config_dict.ConfigDict()
  # First seed, an integer >= 0.
  config.seed = 0
  # How many seeds, counted up from the first; all of them train in one program.
  config.seeds = 1
  # Devices to spread the folds over; 0: all there are. A CPU is one, unless a number of its cores
  # is asked for here.
  config.devices = 0
  # Whether to leave a trace of one chunk of epochs in the workdir, for Perfetto or XProf.
  config.profile = False

  config.data = config_dict.ConfigDict()
  # Prepared datasets that are pooled.
  config.data.datasets = ("casme2",)
  # Config of the builder: frames48, frames128, SMIC's cameras frames48_vis ..., maps.
  config.data.builder_config = "frames48"
  # Where `mer_jax build` put them.
  config.data.data_dir = os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")

  # Apex of clips whose corpus gives none: midpoint of onset and offset, or divide_and_conquer.
  config.data.apex = "midpoint"
  # Folder in which computed inputs stay for further runs; empty: they do not.
  config.data.cache_dir = ""

  config.protocol = config_dict.ConfigDict()
  # Which clips and classes: a name in mer_jax.protocols.
  config.protocol.name = "three_class"
  # Whether to go on when a corpus is not complete; the report then says so.
  config.protocol.allow_incomplete = False

  config.input = config_dict.ConfigDict()
  # What the model sees: a name in mer_jax.inputs; its options stand beside it.
  config.input.name = "padded_frames"

  config.model = config_dict.ConfigDict()
  # A name in mer_jax.models; its fields stand beside it.
  config.model.name = "parallel_cnn_lstm"

  config.optimizer = config_dict.ConfigDict()
  # A factory of optax: sgd, adam, adamw, lamb ...; its options stand beside it, as b2.
  config.optimizer.name = "sgd"
  # Step size.
  config.optimizer.learning_rate = 0.01
  # SGD's momentum; b1 of Adam and the like, the decay of the first moment.
  config.optimizer.momentum = 0.9
  # L2 added to the gradient; of adamw and the like decoupled, as they define it.
  config.optimizer.weight_decay = 0.0

  # How the step size goes: constant, step, cosine or warmup_cosine.
  config.optimizer.schedule = "constant"
  # Of step: steps after which the step size is multiplied by the rate below, again and again.
  config.optimizer.decay_steps = 0
  # That factor.
  config.optimizer.decay_rate = 0.1
  # Of warmup_cosine: steps in which the step size rises from 0.
  config.optimizer.warmup_steps = 0
  # Largest norm of the gradients of a fold; 0: any.
  config.optimizer.clip_norm = 0.0

  config.training = training_options.default()
  # A section for each of config.training.stages, see mer_jax.experiment.stages.
  config.stages = config_dict.ConfigDict()
  config.drawn = examples.default_drawn()
  config.augment = examples.default_augment()

  config.selection = options_of_selection.default()
  config.start = start_options.default()

  # An SVM on a layer of a network; further fields are its options, as cost.
  config.svm = config_dict.ConfigDict()
  # Flax name of the layer of the network that an SVM of the same fold reads and predicts by, or
  # features: what enters its last layer; empty: the network predicts. With config.model.name=svm
  # the layer of the weights of config.start, features where it is empty.
  config.svm.layer = ""

  # Values of one number that train side by side in one program, as (0.003, 0.01, 0.03).
  config.sweep = config_dict.ConfigDict()
  # Instead of config.optimizer.learning_rate.
  config.sweep.learning_rate = ()
  # Instead of config.optimizer.momentum.
  config.sweep.momentum = ()
  # Instead of config.optimizer.weight_decay.
  config.sweep.weight_decay = ()
  # Instead of config.model.dropout.
  config.sweep.dropout = ()
  # Instead of config.training.focal_gamma.
  config.sweep.focal_gamma = ()

  # Values of any other field, which run one after another.
  config.variants = config_dict.ConfigDict()
  # The field with its section, as "model.branch"; empty: no variants.
  config.variants.field = ""
  # Its values, as ("cnn", "lstm").
  config.variants.values = ()

  config.checkpoint = config_dict.ConfigDict()
  # Epochs between two checkpoints.
  config.checkpoint.every_epochs = 10
  # Checkpoints that stay on disk.
  config.checkpoint.keep = 2
  # Whether a run may go on although code has changed that its training reaches.
  config.checkpoint.allow_changed_code = False
  return config


def apply_unpublished_training(config: config_dict.ConfigDict) -> None:
  """Sets optimiser, batches and epochs of a small system whose publication leaves them open.

  They are alike for all such systems, so that rows of a grid differ in the systems alone.
  """
  config.optimizer.name = "adam"
  config.optimizer.learning_rate = 1e-3
  config.optimizer.momentum = 0.9
  config.training.batch_size = 32
  config.training.epochs = 60
  config.training.balance = "class_weights"


def grid() -> config_dict.ConfigDict:
  """The fields of a grid of systems and corpora (mer_jax.experiment.grid), with defaults."""
  config = config_dict.ConfigDict()
  # These hold for every system.
  config.seed = 0
  config.seeds = 1
  config.devices = 0
  config.data_dir = default().data.data_dir
  config.allow_incomplete = False
  # Epochs of every system, for a first try; 0: each its own.
  config.epochs = 0
  # Folder in which computed inputs stay; empty: one in the workdir.
  config.cache_dir = ""
  # The columns, prepared datasets or arguments as megc2019; one that is not prepared is left out.
  config.corpora = ("casme2", "samm", "smic")
  # Names of the systems that run, in their order.
  config.show = ()
  # Which published numbers stand beside them: a name in mer_jax.report.published; empty: none.
  config.published = ""
  # A config of a run for each system; add_system puts it there.
  config.systems = config_dict.ConfigDict()
  return config


def add_system(grid: config_dict.ConfigDict, name: str, config: config_dict.ConfigDict) -> None:
  """Makes `config`, of a run, the next system of `grid`.

  Fields that hold for all systems follow those of the grid from here on, also where the command
  line changes them.
  """
  config.seed, config.seeds = grid.get_ref("seed"), grid.get_ref("seeds")
  config.devices = grid.get_ref("devices")
  config.data.data_dir = grid.get_ref("data_dir")
  config.data.cache_dir = grid.get_ref("cache_dir")
  config.protocol.allow_incomplete = grid.get_ref("allow_incomplete")
  grid.systems[name] = config
  grid.show = (*grid.show, name)


def check(config: config_dict.ConfigDict) -> None:
  """Checks names and ranges of everything that is not an option of an input, model or protocol.

  Raises:
    ConfigError: an unknown or missing field, or a value of another type or out of range; says what
      is allowed.
  """
  # Here, so that reading a config, or finding a mistyped flag, needs no jax.
  from mer_jax import inputs
  from mer_jax.experiment import stages, svm_on_layer

  _check_fields(config, default(), "")
  for name, least in (
    ("seed", 0),
    ("seeds", 1),
    ("devices", 0),
    ("drawn.epoch_steps", 1),
    *((f"augment.{name}", 0) for name in config.augment),
    ("selection.inner_folds", 2),
    ("selection.every_epochs", 1),
    ("checkpoint.every_epochs", 1),
    ("checkpoint.keep", 1),
    ("optimizer.learning_rate", 0),
    ("optimizer.momentum", 0),
    ("optimizer.weight_decay", 0),
    ("optimizer.decay_steps", 0),
    ("optimizer.decay_rate", 0),
    ("optimizer.warmup_steps", 0),
    ("optimizer.clip_norm", 0),
  ):
    value = field(config, name)
    if not least <= value < math.inf:
      raise ConfigError(f"config.{name} is {value}; it must be >= {least} and finite.")
  if config.seed + config.seeds > MOST_SEEDS:
    raise ConfigError(
      f"config.seed is {config.seed} and config.seeds {config.seeds}; the last seed,"
      f" {config.seed + config.seeds - 1}, must be below 2^32."
    )
  if config.data.apex not in inputs.APEXES:
    raise ConfigError(unknown("config.data.apex", config.data.apex, inputs.APEXES))
  options_of_selection.check(config.selection)
  training_options.check(config.training)
  examples.check(config)
  start_options.check(config)
  stages.check(config)
  svm_on_layer.check(config)
  if not config.data.datasets:
    raise ConfigError("config.data.datasets is empty; name a prepared dataset, as ('casme2',).")


def check_type(option: str, default: Any, value: Any) -> None:
  """Refuses a value of another type than the default, or a whole number beyond int32.

  Raises:
    ConfigError: names `option`, its value, and what is allowed.
  """
  if isinstance(default, tuple):
    if not isinstance(value, tuple | list):
      raise ConfigError(f"{option} is {value!r}; it must be a tuple, as {default or (1, 2)!r}.")
    for place, entry in enumerate(value if default else ()):
      checks.check_value(f"{option}[{place}]", type(default[0]), entry)
    return
  checks.check_value(option, type(default), value)
  is_seed = option in ("config.seed", "config.seeds")
  if type(default) is int and abs(value) > (MOST_SEEDS if is_seed else checks.INT32):
    raise ConfigError(
      f"{option} is {value}; it must be below {'2^32' if is_seed else '2^31'} in size."
    )


def field(config: config_dict.ConfigDict, dotted: str) -> Any:
  """The value of a field given with its section, as "training.epochs"."""
  value = config
  for part in dotted.split("."):
    value = value[part]
  return value


def options(section: config_dict.ConfigDict) -> dict[str, Any]:
  """The fields of a section but its name."""
  return {key: value for key, value in section.items() if key != "name"}


def options_of_optimizer(config: config_dict.ConfigDict) -> dict[str, Any]:
  """The fields of config.optimizer that are options of the factory it names."""
  known = default().optimizer
  return {key: value for key, value in config.optimizer.items() if key not in known}


def to_json(config: config_dict.ConfigDict) -> dict[str, Any]:
  """The config as plain JSON values."""
  return json.loads(json.dumps(config.to_dict()))


def _check_fields(given, known, prefix: str) -> None:
  is_open = prefix.rstrip(".") in OPEN_SECTIONS
  for key in given:
    if key not in known and not is_open:
      raise ConfigError(unknown("config field", prefix + key, [prefix + k for k in known]))
  for key, value in known.items():
    if key not in given:
      raise ConfigError(f"The config lacks the field {prefix}{key}; start from settings.default().")
    if isinstance(value, config_dict.ConfigDict):
      _check_section(given[key], prefix + key)
      _check_fields(given[key], value, f"{prefix}{key}.")
    elif given[key] is not value:
      check_type(f"config.{prefix}{key}", value, given[key])


def _check_section(given: Any, name: str) -> None:
  if not isinstance(given, config_dict.ConfigDict):
    raise ConfigError(f"config.{name} is {given!r}; it must be a section with fields.")
