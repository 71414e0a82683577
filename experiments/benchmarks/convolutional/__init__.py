"""Certified convolutional l1 codes of photographs."""
