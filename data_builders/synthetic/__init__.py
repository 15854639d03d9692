"""Synthetic corpora in the layouts of CASME II, SAMM and SMIC: work before the licence arrives.

`write` plans the clips (plan), composes who is seen moving how (scene, from identity, expression,
muscles and motion), draws them (face, texture, render), and writes tree, sheet and ground truth
(writer, sheets, truth). Identity, light, drift, noise and blinks are independent of the emotion;
only the motion from onset to apex tells it.
"""

from data_builders.synthetic.writer import write

__all__ = ["write"]
