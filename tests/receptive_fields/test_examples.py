"""What the docstrings show is what happens."""

import doctest

import pytest

from sparsecode import receptive_fields

EXAMPLES = [
    example
    for name in receptive_fields.__all__
    for example in doctest.DocTestFinder(recurse=False).find(
        getattr(receptive_fields, name), name, globs={}
    )
    if example.examples
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_example(example):
    said = []
    assert doctest.DocTestRunner().run(example, out=said.append).failed == 0, "".join(said)


def test_every_function_has_one():
    functions = {name for name in receptive_fields.__all__ if name.islower()}
    assert {example.name for example in EXAMPLES} == functions
