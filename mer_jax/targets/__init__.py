"""Targets: what is predicted of a clip. A target is one file with its loss, columns and scores.

The engine reads a target's training side (`SingleClass`: the loss, the weights of clips, which
predictions are right, probabilities from logits); predictions.csv reads its columns, evaluation its
scores.
"""

from mer_jax.targets.single_class import SingleClass

__all__ = ["SingleClass"]
