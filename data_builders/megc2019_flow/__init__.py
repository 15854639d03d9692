"""Optical-flow maps that projects publish for the 442 clips of the MEGC2019 composite."""
