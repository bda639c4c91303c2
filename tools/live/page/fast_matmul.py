"""Put the compiled matrix products of matmul.c behind np.matmul, and so behind @.

NumPy keeps its inner loops in a table inside of the ufunc object. Where that table lies is read off
the object and checked in every way that there is before an address is changed; a few products are
then compared, bit for bit, with what they were before. Any doubt leaves NumPy as it is.
"""

import ctypes

import numpy as np

BLOCK, DEPTH, WIDE = 64, 256, 8  # as in matmul.c, for float32
LOOPS = ((np.float32, "matmul32"), (np.float64, "matmul64"))


def _word(address):
    return ctypes.c_uint32.from_address(address)


def _tables():
    """Addresses of the loops, of their data and types, and how many there are."""
    at = id(np.matmul)  # PyObject_HEAD is two words; then nin, nout, nargs, identity, functions, …
    nin, nout, nargs = (_word(at + 4 * k).value for k in (2, 3, 4))
    functions, data, count, name, types = (_word(at + 4 * k).value for k in (6, 7, 8, 10, 11))
    known = (nin, nout, nargs) == (2, 1, 3) and count == len(np.matmul.types)
    if not (known and ctypes.string_at(name) == b"matmul"):
        raise RuntimeError("NumPy's table of loops is not where it was expected")
    return functions, data, ctypes.string_at(types, 3 * count)


def samples():
    """Pairs of arrays of many shapes, strides and numbers, NaN and infinity among them."""
    rng = np.random.default_rng(0)
    for dtype, _ in LOOPS:
        for m, n, p in ((1, 1, 1), (3, 5, 7), (4, 300, 8), (70, 9, 17), (33, 64, 40)):
            a = rng.standard_normal((m, n)).astype(dtype)
            b = rng.standard_normal((n, p)).astype(dtype)
            yield a, b
            yield a[::-1], np.asfortranarray(b)
        yield np.array([[1e30, -0.0], [np.nan, 1]], dtype), np.array([[1e30], [np.inf]], dtype)


def same(one, two):
    """Bit for bit; of NaN only that it is one, since WebAssembly leaves its sign open."""

    def bits(x):
        return np.where(np.isnan(x), x.dtype.type(np.nan), x).tobytes()

    return all(x.dtype == y.dtype and bits(x) == bits(y) for x, y in zip(one, two))


def install(path):
    """True if the compiled products are in place; False if NumPy's own stay.

    `switch(False)` puts NumPy's own back, `switch(True)` the compiled ones: for tests.
    Raises: OSError if the library does not load; RuntimeError if NumPy is built in another way.
    """
    with np.errstate(all="ignore"):
        before = [a @ b for a, b in samples()]
        library = ctypes.CDLL(path)
        functions, data, types = _tables()
        scratch = ctypes.create_string_buffer(8 * (BLOCK * DEPTH + WIDE * DEPTH + 64) + 16)
        for dtype, symbol in LOOPS:
            k = types.index(bytes([np.dtype(dtype).num] * 3)) // 3
            loop = ctypes.cast(getattr(library, symbol), ctypes.c_void_p).value
            for place, new in (
                (functions + 4 * k, loop),
                (data + 4 * k, ctypes.addressof(scratch)),
            ):
                _places.append((place, _word(place).value, new))
        _kept.extend((library, scratch))  # as long as NumPy may call them
        switch(True)
        if same(before, [a @ b for a, b in samples()]):
            return True
        switch(False)
        return False


_places, _kept = [], []  # (address, what stood there, what stands there now)


def switch(on):
    for place, old, new in _places:
        _word(place).value = new if on else old
