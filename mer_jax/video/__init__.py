"""A person's own video: where and when a face moves.

regions.py     where an aligned face is looked at
curves.py      how far each region has moved, frame by frame
intervals.py   when something moved: onset, apex, offset
"""
