"""Generalised linear models of populations: laws, histories, designs and solvers, on arrays."""
