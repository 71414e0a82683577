"""Overlaps of queries with very many stored SDRs."""
