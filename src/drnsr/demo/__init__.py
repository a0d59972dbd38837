"""The demo: a web page to try the models on, served by `drnsr demo`."""
