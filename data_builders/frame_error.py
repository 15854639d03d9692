"""The one error of decoding: it refuses a clip and never ends a build."""


class FrameError(Exception):
  """A clip cannot be read; the message is the reason for which the clip is refused."""
