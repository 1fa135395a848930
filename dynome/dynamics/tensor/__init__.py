"""Affinity tensors and their nonnegative factorisation."""
