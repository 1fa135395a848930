"""Forms that a data tensor can take: dense, on an accelerator, in chunks, sparse, or never formed at all."""
