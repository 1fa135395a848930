"""What is concluded from models with hidden states: how many states, how good, how sure."""
