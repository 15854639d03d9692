"""Synthetic corpora in the layouts of CASME II, SAMM and SMIC: work before the licence arrives.

`write` plans the clips (plan), composes who is seen moving how (scene, from the anatomy, action
units, prototypes and timing of mer_jax.face), draws them (face, texture, warp, render), and writes
tree, sheet and ground truth (writer, sheets, truth). Identity, light, drift, noise and blinks are
independent of the emotion; only the motion from onset to apex depends on it.
"""

from data_builders.synthetic.writer import write

__all__ = ["write"]
