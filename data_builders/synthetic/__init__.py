"""Synthetic corpora in the trees and sheets of CASME II, SAMM and SMIC; see README.md here."""

from data_builders.synthetic.writer import write

__all__ = ["write"]
