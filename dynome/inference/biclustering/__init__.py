"""Bayesian bi-clustering: which nodes share a trajectory, and which stretches of time share its dynamics."""
