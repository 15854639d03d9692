"""SAMM: 29 subjects with 159 micro-expressions at 200 frames per second."""
