"""GLMs that switch between states, with priors on the coupling."""
