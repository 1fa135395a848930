"""What a hidden state says of a bin: laws of the observations without inputs, with their priors and updates."""
