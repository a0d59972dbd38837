"""Data sets: fetching, preparing, and drawing training samples from them."""
