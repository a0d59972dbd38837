"""Pictures: pixels, files and metadata. Arrays are (height, width, channels)."""
