"""A person's own video: where and when a face moves.

regions.py     where an aligned face is looked at
curves.py      how far each region has moved, frame by frame
rest.py        where a face is at rest, and which motion is no expression
intervals.py   when something moved: onset, apex, offset
baselines.py   two published ways to spot, to compare with
methods.py     the ways that can be chosen
decode.py      frames of a file on an even grid of time
landmarks.py   faces and their landmarks in a frame, by networks
align.py       from landmarks to an aligned face
usable.py      what keeps a face in a frame from being measured
follow.py      each face through a video
crops.py       aligned faces by a detector alone
"""
