# %% [markdown]
# # Attention, forward and backward
#
# You write attention with scaled dot scores: weights over the places of a memory, the mean that
# they take of it, and the way back through both. NumPy is all that you need and all that is
# allowed: the tests look whether `torch` or `helpers` was imported. The equations are those of
# notebook 23.
#
# Shapes: queries `q` (T, B, H), memory `m` (S, B, H), `mask` (S, B), which is true where the
# memory holds something. Every sequence has at least one place that holds something. Weights are
# (T, B, S).
#
# There are 20 points. Under each task stands a cell with an example that you can run; the tests
# that give the points are more than the example.

# %%
import numpy as np


def example(T=3, S=5, B=2, H=4, seed=0):
    """Queries, a memory, and a mask of sequences of unequal length."""
    rng = np.random.default_rng(seed)
    lengths = np.arange(B) % 3 + S - 2
    mask = np.arange(S)[:, None] < lengths
    return rng.normal(size=(T, B, H)), rng.normal(size=(S, B, H)), mask


# %% [markdown]
# ## 1. Softmax under a mask (5 points)
#
# $\alpha_j \propto e^{e_j}$ over the places that the mask allows; the others get exactly zero.
# Large scores must not overflow.


# %% task="softmax"
def masked_softmax(e, mask):
    """Weights over the last axis of the scores e (…, S), where mask, of the same shape, is true."""
    ### BEGIN SOLUTION
    e = np.where(mask, e, -np.inf)
    weights = np.exp(e - e.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)
    ### END SOLUTION


# %% test="softmax-values" points=2
assert np.allclose(masked_softmax(np.array([0, np.log(3)]), np.array([True, True])), [0.25, 0.75])
### BEGIN HIDDEN TESTS
assert not {"torch", "helpers"} & {name.split(".")[0] for name in __import__("sys").modules}, (
    "NumPy alone"
)
e = np.random.default_rng(1).normal(size=(3, 2, 5))
everything = np.ones(e.shape, bool)
assert np.allclose(masked_softmax(e, everything), np.exp(e) / np.exp(e).sum(-1, keepdims=True))
with np.errstate(over="raise", invalid="raise"):
    assert np.allclose(
        masked_softmax(e + 2000, everything), masked_softmax(e, everything), atol=1e-9
    )
### END HIDDEN TESTS

# %% test="softmax-mask" points=3
### BEGIN HIDDEN TESTS
e = np.array([[5.0, 1.0, 1.0], [0.0, 0.0, 900.0]])
allowed = np.array([[False, True, True], [True, True, False]])
found = masked_softmax(e, allowed)
assert np.allclose(found, [[0, 0.5, 0.5], [0.5, 0.5, 0]]), "what is masked takes no share"
assert np.all(found[~allowed] == 0)
### END HIDDEN TESTS

# %% [markdown]
# ## 2. Attend (4 points)
#
# The score of place $j$ for query $t$ is $q_t \cdot m_j / \sqrt H$, and the context is the mean
# of the memory under the weights: $c_t = \sum_j \alpha_{tj}\, m_j$.


# %% task="attend"
def attend(q, m, mask):
    """The contexts (T, B, H) and the weights (T, B, S)."""
    ### BEGIN SOLUTION
    e = np.einsum("tbh,sbh->tbs", q, m) / np.sqrt(q.shape[-1])
    weights = masked_softmax(e, np.broadcast_to(mask.T, e.shape))
    return np.einsum("tbs,sbh->tbh", weights, m), weights
    ### END SOLUTION


# %% test="attend-weights" points=2
### BEGIN HIDDEN TESTS
def _attend(q, m, mask):
    """The same with loops: for each sequence and each query."""
    (T, B, H), S = q.shape, len(m)
    contexts, weights = np.zeros((T, B, H)), np.zeros((T, B, S))
    for t in range(T):
        for b in range(B):
            held = np.flatnonzero(mask[:, b])
            e = np.exp(m[held, b] @ q[t, b] / np.sqrt(H))
            weights[t, b, held] = e / e.sum()
            contexts[t, b] = weights[t, b] @ m[:, b]
    return contexts, weights


### END HIDDEN TESTS
q, m, mask = example()
assert attend(q, m, mask)[1].shape == (3, 2, 5)
### BEGIN HIDDEN TESTS
q, m, mask = example(seed=2)
everything = np.ones_like(mask)
assert np.allclose(attend(q, m, everything)[1], _attend(q, m, everything)[1])
### END HIDDEN TESTS

# %% test="attend-context" points=2
### BEGIN HIDDEN TESTS
q, m, mask = example(seed=3)
everything = np.ones_like(mask)
assert np.allclose(attend(q, m, everything)[0], _attend(q, m, everything)[0])
order = np.array([3, 0, 4, 2, 1])
assert np.allclose(attend(q, m[order], everything)[0], attend(q, m, everything)[0]), (
    "blind to order"
)
### END HIDDEN TESTS

# %% [markdown]
# ## 3. Back through the softmax (3 points)
#
# From the weights and the gradient of the weights: the gradient of the scores. It sums to zero
# over the places, and you can say why.


# %% task="softmax-backward"
def softmax_backward(weights, dweights):
    """The gradient of the scores, of the shape of the weights (…, S)."""
    ### BEGIN SOLUTION
    mean = (weights * dweights).sum(axis=-1, keepdims=True)
    return weights * (dweights - mean)
    ### END SOLUTION


# %% test="softmax-backward" points=3
assert np.allclose(softmax_backward(np.array([0.25, 0.75]), np.array([1.0, 1.0])), 0)
### BEGIN HIDDEN TESTS
exam = softmax_backward(np.array([0.25, 0.5, 0.25]), np.array([1.0, 0.0, 2.0]))
assert np.allclose(exam, [0.0625, -0.375, 0.3125])
rng = np.random.default_rng(4)
e, d = rng.normal(size=(3, 5)), rng.normal(size=(3, 5))
w = np.exp(e) / np.exp(e).sum(-1, keepdims=True)
jacobians = w[:, :, None] * np.eye(5) - w[:, :, None] * w[:, None, :]
assert np.allclose(softmax_backward(w, d), np.einsum("ns,nsj->nj", d, jacobians))
### END HIDDEN TESTS

# %% [markdown]
# ## 4. Back through attention (6 points)
#
# The queries are read once, the memory twice: it is compared with the queries, and it is
# averaged. Its gradient has two terms.


# %% task="attend-backward"
def attend_backward(q, m, weights, dcontext):
    """The gradients of q (T, B, H) and of m (S, B, H)."""
    ### BEGIN SOLUTION
    dweights = np.einsum("tbh,sbh->tbs", dcontext, m)
    de = softmax_backward(weights, dweights) / np.sqrt(q.shape[-1])
    dq = np.einsum("tbs,sbh->tbh", de, m)
    averaged = np.einsum("tbs,tbh->sbh", weights, dcontext)
    compared = np.einsum("tbs,tbh->sbh", de, q)
    return dq, averaged + compared
    ### END SOLUTION


# %% test="back-to-queries" points=3
### BEGIN HIDDEN TESTS
def _nudged(array, loss, e=1e-6):
    """The gradient of loss() by central differences."""
    gradient = np.zeros_like(array)
    for place in np.ndindex(array.shape):
        kept = array[place]
        array[place] = kept + e
        up = loss()
        array[place] = kept - e
        gradient[place] = (up - loss()) / (2 * e)
        array[place] = kept
    return gradient


def _problem(seed):
    q, m, mask = example(seed=seed)
    question = np.random.default_rng(seed).normal(size=q.shape)
    found = attend_backward(q, m, _attend(q, m, mask)[1], question.copy())
    return q, m, found, lambda: (_attend(q, m, mask)[0] * question).sum()


### END HIDDEN TESTS
q, m, mask = example()
dq, dm = attend_backward(q, m, attend(q, m, mask)[1], np.ones_like(q))
assert dq.shape == q.shape and dm.shape == m.shape
### BEGIN HIDDEN TESTS
q, m, found, loss = _problem(seed=5)
difference = np.abs(_nudged(q, loss) - found[0]).max()
assert difference < 1e-6, f"the gradient of the queries is off by {difference:.1e}"
### END HIDDEN TESTS

# %% test="back-to-memory" points=3
### BEGIN HIDDEN TESTS
q, m, found, loss = _problem(seed=6)
difference = np.abs(_nudged(m, loss) - found[1]).max()
assert difference < 1e-6, f"the gradient of the memory is off by {difference:.1e}"
### END HIDDEN TESTS

# %% [markdown]
# ## 5. Looking back at oneself (2 points)
#
# In causal self-attention the states `x` (T, B, H) are queries and memory at once, and step $t$
# sees the steps up to and including $t$. No weights are learned here.


# %% task="causal"
def causal_attend(x):
    """For every step the mean of all steps so far, weighted by scaled dot scores: (T, B, H)."""
    ### BEGIN SOLUTION
    T, B, H = x.shape
    e = np.einsum("tbh,sbh->tbs", x, x) / np.sqrt(H)
    past = np.tril(np.ones((T, T), bool))[:, None]
    weights = masked_softmax(e, np.broadcast_to(past, e.shape))
    return np.einsum("tbs,sbh->tbh", weights, x)
    ### END SOLUTION


# %% test="causal" points=2
x = example()[0]
assert np.allclose(causal_attend(x)[0], x[0])
### BEGIN HIDDEN TESTS
x = np.random.default_rng(7).normal(size=(6, 2, 4))
changed = x.copy()
changed[4:] += 1
assert np.allclose(causal_attend(x)[:4], causal_attend(changed)[:4]), "a step saw what comes later"
for t in range(6):
    seen = _attend(x[t : t + 1], x[: t + 1], np.ones((t + 1, 2), bool))[0][0]
    assert np.allclose(causal_attend(x)[t], seen)
### END HIDDEN TESTS
