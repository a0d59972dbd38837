"""Deep residual networks for single-image super-resolution, and the pipeline around them."""
