"""A person's own video: where and when a face moves.

regions.py     where an aligned face is looked at
curves.py      how far each region has moved, frame by frame
rest.py        where a face is at rest, and which motion is no expression
intervals.py   when something moved: onset, apex, offset
baselines.py   two published ways to spot, to compare with
methods.py     the ways that can be chosen
crops.py       aligned faces by a detector alone
"""
