"""Other ways to foretell activity that was held out, scored as a bi-clustering is."""
