"""Certified l1 codes of whitened patches."""
