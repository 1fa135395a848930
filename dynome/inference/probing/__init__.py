"""What is known of animals, read from their recordings: folds, probes, baselines, fingerprints."""
