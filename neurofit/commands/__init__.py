"""The commands of ``neurofit``, by what they are about; :mod:`neurofit.cli` puts them together."""
