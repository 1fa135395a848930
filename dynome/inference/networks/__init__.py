"""Networks that forecast activity, with and without the connectome, and what they have learnt."""
