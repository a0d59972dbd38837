"""Training: the Lightning modules, losses, schedules, optimizers and callbacks."""
