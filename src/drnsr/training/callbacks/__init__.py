"""What Lightning calls during a training."""
