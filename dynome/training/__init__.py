"""Training of torch networks: optimisation that stops early, resumes exactly and touches nothing global."""
