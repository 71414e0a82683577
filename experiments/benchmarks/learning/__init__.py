"""Dictionaries learned from whitened patches."""
