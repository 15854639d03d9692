"""Dropout whose rate may differ between the folds of one program."""

import flax.linen as nn
import jax
import jax.numpy as jnp


class Dropout(nn.Module):
  """Dropout (Srivastava et al., JMLR 2014) whose rate may be a traced scalar, as in a sweep.

  Attributes:
    rate: probability of a value to become 0, in [0, 1).
    by_channel: whether all places of a channel of an example become 0 together (Tompson et al.,
      CVPR 2015).
  """

  rate: float | jax.Array
  by_channel: bool = False

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    """x (any shape), in training with some values 0 and the others scaled by 1 / (1 - rate)."""
    if not train or (isinstance(self.rate, float | int) and self.rate == 0):
      return x
    keep = 1.0 - self.rate
    shape = (x.shape[0], *[1] * (x.ndim - 2), x.shape[-1]) if self.by_channel else x.shape
    # 16 bits tell one rate from another well enough, and drawing them takes half as long as 32.
    drawn = jax.random.bits(self.make_rng("dropout"), shape, jnp.uint16)
    return jnp.where(drawn.astype(jnp.float32) < keep * 2**16, x / keep, 0)
