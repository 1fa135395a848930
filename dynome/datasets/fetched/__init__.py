"""Loaders of downloaded data sets: one module, one ``fetch_*`` each."""
