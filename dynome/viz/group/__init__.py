"""Figures of many sessions: what they share, what differs between animals, which stand out."""
