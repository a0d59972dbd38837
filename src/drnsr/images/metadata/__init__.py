"""The metadata of picture files, rewritten for a picture of another size."""
