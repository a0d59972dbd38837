"""Pixels: files, MATLAB-exact resizing, colour. Arrays are (height, width, channels)."""
