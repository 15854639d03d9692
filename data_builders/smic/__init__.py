"""SMIC: 16 subjects, 164 high-speed clips, and 71 each of a normal and an infrared camera."""
