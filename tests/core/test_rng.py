import hashlib
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsecode.core import Streams

names = st.text(min_size=1, max_size=12)
seeds = st.integers(0, 2**70)


@given(seeds, st.lists(names, min_size=2, max_size=5, unique=True))
def test_a_stream_depends_on_seed_and_name_alone(seed, given_names):
    forwards, backwards = Streams(seed), Streams(seed)
    first = {name: forwards(name).random(3) for name in given_names}
    for name in reversed(given_names):
        generator = backwards(name)
        np.testing.assert_array_equal(generator.random(3), first[name])
        generator.random(100)
        np.testing.assert_array_equal(backwards(name).random(3), first[name])
    assert len({tuple(numbers) for numbers in first.values()}) == len(given_names)


@given(seeds, names)
def test_the_key_is_the_hash_of_the_name(seed, name):
    words = np.frombuffer(hashlib.sha256(name.encode()).digest()[:16], "<u4")
    wanted = np.random.SeedSequence(seed, spawn_key=tuple(int(w) for w in words))
    np.testing.assert_array_equal(
        Streams(seed).sequence(name).generate_state(8), wanted.generate_state(8)
    )
    assert Streams(seed)(name).random() == np.random.default_rng(wanted).random()


def test_seeds_names_and_parts_differ():
    streams = Streams(1)
    drawn = [
        Streams(2)("a"),
        streams("a"),
        streams("b"),
        streams("ab"),
        streams.spawn("a")("a"),
        streams.spawn("a")("b"),
        streams.spawn("b")("a"),
        streams.spawn("a").spawn("a")("a"),
    ]
    assert len({generator.integers(2**60) for generator in drawn}) == len(drawn)
    assert streams.spawn("a") == Streams(1, ("a",))
    assert streams.spawn("a")("x").random() == Streams(1).spawn("a")("x").random()


def test_streams_are_uncorrelated():
    n = 20_000
    x, y = Streams(0)("x").normal(size=n), Streams(0)("y").normal(size=n)
    assert abs(np.corrcoef(x, y)[0, 1]) < 4 / np.sqrt(n)


def test_they_travel_between_processes():
    streams = Streams(np.int64(5)).spawn("worker-1")
    assert pickle.loads(pickle.dumps(streams)) == streams
    assert repr(streams) == "Streams(seed=5, path=('worker-1',))"


@pytest.mark.parametrize("seed", [1.0, "1", None, True])
def test_a_seed_is_an_integer(seed):
    with pytest.raises(TypeError, match="seed must be an integer"):
        Streams(seed)


def test_bad_values():
    with pytest.raises(ValueError, match="seed must be at least 0; got -1"):
        Streams(-1)
    with pytest.raises(ValueError, match="name must not be empty"):
        Streams(0)("")
    with pytest.raises(TypeError, match="name must be a string; got 3"):
        Streams(0)(3)
    with pytest.raises(TypeError, match="name must be a string"):
        Streams(0).spawn(3)
