"""Model files, checkpoints of other programs, and training states: from files to networks."""
