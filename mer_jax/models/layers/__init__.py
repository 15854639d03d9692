"""Layers written so that many small models share one program well.

How a convolution is computed is an argument, see `mer_jax.models.layers.convolution`. Max pooling
is a reshape, for the gradient of reduce_window is slow on CPUs.
"""

from mer_jax.models.layers.convolutional import ConvPoolRelu, ConvReluNormPool, conv, dense
from mer_jax.models.layers.dropout import Dropout
from mer_jax.models.layers.lstm import LSTM
from mer_jax.models.layers.multi_layer_fusion import MultiLayerFusion
from mer_jax.models.layers.normalisation import BatchNorm, l2_normalise
from mer_jax.models.layers.pooling import (
  adaptive_avg_pool,
  avg_pool,
  largest,
  max_pool,
  max_pool_overlapping,
)

__all__ = [
  "LSTM",
  "BatchNorm",
  "ConvPoolRelu",
  "ConvReluNormPool",
  "Dropout",
  "MultiLayerFusion",
  "adaptive_avg_pool",
  "avg_pool",
  "conv",
  "dense",
  "l2_normalise",
  "largest",
  "max_pool",
  "max_pool_overlapping",
]
