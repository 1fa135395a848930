"""What is believed about the coupling before data are seen."""
