"""Side by side with the peers: ``python -m experiments.benchmarks.encode_l1`` and its kin."""
