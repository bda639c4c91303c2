"""Real sentences: catalogues, cleaning, a split without near-duplicates; many models at once."""

import struct

import crowd
import numpy as np
import pytest
import sentences
import torch

from helpers import seq2seq
from helpers.data import interface
from helpers.text import END, pair_batch


def catalogue(entries, order="<") -> bytes:
    """A .mo file by hand."""
    sides = [[text.encode() for text in side] for side in zip(*entries)]
    N, at = len(entries), 28 + 16 * len(entries)
    head = struct.pack(f"{order}7I", 0x950412DE, 0, N, 28, 28 + 8 * N, 0, 0)
    tables, strings = b"", b""
    for side in sides:
        for text in side:
            tables += struct.pack(f"{order}2I", len(text), at + len(strings))
            strings += text + b"\0"
    return head + tables + strings


@pytest.mark.parametrize("order", ["<", ">"])
def test_read_mo(tmp_path, order):
    path = tmp_path / "x.mo"
    path.write_bytes(
        catalogue(
            [("", "head"), ("menu\x04Open", "Ouvrir"), ("%1 file\0%1 files", "%1 fichier\0%1 fs")],
            order,
        )
    )
    assert interface.read_mo(path) == [
        ("Open", "Ouvrir"), ("%1 file", "%1 fichier"), ("%1 files", "%1 fs"),
    ]  # fmt: skip
    whole = path.read_bytes()
    for damaged in (b"", b"no catalogue", whole[:9], whole[:-12], whole[:40]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"x\.mo"):
            interface.read_mo(path)


def test_cleaning():
    assert interface.plain(" Save\n as... ") == "Save as…"
    assert interface.plain("l’e\u0301cran") == "l'écran"
    numbered = interface.number_places("{user} said {what}", "{what}, dit {user}")
    assert numbered == ("%1 said %2", "%2, dit %1")
    assert interface.number_places("%s of %s", "%s de %s") == ("%1 of %2", "%1 de %2")
    assert interface.number_places("%(n)d new", "nouveau") is None
    assert interface.number_places("50%", "50%") == ("50%", "50%")
    assert interface.skeleton("Save As…") == interface.skeleton("save as")
    raw = [("<b>a</b>", "b"), ("a" * 201, "b"), ("%1", "%1!"), ("%1 a", "b"), ("Lua", "Lua"),
           ("Open", "Ouvrir"), ("Open ", "Ouvre")]  # fmt: skip
    found = interface.tidy(raw)
    assert found.pairs == (("Open", "Ouvrir"),)
    assert list(found.counts.values()) == [7, 1, 1, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("language", ["fr", "zh"])
def test_split_shares_nothing(language):
    parts = interface.split(language)
    sets = [{interface.skeleton(pair.source) for pair in part} for part in parts]
    assert not (sets[0] & sets[1] or sets[0] & sets[2] or sets[1] & sets[2])
    assert sum(map(len, parts)) == interface.parallel(language).counts["kept"] > 2900
    assert sum(interface.parallel(language).counts.values()) == (
        2 * interface.parallel(language).counts["met"]
    )
    other = {interface.skeleton(pair.source) for pair in interface.other_program(language).pairs}
    assert not other & set.union(*sets)
    assert all(interface.part_of(pair.source) == "test" for pair in parts.test)


def test_errors(monkeypatch):
    for function in (interface.parallel, interface.other_program, interface.split):
        with pytest.raises(ValueError, match="'de'"):
            function("de")
    interface.parallel.cache_clear()
    monkeypatch.setattr("helpers.data.corpora.find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install jupyterlab-language-pack-fr-FR"):
        interface.parallel("fr")


# ---------- many models at once ----------


def problem(K=3):
    units = (sentences.bpe.learn(["ab c", "b aa"], 3),) * 2
    rng = np.random.default_rng(0)
    every = [
        {n: a.astype(float) for n, a in sentences.start(units, 10, s, {"D": 4}).items()}
        for s in range(K)
    ]
    draws = [[[rng.integers(18, len(units[0]), n) for n in sizes] for _ in range(K)]
             for sizes in ((3, 5, 2), (4, 1, 3))]  # fmt: skip
    return every, *draws


def test_each_model_of_a_crowd_is_a_seq2seq():
    every, sources, targets = problem()
    params = crowd.stack(every, "cpu")
    x, lengths = (np.stack(a) for a in zip(*(crowd.padded(s, 0) for s in sources)))
    y = np.stack([crowd.padded(t, -100, [END])[0] for t in targets])
    x, y = (torch.from_numpy(a).permute(2, 0, 1) for a in (x, y))
    found = crowd.losses(crowd.plain_cell, params, x, torch.from_numpy(lengths), y)
    grads = torch.autograd.grad(found.sum(), list(params.values()))
    for k in range(3):
        ours = seq2seq.loss_and_grads(sentences.MODEL, every[k], pair_batch(sources[k], targets[k]))
        assert abs(found[k].item() - ours.loss) < 1e-9
        for name, gradient in zip(params, grads):
            assert np.abs(ours.grads[name] - gradient[k].numpy()).max() < 1e-9
        assert all((crowd.unstack(params, k)[n] == a).all() for n, a in every[k].items())


def test_batches_are_of_the_models_own_and_whole():
    sources = [np.arange(2, 4 + i % 5) for i in range(40)]
    targets = [np.array([i + 2]) for i in range(40)]
    seen, feed = [[], []], crowd.batches(sources, targets, 5, [0, 1], "cpu")
    for _ in range(8):
        source, lengths, y = next(feed)
        assert source.shape[1:] == y.shape[1:] == (2, 5)
        assert (y[1] == END).all()
        for k in range(2):
            seen[k] += y[0, k].tolist()
            assert (lengths[k] == torch.tensor([len(sources[i - 2]) for i in y[0, k]])).all()
    assert sorted(seen[0]) == sorted(seen[1]) == list(range(2, 42))
    assert seen[0] != seen[1]


def test_a_crowd_learns_and_stops_in_time():
    every, sources, targets = problem()
    params = crowd.stack([{n: a.astype(np.float32) for n, a in p.items()} for p in every], "cpu")
    settings = {"B": 3, "max_norm": 1.0, "warm_up": 5, "checks": 4}
    data = sources[0], targets[0]

    def check(cell, params):
        x, lengths = crowd.padded(data[0], 0)
        ids = crowd.translate(cell, params, torch.from_numpy(x.T), torch.from_numpy(lengths), 9)
        said = [[list(sentences.up_to_end(column)) for column in ids[:, k].T] for k in range(3)]
        return [np.mean([a == list(b) for a, b in zip(s, data[1])]) for s in said]

    best, made = crowd.train(
        params, data, [0.05] * 3, [0.0] * 3, [0, 1, 2], settings, 70, check, "cpu"
    )
    assert made == 70
    assert (best == 1).all()
    assert np.array_equal(check(crowd.plain_cell, params), best)
    with pytest.raises(crowd.Stopped):
        crowd.train(params, data, [0.02] * 3, [0.0] * 3, [0, 1, 2], settings, 10**6, check, "cpu",
                    until=0.0)  # fmt: skip
