"""What a forecast is, how it is scored, and the models without a graph network."""
