"""neurofit."""
