"""Video files: reading their frames as RGB, and writing upscaled ones with all that goes with them.

PyAV reads and writes them with the FFmpeg libraries that its wheels carry. The modules beside
:mod:`drnsr.video.files` import it, so they are imported for a video alone.
"""
