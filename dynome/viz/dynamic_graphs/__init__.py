"""Connectivity that changes, and what is learnt from it without labels."""
