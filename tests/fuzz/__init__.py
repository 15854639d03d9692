"""Random input for what people hand to the package: each case ends with a result or a message."""
