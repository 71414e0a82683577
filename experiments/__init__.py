"""One module per question: each declares an experiment, its figure and its claims.

They live in the checkout and are never installed. ``python -m experiments list`` shows them.
"""
