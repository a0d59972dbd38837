"""How the libraries for picture files are used; each serves several formats or needs an extra."""
