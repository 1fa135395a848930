"""Hidden Markov chains: exact kernels on arrays, labelled input, and the plain models."""
