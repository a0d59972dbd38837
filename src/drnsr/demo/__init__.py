"""A page to try the models on: `drnsr demo`."""
