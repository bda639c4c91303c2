"""The conditional random field: against all paths, finite differences and torch; and borders."""

import numpy as np
import pytest

from helpers import crf, gradcheck, tagger
from helpers.losses import cross_entropy
from helpers.lstm import LSTM
from helpers.rnn import RNN
from helpers.text import sequence_mask

torch = pytest.importorskip("torch")
RNG = np.random.default_rng
TAGS = ("O", "B-to", "I-to", "B-from", "I-from")


def random_crf(rng, C=4):
    return {name: rng.normal(size=s) for name, s in (("A", (C, C)), ("b_start", C), ("b_end", C))}


def random_batch(seed, T=6, B=5, C=4):
    """Scores, targets, lengths (one of them 1) and a crf."""
    rng = RNG(seed)
    lengths = rng.integers(1, T + 1, size=B)
    lengths[:2] = T, 1
    z, targets = 2 * rng.normal(size=(T, B, C)), rng.integers(0, C, size=(T, B))
    return z, targets, lengths, random_crf(rng, C)


def legal_batch(seed, T=6, B=4):
    """The same with BIO rules, and targets that keep them."""
    rng, C = RNG(seed), len(TAGS)
    rules = crf.bio_rules(TAGS, np.float64)
    z, lengths = rng.normal(size=(T, B, C)), np.array([T, 1, 4, 5])
    targets = np.stack([crf.viterbi(3 * rng.normal(size=(T, C)), rules) for _ in range(B)], axis=1)
    return z, targets, lengths, random_crf(rng, C), rules


# --- One sentence, against all paths ------------------------------------------------------------


@pytest.mark.parametrize("T", [1, 2, 5])
@pytest.mark.parametrize("rules", [None, crf.bio_rules(TAGS, np.float64)])
def test_one_sentence_against_all_paths(T, rules):
    rng = RNG(T)
    z, chain = 2 * rng.normal(size=(T, 5)), crf.add_rules(random_crf(rng, 5), rules)
    paths, scores = crf.paths_and_scores(z, chain)
    assert len(paths) == 5**T and len({tuple(p) for p in paths}) == 5**T
    for path, score in zip(paths[::97], scores[::97]):
        assert crf.path_score(z, path, chain) == pytest.approx(score, abs=1e-12)
    total = crf.log_partition(z, chain)
    assert total == pytest.approx(np.logaddexp.reduce(scores), abs=1e-12)

    p = np.exp(scores - total)
    one, pairs = crf.marginals(z, chain)
    for t in range(T):
        wanted = np.bincount(paths[:, t], p, minlength=5)
        np.testing.assert_allclose(one[t], wanted, atol=1e-12)
    for t in range(T - 1):
        wanted = np.bincount(5 * paths[:, t] + paths[:, t + 1], p, minlength=25)
        np.testing.assert_allclose(pairs[t].ravel(), wanted, atol=1e-12)
        np.testing.assert_allclose(pairs[t].sum(axis=1), one[t], atol=1e-12)
    best = crf.viterbi(z, chain)
    assert best.tolist() == paths[scores.argmax()].tolist()


def test_alpha_and_beta_meet_at_every_word():
    z, chain = RNG(0).normal(size=(7, 4)), random_crf(RNG(1))
    meet = np.logaddexp.reduce(crf.log_alpha(z, chain) + crf.log_beta(z, chain), axis=1)
    np.testing.assert_allclose(meet, crf.log_partition(z, chain), atol=1e-12)


def test_a_label_forbidden_at_a_word_splits_the_sum():
    """Z over paths with label 2 at word 1, and over those without, make Z."""
    z, chain = RNG(0).normal(size=(5, 4)), random_crf(RNG(1))
    with_it, without = z.copy(), z.copy()
    with_it[1, [0, 1, 3]] = without[1, 2] = -np.inf
    parts = [crf.log_partition(part, chain) for part in (with_it, without)]
    assert np.logaddexp(*parts) == pytest.approx(crf.log_partition(z, chain), abs=1e-12)
    one, _ = crf.marginals(z, chain)
    assert np.exp(parts[0] - np.logaddexp(*parts)) == pytest.approx(one[1, 2], abs=1e-12)


def test_without_transitions_viterbi_takes_each_words_best():
    z = RNG(0).normal(size=(30, 6))
    assert (crf.viterbi(z, crf.init_crf(6, np.float64)) == z.argmax(axis=1)).all()


# --- A batch ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_batch_against_one_by_one(seed):
    z, targets, lengths, chain = random_batch(seed)
    loss, grads, state = crf.crf_loss(z, targets, lengths, chain)
    total, dA, start, end = 0, np.zeros((4, 4)), np.zeros(4), np.zeros(4)
    for b, n in enumerate(lengths):
        path = targets[:n, b]
        total += crf.log_partition(z[:n, b], chain) - crf.path_score(z[:n, b], path, chain)
        one, pairs = crf.marginals(z[:n, b], chain)
        dz = one - np.eye(4)[path]
        dA += pairs.sum(axis=0) - sum(np.outer(*np.eye(4)[[i, j]]) for i, j in zip(path, path[1:]))
        start, end = start + dz[0], end + dz[-1]
        np.testing.assert_allclose(grads["z"][:n, b] * lengths.sum(), dz, atol=1e-12)
        assert (grads["z"][n:, b] == 0).all()
    assert loss == pytest.approx(total / lengths.sum(), abs=1e-12) and state is None
    for name, wanted in (("A", dA), ("b_start", start), ("b_end", end)):
        np.testing.assert_allclose(grads[name] * lengths.sum(), wanted, atol=1e-11)


@pytest.mark.parametrize("seed", range(3))
def test_without_transitions_it_is_the_cross_entropy_of_each_word(seed):
    z, targets, lengths, _ = random_batch(seed)
    loss, grads, _ = crf.crf_loss(z, targets, lengths, crf.init_crf(4, np.float64))
    per_word, dz = cross_entropy(z, targets, sequence_mask(lengths, len(z)))
    assert loss == pytest.approx(per_word, abs=1e-12)
    np.testing.assert_allclose(grads["z"], dz, atol=1e-12)


@pytest.mark.parametrize("with_rules", [False, True])
def test_against_finite_differences(with_rules):
    if with_rules:
        z, targets, lengths, chain, rules = legal_batch(0)
    else:
        (z, targets, lengths, chain), rules = random_batch(0), None

    def f():
        return crf.crf_loss(z, targets, lengths, crf.add_rules(chain, rules)).loss

    grads = crf.crf_loss(z, targets, lengths, crf.add_rules(chain, rules)).grads
    gradcheck.largest(gradcheck.compare(f, {"z": z, **chain}, grads), 1e-6)
    if with_rules:  # what is forbidden learns nothing
        assert all((grads[name][rules[name] == -np.inf] == 0).all() for name in crf.NAMES)
        assert (rules["A"] == -np.inf).sum() == 6 and (rules["b_start"] == -np.inf).sum() == 2


def in_torch(z, targets, lengths, A, start, end):
    """The same loss in PyTorch, sentence by sentence; gradients by autograd."""
    total = 0
    for b, n in enumerate(lengths.tolist()):
        path, s = torch.tensor(targets[:n, b]), z[:n, b]
        score = start[path[0]] + s[torch.arange(n), path].sum() + A[path[:-1], path[1:]].sum()
        alpha = start + s[0]
        for t in range(1, n):
            alpha = s[t] + torch.logsumexp(alpha[:, None] + A, dim=0)
        total = total + torch.logsumexp(alpha + end, dim=0) - score - end[path[-1]]
    return total / int(lengths.sum())


@pytest.mark.parametrize("seed", range(3))
def test_against_torch(seed):
    z, targets, lengths, chain = random_batch(seed)
    loss, grads, _ = crf.crf_loss(z, targets, lengths, chain)
    theirs = {name: torch.tensor(a, requires_grad=True) for name, a in {"z": z, **chain}.items()}
    t_loss = in_torch(theirs["z"], targets, lengths, *(theirs[name] for name in crf.NAMES))
    t_loss.backward()
    errors = {name: np.abs(theirs[name].grad.numpy() - g).max() for name, g in grads.items()}
    gradcheck.largest({**errors, "loss": abs(t_loss.item() - loss)}, 1e-9)


def test_padding_is_not_read():
    z, targets, lengths, chain = random_batch(0)
    kept = crf.crf_loss(z, targets, lengths, chain)
    outside = ~sequence_mask(lengths, len(z))
    z[outside], targets[outside] = 1e5, 3
    after = crf.crf_loss(z, targets, lengths, chain)
    assert after.loss == kept.loss
    assert all((after.grads[name] == g).all() for name, g in kept.grads.items())
    paths = crf.decode(z, lengths, chain)
    assert [len(path) for path in paths] == lengths.tolist()
    assert all((p == crf.viterbi(z[:n, b], chain)).all()
               for b, (n, p) in enumerate(zip(lengths, paths)))  # fmt: skip


# --- Rules --------------------------------------------------------------------------------------


def test_bio_rules():
    rules = crf.bio_rules(TAGS)
    allowed = {(TAGS[i], TAGS[j]) for i, j in np.argwhere(rules["A"] == 0)}
    assert {(a, b) for a, b in allowed if b == "I-to"} == {("B-to", "I-to"), ("I-to", "I-to")}
    assert sum(b == "O" for _, b in allowed) == sum(b == "B-to" for _, b in allowed) == 5
    assert [TAGS[j] for j in np.flatnonzero(rules["b_start"] == 0)] == ["O", "B-to", "B-from"]
    assert (rules["b_end"] == 0).all() and rules["A"].dtype == np.float32
    for name in ("X", "I", "O-to", "B-", ""):
        with pytest.raises(ValueError, match="neither O nor B"):
            crf.bio_rules(["O", name])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_large_negative_number_gives_nearly_the_same(dtype):
    z, targets, lengths, chain, rules = legal_batch(1)
    z, chain = z.astype(dtype), {name: a.astype(dtype) for name, a in chain.items()}
    hard = crf.crf_loss(z, targets, lengths, crf.add_rules(chain, rules | {
        name: rules[name].astype(dtype) for name in crf.NAMES}))  # fmt: skip
    finite = {
        name: np.where(rules[name] == -np.inf, dtype(-1e4), chain[name]) for name in crf.NAMES
    }
    soft = crf.crf_loss(z, targets, lengths, finite)
    assert soft.loss == pytest.approx(hard.loss, abs=1e-5)
    assert all(np.isfinite(g).all() and g.dtype == dtype for g in hard.grads.values())


def test_targets_that_are_forbidden():
    z, targets, lengths, chain, rules = legal_batch(0)
    chain = crf.add_rules(chain, rules)
    wrong = targets.copy()
    wrong[1:3, 2] = 0, 2
    with pytest.raises(ValueError, match=r"targets\[:, 2\] is forbidden .* the step to word 2"):
        crf.crf_loss(z, wrong, lengths, chain)
    wrong = targets.copy()
    wrong[0, 1] = 2
    with pytest.raises(ValueError, match=r"targets\[:, 1\] is forbidden .* first or last label"):
        crf.crf_loss(z, wrong, lengths, chain)
    wrong = targets.copy()
    wrong[1:, 1] = 2  # in the padding
    assert crf.crf_loss(z, wrong, lengths, chain).loss == crf.crf_loss(
        z, targets, lengths, chain).loss  # fmt: skip


def test_nothing_is_allowed():
    z, targets, lengths, chain = random_batch(0)
    nothing = {**chain, "b_start": np.full(4, -np.inf)}
    assert crf.log_partition(z[:, 0], nothing) == -np.inf
    for call in (
        lambda: crf.crf_loss(z, targets, lengths, nothing),
        lambda: crf.marginals(z[:, 0], nothing),
        lambda: crf.viterbi(z[:, 0], nothing),
        lambda: crf.decode(z, lengths, nothing),
    ):
        with pytest.raises(ValueError, match="every path of sentence 0 is forbidden"):
            call()


# --- A tagger -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("cell", "both"), [(RNN, False), (LSTM, True)])
def test_tagger_against_finite_differences(cell, both):
    rng, C = RNG(0), len(TAGS)
    params = tagger.init_tagger(cell, 4, 2, 2, C, rng, bidirectional=both, dtype=np.float64)
    params |= random_crf(rng, C)
    _, targets, lengths, _, rules = legal_batch(2)
    ids = rng.integers(0, 4, size=targets.shape)

    def f():
        return crf.loss_and_grads(cell, params, ids, targets, lengths, rules).loss

    _, grads, state = crf.loss_and_grads(cell, params, ids, targets, lengths, rules)
    assert grads.keys() == params.keys() and state is None
    gradcheck.largest(gradcheck.compare(f, params, grads), 1e-6)
    legal = crf.tag(cell, params, ids, lengths, rules)
    for path in legal:
        assert rules["b_start"][path[0]] == 0 and (rules["A"][path[:-1], path[1:]] == 0).all()


def test_a_tagger_with_zeros_is_the_tagger():
    rng = RNG(0)
    params = tagger.init_tagger(RNN, 6, 3, 4, 5, rng)
    ids, targets = (rng.integers(0, n, size=(6, 4)) for n in (6, 5))
    lengths = np.array([6, 1, 4, 5])
    plain = tagger.loss_and_grads(RNN, params, ids, targets, lengths)
    ours = crf.loss_and_grads(RNN, params | crf.init_crf(5), ids, targets, lengths)
    assert ours.loss == pytest.approx(plain.loss, abs=1e-6)
    for name, g in plain.grads.items():
        np.testing.assert_allclose(ours.grads[name], g, atol=1e-6)


# --- Borders ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"z": np.zeros((6, 5))}, ValueError, "z has shape"),
        ({"z": np.zeros((6, 5, 4), int)}, ValueError, "expected one dtype"),
        ({"z": np.zeros((6, 5, 4), np.float32)}, ValueError, "z float32, A float64"),
        ({"z": np.full((6, 5, 4), np.nan)}, ValueError, "z holds"),
        ({"z": np.full((6, 5, 4), -np.inf)}, ValueError, "z holds"),
        ({"targets": np.full((6, 5), 4)}, IndexError, "targets must lie in 0 … 3"),
        ({"targets": np.full((6, 5), -1)}, IndexError, "targets must lie in 0 … 3"),
        ({"targets": np.zeros((6, 5))}, TypeError, "targets must be .* integers"),
        ({"targets": np.zeros((5, 5), int)}, ValueError, "targets has shape"),
        ({"lengths": np.array([6, 1, 4, 5, 0])}, ValueError, "lengths must lie in 1 … 6"),
        ({"lengths": np.array([6, 1, 4, 5, 7])}, IndexError, "lengths must lie"),
        ({"A": np.full((4, 4), np.nan)}, ValueError, "A holds NaN"),
        ({"b_end": np.full(4, np.inf)}, ValueError, "b_end holds NaN or .inf"),
        ({"b_start": np.zeros(3)}, ValueError, r"b_start has shape \(3,\)"),
        ({"b_start": np.zeros(4, np.float32)}, ValueError, "b_start float32"),
    ],
)
def test_arguments_that_are_refused(change, error, words):
    z, targets, lengths, chain = random_batch(0)
    given = {"z": z, "targets": targets, "lengths": lengths, **chain} | change
    chain = {name: given.pop(name) for name in crf.NAMES}
    with pytest.raises(error, match=words):
        crf.crf_loss(**given, crf=chain)


def test_one_sentence_refuses_what_is_wrong():
    z, chain = np.zeros((3, 4)), random_crf(RNG(0))
    with pytest.raises(ValueError, match="crf has no b_end"):
        crf.viterbi(z, {name: chain[name] for name in ("A", "b_start")})
    with pytest.raises(ValueError, match="z is empty"):
        crf.viterbi(np.zeros((0, 4)), chain)
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="z holds NaN or .inf"):
            crf.log_partition(np.where(np.eye(3, 4) > 0, bad, z), chain)
    with pytest.raises(ValueError, match="path has shape"):
        crf.path_score(z, [0, 1], chain)
    with pytest.raises(IndexError, match="path must lie in 0 … 3"):
        crf.path_score(z, [0, 1, 4], chain)
    with pytest.raises(ValueError, match="more than a million"):
        crf.paths_and_scores(np.zeros((11, 4)), chain)
    with pytest.raises(ValueError, match="C must be a positive integer"):
        crf.init_crf(0)


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int32, np.uint64])
def test_integers_of_every_type(kind):
    z, targets, lengths, chain = random_batch(0)
    wanted = crf.crf_loss(z, targets, lengths, chain)
    got = crf.crf_loss(z, targets.astype(kind), lengths.astype(kind), chain)
    assert got.loss == wanted.loss and (got.grads["A"] == wanted.grads["A"]).all()
    assert crf.path_score(z[:, 0], targets[:, 0].astype(kind), chain) == crf.path_score(
        z[:, 0], targets[:, 0], chain)  # fmt: skip


def test_large_and_small_scores():
    z, targets, lengths, chain = random_batch(0)
    for scale in (0.0, 5e-324, 1e-300, 1e5, 1e100):
        loss, grads, _ = crf.crf_loss(scale * z, targets, lengths, chain)
        assert np.isfinite(loss) and loss >= 0
        assert all(np.isfinite(g).all() for g in grads.values())
    one = crf.crf_loss(np.zeros((3, 2, 1)), np.zeros((3, 2), int), np.array([3, 2]),
                       random_crf(RNG(0), C=1))  # fmt: skip
    assert one.loss == pytest.approx(0, abs=1e-12)  # one label: nothing to choose
    with (
        pytest.raises(ValueError, match="the sum over all paths holds NaN or .inf"),
        np.errstate(over="ignore", invalid="ignore"),
    ):
        crf.crf_loss(np.full_like(z, 1e308), targets, lengths, chain)
