"""Affinities: how much two nodes change together at one moment."""
