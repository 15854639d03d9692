"""The face: one anatomy for everything that draws, learns from or looks at faces.

anatomy.py        proportions and looks of a person
action_units.py   where each action unit moves a face
prototypes.py     which action units an emotion shows
timing.py         when a face moves: onset, apex, offset, and what else happens meanwhile
"""
