"""What may happen to a file: bytes change or go missing, and makers of files mean ill."""

import json
import math
import random
from copy import deepcopy

import numpy as np

from sparsecode.core import load_arrays, load_metadata, save_arrays

#: What somebody may write where a number or a text is expected.
ODD = (
    None, True, False, -1, 0, 1, 2, 2**31, 2**63, 2**100, -(2**63), 0.5, -1.5, 1e308, math.nan,
    math.inf, -math.inf, "", "a", "NaN", "../../x", "/etc/passwd", "a\0b", [], [[]], [1, 2],
    {}, {"a": 1}, ["x"], [None], {"array": ["x"]},
)  # fmt: skip
_PIECES = (b"\0" * 8, b"\xff" * 8, b"{", b"[" * 40, b"}", b'"', b"..", b"PK\x03\x04", b"\x93NUMPY",
           b"(" * 40, b"9" * 20, b"|O")  # fmt: skip
_DTYPES = ("?", "i1", "<i4", "<i8", "u1", "<u8", "<f2", "<f4", "<f8")


def damaged(content: bytes, seed: int) -> bytes:
    """Return other bytes: a few flipped, cut, put in or put twice."""
    chance = random.Random(seed)
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        # most of what can go wrong is near the two ends of a file
        reach = chance.choice((len(data), min(len(data), 200)))
        place = chance.randrange(reach + 1)
        if chance.random() < 0.3:
            place = len(data) - place
        match chance.randrange(6):
            case 0 | 1 if data:
                data[min(place, len(data) - 1)] ^= 1 << chance.randrange(8)
            case 2 if data:
                data[min(place, len(data) - 1)] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
            case 3:
                del data[place : place + chance.choice((1, 2, 8, 100, len(data)))]
            case 4:
                data[place:place] = chance.choice(_PIECES)
            case _:
                length = chance.choice((1, 4, 8, 64))
                start = chance.randrange(len(data) + 1)
                data[place : place + length] = data[start : start + length]
    return bytes(data)


def altered_json(value, seed: int):
    """Return JSON in which one place holds something else, is gone, or is there once more."""
    chance = random.Random(seed)
    value = json.loads(json.dumps(value))
    for _ in range(chance.choice((1, 1, 2))):
        places = list(_places(value))
        if not places:
            return deepcopy(chance.choice(ODD))
        holder, key = chance.choice(places)
        match chance.randrange(8):
            case 0:
                del holder[key]
            case 1:
                new = "other" if isinstance(holder, dict) else len(holder)
                if isinstance(holder, list):
                    holder.append(deepcopy(holder[key]))
                else:
                    holder[new] = deepcopy(holder[key])
            case 2 if isinstance(holder[key], int | float) and math.isfinite(holder[key]):
                change = (holder[key] + 1, holder[key] - 1, -holder[key], holder[key] * 10**6)
                holder[key] = chance.choice(change)
            case _:
                holder[key] = deepcopy(chance.choice(ODD))
    return value


def _places(value):
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])


def altered_arrays(arrays, seed: int):
    """Return arrays of which one has another type, shape or content, or another name."""
    chance = random.Random(seed)
    arrays = dict(arrays)
    if not arrays:
        return {"other": np.zeros(2)}
    name = chance.choice(sorted(arrays))
    array = np.array(arrays[name])
    match chance.randrange(9):
        case 0:
            del arrays[name]
        case 1:
            arrays["other"] = arrays[name]
        case 2:
            with np.errstate(all="ignore"):
                arrays[name] = array.astype(chance.choice(_DTYPES))
        case 3:
            arrays[name] = array[None]
        case 4:
            arrays[name] = array.reshape(-1)
        case 5:
            flat = array.reshape(-1)
            arrays[name] = flat[: chance.randrange(flat.size + 1)]
        case 6:
            arrays[name] = np.concatenate([array.reshape(-1)] * 2)
        case _ if array.size:
            flat = array.reshape(-1)
            odd = (-1, 0, 1, 2**31 - 1, -(2**31), 2**62, math.nan, math.inf, 0.5, 1e300)
            with np.errstate(all="ignore"):
                try:
                    flat[chance.randrange(flat.size)] = chance.choice(odd)
                except (OverflowError, ValueError):
                    flat[chance.randrange(flat.size)] = 7
            arrays[name] = flat.reshape(array.shape)
    return arrays


def resealed(path, seed: int) -> None:
    """Alter what an array file holds, and write it with a checksum that fits."""
    arrays, metadata = load_arrays(path), load_metadata(path)
    what = seed % 3
    if what != 0:
        metadata = altered_json(metadata, seed)
    if what != 1:
        arrays = altered_arrays(arrays, seed)
    save_arrays(path, arrays, metadata)
