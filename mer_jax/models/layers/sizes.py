"""The sizes that images must have."""

import jax

from mer_jax.errors import ConfigError


def check_image(image: jax.Array, least: int) -> None:
  """Raises ConfigError where `image` (float [B, H, W, C]) has fewer than `least` pixels a side."""
  height, width = image.shape[1:3]
  if min(height, width) < least:
    raise ConfigError(
      f"The model needs images of at least {least} x {least} pixels; these are"
      f" {width} x {height}. Raise config.input.size."
    )
