"""The table of models. A new one is one new file and one line in `MODELS`."""

import dataclasses
import math
from collections.abc import Collection, Mapping
from typing import Any

import flax.linen as nn
import jax

from mer_jax import checks, inputs
from mer_jax.errors import ConfigError, unknown
from mer_jax.models.atnet import Atnet
from mer_jax.models.causalnet import Causalnet
from mer_jax.models.dtscnn import Dtscnn
from mer_jax.models.dual_inception import DualInception
from mer_jax.models.htnet import Htnet
from mer_jax.models.larnet import Larnet
from mer_jax.models.micro_attention import MicroAttention
from mer_jax.models.motion_net import MotionNet
from mer_jax.models.off_apexnet import OffApexnet
from mer_jax.models.off_tanet import OffTanet
from mer_jax.models.pairwise_bilstm import PairwiseBilstm
from mer_jax.models.parallel_cnn_lstm import ParallelCnnLstm
from mer_jax.models.rcn import Rcn
from mer_jax.models.sssnet import Sssnet
from mer_jax.models.state_cnn_lstm import StateCnnLstm
from mer_jax.models.ststnet import Ststnet
from mer_jax.models.tsnn import Tsnn

MODELS: dict[str, type[nn.Module]] = {
  "parallel_cnn_lstm": ParallelCnnLstm,
  "ststnet": Ststnet,
  "micro_attention": MicroAttention,
  "atnet": Atnet,
  "motion_net": MotionNet,
  "off_apexnet": OffApexnet,
  "sssnet": Sssnet,
  "rcn": Rcn,
  "dual_inception": DualInception,
  "off_tanet": OffTanet,
  "htnet": Htnet,
  "causalnet": Causalnet,
  "pairwise_bilstm": PairwiseBilstm,
  "state_cnn_lstm": StateCnnLstm,
  "dtscnn": Dtscnn,
  "larnet": Larnet,
  "tsnn": Tsnn,
}


# Fields of a module that are no options of a config.
_SET_BY_THE_RUN = {"num_classes", "convolution", "parent", "name"}


def build(
  name: str, num_classes: int, options: Mapping[str, Any], *, convolution: str = "auto"
) -> nn.Module:
  """The module `name` (see `find`) for K = `num_classes`, with `options` as its fields.

  A module maps (inputs, weights [B], train) to logits [B, K]; its `takes` names the key of the
  inputs it reads ("frames", "image"), or several keys.

  `convolution` (layers.convolution.IMPLEMENTATIONS) reaches the modules with a field of that name.

  Raises:
    ConfigError: no such model, no such field of it, or a value that the field's annotation rules
      out, see checks.check_value.
  """
  allowed = option_names(name)
  for option in options:
    if option not in allowed:
      raise ConfigError(f"Model {name!r}: {unknown('field', option, allowed)}")
  model = find(name)
  checks.check_fields("config.model", model, options)
  fields = {"convolution": convolution} if hasattr(model, "convolution") else {}
  return model(num_classes=num_classes, **fields, **options)


def find(name: str) -> type[nn.Module]:
  """The class of the model `name`: a key of `MODELS`, or "package.module:Class" of one's own.

  Raises:
    ConfigError: there is no such model, or it is no flax module with num_classes and takes.
  """
  model = checks.look_up("model", name, MODELS)
  is_module = isinstance(model, type) and issubclass(model, nn.Module)
  if not is_module or not hasattr(model, "takes"):
    raise ConfigError(
      f"Model {name!r} is {model!r}; a model is a class of flax.linen modules with a field"
      " num_classes and a class attribute takes, the names of the arrays it reads."
    )
  return model


def option_names(name: str) -> set[str]:
  """Names of the options of the model `name`, which a config may set.

  Raises:
    ConfigError: no such model.
  """
  return {field.name for field in dataclasses.fields(find(name))} - _SET_BY_THE_RUN


def options_of(model: nn.Module) -> dict[str, Any]:
  """The options of a built model with their values, defaults included."""
  names = {field.name for field in dataclasses.fields(model)} - _SET_BY_THE_RUN
  return {name: getattr(model, name) for name in sorted(names)}


def check_input(model_name: str, model: nn.Module, input_name: str, given: Collection[str]) -> None:
  """Raises ConfigError if `model` reads something that is not among the arrays `given` by an input.

  It may leave arrays aside.
  """
  takes = arrays_read(model)
  if not set(takes) <= set(given):
    fitting = ", ".join(inputs.inputs_giving(takes)) or "none"
    raise ConfigError(
      f"Model {model_name!r} reads {_listed(takes)} and input {input_name!r} gives"
      f" {_listed(sorted(given))}. Inputs that fit: {fitting}."
    )


def arrays_read(model: nn.Module) -> tuple[str, ...]:
  """Names of the arrays that `model` reads."""
  # Every model has it; flax's Module does not declare it.
  takes: str | tuple[str, ...] = getattr(model, "takes")  # noqa: B009
  return (takes,) if isinstance(takes, str) else takes


def _listed(names: Collection[str]) -> str:
  return ", ".join(map(repr, names))


def count_parameters(variables: Any) -> int:
  """How many numbers `variables` (a tree of arrays or shapes) hold."""
  return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(variables))
