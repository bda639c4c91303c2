# %% [markdown]
# # Backpropagation through time, by hand
#
# You write the forward pass of a vanilla recurrent network, its backward pass through time, and
# the check that tells whether the two agree. NumPy is all that you need and all that is allowed:
# the tests look whether `torch` or `helpers` was imported. The equations are those of notebook
# 06, *Backwards through time*.
#
# Shapes: `x` (T, B, D), `h_0` (B, H), `hs` (T, B, H); `W_xh` (D, H), `W_hh` (H, H), `b_h` (H,).
# Time comes first and vectors are rows. Do not change the arrays that a function is given.
#
# There are 20 points. Under each task stands a cell with an example that you can run; the tests
# that give the points are more than the example.

# %%
import numpy as np


def example(T=5, B=3, D=2, H=4, seed=0):
    """Weights, inputs and a start state to try your functions on."""
    rng = np.random.default_rng(seed)
    params = {
        "W_xh": rng.normal(size=(D, H)) * 0.5,
        "W_hh": rng.normal(size=(H, H)) * 0.5,
        "b_h": rng.normal(size=H) * 0.5,
    }
    return params, rng.normal(size=(T, B, D)), rng.normal(size=(B, H)) * 0.5


# %% [markdown]
# ## 1. Forward (4 points)
#
# Each step computes $h_t = \tanh(x_t W_{xh} + h_{t-1} W_{hh} + b_h)$.


# %% task="forward"
def forward(params, x, h_0):
    """All states hs (T, B, H), from the inputs x (T, B, D) and the state before them h_0 (B, H)."""
    ### BEGIN SOLUTION
    hs, h = [], h_0
    for x_t in x:
        h = np.tanh(x_t @ params["W_xh"] + h @ params["W_hh"] + params["b_h"])
        hs.append(h)
    return np.array(hs)
    ### END SOLUTION


# %% test="forward-values" points=2
params, x, h_0 = example()
assert forward(params, x, h_0).shape == (5, 3, 4)
### BEGIN HIDDEN TESTS
one = {"W_xh": np.array([[0.5]]), "W_hh": np.array([[0.8]]), "b_h": np.zeros(1)}
states = forward(one, np.array([[[1.0]], [[-1.0]]]), np.array([[0.6]]))
assert np.allclose(states.ravel(), [0.753, 0.102], atol=5e-4), "two steps on paper, in notebook 06"
params, x, h_0 = example(T=1, seed=3)
step = np.tanh(x[0] @ params["W_xh"] + h_0 @ params["W_hh"] + params["b_h"])
assert np.allclose(forward(params, x, h_0)[0], step), "the first step reads h_0"
### END HIDDEN TESTS

# %% test="forward-in-parts" points=2
### BEGIN HIDDEN TESTS
assert not {"torch", "helpers"} & {name.split(".")[0] for name in __import__("sys").modules}, (
    "NumPy alone"
)
params, x, h_0 = example(T=7, seed=4)
before = [array.copy() for array in (x, h_0, *params.values())]
whole = forward(params, x, h_0)
first = forward(params, x[:3], h_0)
assert np.allclose(np.concatenate([first, forward(params, x[3:], first[-1])]), whole), (
    "two halves, with the state carried over, make the whole"
)
for old, new in zip(before, (x, h_0, *params.values())):
    assert np.array_equal(old, new), "forward changed what it was given"
### END HIDDEN TESTS

# %% [markdown]
# ## 2. Backward (10 points)
#
# `dhs[t]` (B, H) is what the loss of step $t$ sends straight to $h_t$, and `dh_T` (B, H) is what
# a reader of the last state sends to it from beyond the sequence.
#
# Derive the two equations for $\mathrm{d}h_t$ and $\mathrm{d}a_t$ on paper before you write the
# loop. Nothing may be kept but the states: $1 - h_t^2$ is the slope.


# %% task="bptt"
def bptt(params, x, h_0, hs, dhs, dh_T):
    """The gradients of W_xh, W_hh and b_h in a dict, of x (T, B, D), and of h_0 (B, H)."""
    ### BEGIN SOLUTION
    grads = {name: np.zeros_like(array) for name, array in params.items()}
    dx, later = np.zeros_like(x), dh_T
    for t in reversed(range(len(x))):
        h_before = hs[t - 1] if t > 0 else h_0
        dh = dhs[t] + later
        da = dh * (1 - hs[t] ** 2)
        grads["W_xh"] += x[t].T @ da
        grads["W_hh"] += h_before.T @ da
        grads["b_h"] += da.sum(axis=0)
        dx[t] = da @ params["W_xh"].T
        later = da @ params["W_hh"].T
    return grads, dx, later
    ### END SOLUTION


# %% test="bptt-inputs" points=3
### BEGIN HIDDEN TESTS
def _nudged(array, place, loss, e=1e-6):
    """How the loss changes with one entry of an array."""
    kept = array[place]
    array[place] = kept + e
    up = loss()
    array[place] = kept - e
    down = loss()
    array[place] = kept
    return (up - down) / (2 * e)


def _states(params, x, h_0):
    h, hs = h_0, []
    for x_t in x:
        h = np.tanh(x_t @ params["W_xh"] + h @ params["W_hh"] + params["b_h"])
        hs.append(h)
    return np.array(hs)


def _agrees(names, final=False, seed=5):
    """Whether the gradients of these arrays are those of a random question, at every entry."""
    params, x, h_0 = example(seed=seed)
    rng = np.random.default_rng(seed + 1)
    hs = _states(params, x, h_0)
    question, last = rng.normal(size=hs.shape), rng.normal(size=h_0.shape) * final
    grads, dx, dh_0 = bptt(params, x, h_0, hs, question.copy(), last.copy())
    found = {**grads, "x": dx, "h_0": dh_0}

    def loss():
        states = _states(params, x, h_0)
        return (states * question).sum() + (states[-1] * last).sum()

    for name in names:
        array = {**params, "x": x, "h_0": h_0}[name]
        for place in np.ndindex(array.shape):
            difference = abs(_nudged(array, place, loss) - found[name][place])
            assert difference < 1e-6, (
                f"the gradient of {name} at {place} is off by {difference:.1e}"
            )


### END HIDDEN TESTS
params, x, h_0 = example()
hs = forward(params, x, h_0)
grads, dx, dh_0 = bptt(params, x, h_0, hs, np.ones_like(hs), np.zeros_like(h_0))
assert dx.shape == x.shape and dh_0.shape == h_0.shape
### BEGIN HIDDEN TESTS
_agrees(["x", "h_0"])
### END HIDDEN TESTS

# %% test="bptt-input-weights" points=2
### BEGIN HIDDEN TESTS
_agrees(["W_xh", "b_h"])
### END HIDDEN TESTS

# %% test="bptt-recurrent-weights" points=3
### BEGIN HIDDEN TESTS
_agrees(["W_hh"])
### END HIDDEN TESTS

# %% test="bptt-final-state" points=2
### BEGIN HIDDEN TESTS
_agrees(["x"], final=True)
### END HIDDEN TESTS

# %% [markdown]
# ## 3. The check (4 points)
#
# Central differences: nudge one entry up and down by `e`, and divide the change of the loss by `2
# * e`. When the function returns, the array must be as it was.


# %% task="differences"
def differences(loss, array, e=1e-6):
    """The gradient of loss(), a function without arguments that reads `array`, for every entry."""
    ### BEGIN SOLUTION
    gradient = np.zeros_like(array)
    for place in np.ndindex(array.shape):
        kept = array[place]
        array[place] = kept + e
        up = loss()
        array[place] = kept - e
        down = loss()
        array[place] = kept
        gradient[place] = (up - down) / (2 * e)
    return gradient
    ### END SOLUTION


# %% test="differences-exact" points=3
v = np.array([1.0, -2.0])
assert np.allclose(differences(lambda: (v**2).sum(), v), 2 * v)
### BEGIN HIDDEN TESTS
w = np.random.default_rng(6).normal(size=(3, 4))
kept = w.copy()
assert np.allclose(differences(lambda: (w**3).sum(), w), 3 * kept**2, atol=1e-8), (
    "central, not one-sided"
)
### END HIDDEN TESTS

# %% test="differences-restores" points=1
### BEGIN HIDDEN TESTS
w = np.random.default_rng(7).normal(size=(2, 3))
kept = w.copy()
differences(lambda: w.sum(), w)
assert np.array_equal(w, kept), "the array is not as it was"
### END HIDDEN TESTS

# %% [markdown]
# ## 4. Which use is to blame? (2 points)
#
# $\mathrm{d}W_{hh}$ is a sum of T terms, $h_{t-1}^\top \mathrm{d}a_t$. Return them one by one,
# first step first.


# %% task="terms"
def terms(params, x, h_0, hs, dhs):
    """The T terms of the gradient of W_hh, (T, H, H); nothing comes from beyond the last step."""
    ### BEGIN SOLUTION
    found = np.zeros((len(x), *params["W_hh"].shape))
    later = np.zeros_like(h_0)
    for t in reversed(range(len(x))):
        da = (dhs[t] + later) * (1 - hs[t] ** 2)
        found[t] = (hs[t - 1] if t > 0 else h_0).T @ da
        later = da @ params["W_hh"].T
    return found
    ### END SOLUTION


# %% test="terms" points=2
params, x, h_0 = example()
hs = forward(params, x, h_0)
assert terms(params, x, h_0, hs, np.ones_like(hs)).shape == (5, 4, 4)
### BEGIN HIDDEN TESTS
params, x, h_0 = example(seed=8)
hs = _states(params, x, h_0)
first = np.zeros_like(hs)
first[0] = 1.0
found = terms(params, x, h_0, hs, first)
assert np.allclose(found[0], h_0.T @ (1 - hs[0] ** 2)), "step 1 reads h_0"
assert np.allclose(found[1:], 0), "a loss of step 1 blames no later use"
question = np.random.default_rng(9).normal(size=hs.shape)
whole = np.zeros_like(params["W_hh"])
for place in np.ndindex(whole.shape):
    whole[place] = _nudged(
        params["W_hh"], place, lambda: (_states(params, x, h_0) * question).sum()
    )
assert np.allclose(terms(params, x, h_0, hs, question).sum(axis=0), whole, atol=1e-6)
### END HIDDEN TESTS
