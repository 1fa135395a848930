"""Loaders of what the package carries: one module, one ``load_*`` each."""
