"""listing: clips of one's own, from a table (clips.csv) or from the names of folders."""
