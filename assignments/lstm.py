# %% [markdown]
# # The LSTM, forward and backward
#
# You write one step of the LSTM, its backward pass, and both over a whole sequence. NumPy is all
# that you need and all that is allowed: the tests look whether `torch` or `helpers` was imported.
# The equations are those of notebook 11, and its way back is that of notebook 12.
#
# Shapes: `x` (T, B, D), `h` and `c` (B, H); `W_xh` (D, 4H), `W_hh` (H, 4H), `b_h` (4H,). The four
# blocks of columns belong to the input gate, the forget gate, the candidate and the output gate,
# in this order: $i, f, g, o$.
#
# There are 20 points. Under each task stands a cell with an example that you can run; the tests
# that give the points are more than the example.

# %%
import numpy as np


def example(T=5, B=3, D=2, H=4, seed=0):
    """Weights, inputs, and two states to try your functions on."""
    rng = np.random.default_rng(seed)
    params = {
        "W_xh": rng.normal(size=(D, 4 * H)) * 0.5,
        "W_hh": rng.normal(size=(H, 4 * H)) * 0.5,
        "b_h": rng.normal(size=4 * H) * 0.5,
    }
    x, h, c = (rng.normal(size=shape) for shape in ((T, B, D), (B, H), (B, H)))
    return params, x, h * 0.5, c


# %% [markdown]
# ## 1. A gate (4 points)
#
# The logistic function $\sigma(a) = 1/(1 + e^{-a})$, written so that no exponential overflows,
# whatever `a` is. Then the bias of a forget gate: with no input and nothing written, a memory
# must be halved after `half_life` steps.


# %% task="gate"
def sigmoid(a):
    """σ(a), element by element, for any finite a, without an overflow."""
    ### BEGIN SOLUTION
    return 0.5 * np.tanh(0.5 * a) + 0.5
    ### END SOLUTION


def forget_bias(half_life):
    """The bias b_f for which f^half_life = 1/2."""
    ### BEGIN SOLUTION
    f = 0.5 ** (1 / half_life)
    return np.log(f / (1 - f))
    ### END SOLUTION


# %% test="sigmoid-values" points=1
assert sigmoid(np.array(0.0)) == 0.5
### BEGIN HIDDEN TESTS
assert not {"torch", "helpers"} & {name.split(".")[0] for name in __import__("sys").modules}, (
    "NumPy alone"
)
a = np.linspace(-20, 20, 81)
assert np.allclose(sigmoid(a), 1 / (1 + np.exp(-a)), atol=1e-12)
### END HIDDEN TESTS

# %% test="sigmoid-overflow" points=1
### BEGIN HIDDEN TESTS
with np.errstate(over="raise", invalid="raise"):
    assert np.allclose(sigmoid(np.array([-1e4, -800.0, 800.0, 1e4])), [0, 0, 1, 1]), "far out"
### END HIDDEN TESTS

# %% test="forget-bias" points=2
assert abs(forget_bias(1)) < 1e-12
### BEGIN HIDDEN TESTS
for steps in (2, 10, 100):
    f = 1 / (1 + np.exp(-forget_bias(steps)))
    assert abs(f**steps - 0.5) < 1e-9, f"after {steps} steps {f**steps:.3f} is left, not a half"
### END HIDDEN TESTS

# %% [markdown]
# ## 2. One step (5 points)
#
# $$c_t = f_t \odot c_{t-1} + i_t \odot g_t, \qquad h_t = o_t \odot \tanh(c_t)$$
#
# `cache` is yours: keep in it what your backward pass needs.


# %% task="step"
def lstm_step(params, x_t, h, c):
    """The next h (B, H) and c (B, H), and a cache."""
    ### BEGIN SOLUTION
    a = x_t @ params["W_xh"] + h @ params["W_hh"] + params["b_h"]
    a_i, a_f, a_g, a_o = np.split(a, 4, axis=1)
    i, f, g, o = sigmoid(a_i), sigmoid(a_f), np.tanh(a_g), sigmoid(a_o)
    new_c = f * c + i * g
    new_h = o * np.tanh(new_c)
    return new_h, new_c, (x_t, h, c, i, f, g, o, new_c)
    ### END SOLUTION


# %% test="step-memory" points=3
### BEGIN HIDDEN TESTS
def _step(params, x_t, h, c):
    """The step again, block by block."""
    H = h.shape[1]
    W = np.concatenate([params["W_xh"], params["W_hh"], params["b_h"][None]])
    seen = np.concatenate([x_t, h, np.ones((len(h), 1))], axis=1)
    i, f, g, o = (seen @ W[:, n * H : (n + 1) * H] for n in range(4))
    i, f, o = (1 / (1 + np.exp(-a)) for a in (i, f, o))
    c = f * c + i * np.tanh(g)
    return o * np.tanh(c), c


### END HIDDEN TESTS
params, x, h, c = example()
assert lstm_step(params, x[0], h, c)[1].shape == (3, 4)
### BEGIN HIDDEN TESTS
for seed in (1, 2):
    params, x, h, c = example(seed=seed)
    assert np.allclose(lstm_step(params, x[0], h, c)[1], _step(params, x[0], h, c)[1])
### END HIDDEN TESTS

# %% test="step-output" points=2
### BEGIN HIDDEN TESTS
for seed in (3, 4):
    params, x, h, c = example(seed=seed)
    assert np.allclose(lstm_step(params, x[0], h, c)[0], _step(params, x[0], h, c)[0])
### END HIDDEN TESTS

# %% [markdown]
# ## 3. One step back (7 points)
#
# The new memory is read twice: by the output of its own step, and by the next step. `dc` is what
# comes from the next step; what comes through `dh` you have to add.


# %% task="step-backward"
def lstm_step_backward(params, cache, dh, dc):
    """From dh and dc of a step's results: grads (a dict), dx_t, dh and dc of the state before."""
    ### BEGIN SOLUTION
    x_t, h, c, i, f, g, o, new_c = cache
    tanh_c = np.tanh(new_c)
    dc = dc + dh * o * (1 - tanh_c**2)
    da = np.concatenate(
        [
            dc * g * i * (1 - i),
            dc * c * f * (1 - f),
            dc * i * (1 - g**2),
            dh * tanh_c * o * (1 - o),
        ],
        axis=1,
    )
    grads = {"W_xh": x_t.T @ da, "W_hh": h.T @ da, "b_h": da.sum(axis=0)}
    return grads, da @ params["W_xh"].T, da @ params["W_hh"].T, dc * f
    ### END SOLUTION


# %% test="back-from-h" points=3
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


def _agrees(names, from_h, from_c, seed):
    """Whether one step's gradients of these arrays are those of a random question."""
    params, x, h, c = example(seed=seed)
    rng = np.random.default_rng(seed)
    dh, dc = rng.normal(size=h.shape) * from_h, rng.normal(size=c.shape) * from_c
    _, _, cache = lstm_step(params, x[0].copy(), h.copy(), c.copy())
    grads, dx_t, dh_before, dc_before = lstm_step_backward(params, cache, dh.copy(), dc.copy())
    found = {**grads, "x_t": dx_t, "h": dh_before, "c": dc_before}
    arrays = {**params, "x_t": x[0], "h": h, "c": c}

    def loss():
        new_h, new_c = _step(params, x[0], h, c)
        return (new_h * dh).sum() + (new_c * dc).sum()

    for name in names:
        difference = np.abs(_nudged(arrays[name], loss) - found[name]).max()
        assert difference < 1e-6, f"the gradient of {name} is off by {difference:.1e}"


### END HIDDEN TESTS
params, x, h, c = example()
_, _, cache = lstm_step(params, x[0], h, c)
grads, dx_t, dh_before, dc_before = lstm_step_backward(params, cache, np.ones_like(h), 0 * c)
assert dx_t.shape == x[0].shape and dc_before.shape == c.shape
### BEGIN HIDDEN TESTS
_agrees(["x_t", "h", "c"], from_h=True, from_c=False, seed=5)
### END HIDDEN TESTS

# %% test="back-from-c" points=2
### BEGIN HIDDEN TESTS
_agrees(["x_t", "h", "c"], from_h=False, from_c=True, seed=6)
### END HIDDEN TESTS

# %% test="back-weights" points=2
### BEGIN HIDDEN TESTS
_agrees(["W_xh", "W_hh", "b_h"], from_h=True, from_c=False, seed=7)
### END HIDDEN TESTS

# %% [markdown]
# ## 4. A sequence (4 points)
#
# `dhs` (T, B, H) is what the loss sends to the output of each step. The weights are shared, so
# their gradients are summed over the steps.


# %% task="sequence"
def lstm_forward(params, x, h, c):
    """All outputs hs (T, B, H), and a list of caches."""
    ### BEGIN SOLUTION
    hs, caches = [], []
    for x_t in x:
        h, c, cache = lstm_step(params, x_t, h, c)
        hs.append(h)
        caches.append(cache)
    return np.array(hs), caches
    ### END SOLUTION


def lstm_backward(params, caches, dhs):
    """grads (a dict), dx (T, B, D), and the gradients of the first h and c."""
    ### BEGIN SOLUTION
    total = {name: np.zeros_like(array) for name, array in params.items()}
    dx, dh, dc = [], 0.0, 0.0
    for cache, from_loss in zip(reversed(caches), dhs[::-1]):
        grads, dx_t, dh, dc = lstm_step_backward(params, cache, dh + from_loss, dc)
        for name, grad in grads.items():
            total[name] += grad
        dx.insert(0, dx_t)
    return total, np.array(dx), dh, dc
    ### END SOLUTION


# %% test="sequence-forward" points=1
### BEGIN HIDDEN TESTS
def _outputs(params, x, h, c):
    hs = []
    for x_t in x:
        h, c = _step(params, x_t, h, c)
        hs.append(h)
    return np.array(hs)


### END HIDDEN TESTS
params, x, h, c = example()
assert lstm_forward(params, x, h, c)[0].shape == (5, 3, 4)
### BEGIN HIDDEN TESTS
params, x, h, c = example(T=6, seed=8)
assert np.allclose(lstm_forward(params, x, h, c)[0], _outputs(params, x, h, c))
### END HIDDEN TESTS

# %% test="sequence-backward" points=3
### BEGIN HIDDEN TESTS
params, x, h, c = example(T=4, seed=9)
hs, caches = lstm_forward(params, x.copy(), h.copy(), c.copy())
question = np.random.default_rng(10).normal(size=hs.shape)
grads, dx, dh, dc = lstm_backward(params, caches, question.copy())
found, arrays = {**grads, "x": dx, "h": dh, "c": dc}, {**params, "x": x, "h": h, "c": c}
for name, array in arrays.items():
    numeric = _nudged(array, lambda: (_outputs(params, x, h, c) * question).sum())
    difference = np.abs(numeric - found[name]).max()
    assert difference < 1e-6, f"over four steps the gradient of {name} is off by {difference:.1e}"
### END HIDDEN TESTS
