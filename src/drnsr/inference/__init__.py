"""Inference: engines, tiling and the upscaler; arrays in, arrays out."""
