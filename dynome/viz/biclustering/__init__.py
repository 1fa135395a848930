"""Figures of a Bayesian bi-clustering: who belongs together, when, and how sure that is."""
