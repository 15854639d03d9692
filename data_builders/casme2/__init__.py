"""CASME II: 26 subjects, 255 clips of spontaneous micro-expressions at 200 frames per second."""
