"""Models as files that say everything needed to run them."""
