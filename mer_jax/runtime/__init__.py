"""Runtime: several processes, signals, atomic files, progress."""
