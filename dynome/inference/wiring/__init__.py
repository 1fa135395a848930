"""Who drives whom, inferred from activity, and how right that is."""
