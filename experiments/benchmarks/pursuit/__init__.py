"""Codes with a given number of active atoms."""
