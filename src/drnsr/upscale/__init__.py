"""The upscaling of files: what `drnsr upscale`, the demo and a served model share."""
