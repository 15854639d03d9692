"""TFDS builders: one folder for each corpus, as its owners distribute it."""
