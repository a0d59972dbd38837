"""Training: the Lightning module, its schedule and its callbacks."""
