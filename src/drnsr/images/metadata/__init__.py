"""What stands beside the pixels of a file."""
