"""Tensors over nodes and pairs, and their nonnegative factorisation."""
