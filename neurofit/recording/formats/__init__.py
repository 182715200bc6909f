"""One module or a few for each kind of file: bytes become a Recording. ``load.py`` chooses among them."""
