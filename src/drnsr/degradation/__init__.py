"""Degradations: how a low-resolution picture of lower quality is made from the original."""
