"""Applying a trained network to pictures."""
