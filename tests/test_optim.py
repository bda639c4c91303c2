"""Optimisers against torch.optim, clipping against its definition."""

import numpy as np
import pytest
import torch

from helpers import optim


def quadratic(seed=0):
    rng = np.random.default_rng(seed)
    return {"W": rng.normal(size=(3, 2)), "b": rng.normal(size=2)}


@pytest.mark.parametrize(
    ("ours", "theirs"), [(optim.SGD, torch.optim.SGD), (optim.ADAM, torch.optim.Adam)]
)
def test_ten_steps_equal_torch(ours, theirs):
    params = quadratic()
    tparams = {name: torch.tensor(p, requires_grad=True) for name, p in params.items()}
    memory, toptimizer = ours.init(params), theirs(tparams.values(), lr=0.05)
    for i in range(10):
        grads = {
            name: (i + 1) * p**3 for name, p in params.items()
        }  # scales change from step to step
        ours.update(params, grads, memory, 0.05)
        toptimizer.zero_grad()
        sum((i + 1) * (p**4).sum() / 4 for p in tparams.values()).backward()
        toptimizer.step()
    for name, p in params.items():
        np.testing.assert_allclose(p, tparams[name].detach().numpy(), atol=1e-12)


@pytest.mark.parametrize("optimizer", [optim.SGD, optim.ADAM])
def test_dtype_is_kept(optimizer):
    params = {"W": np.ones(3, np.float32)}
    optimizer.update(params, {"W": np.ones(3, np.float32)}, optimizer.init(params), 0.1)
    assert params["W"].dtype == np.float32


@pytest.mark.parametrize("optimizer", [optim.SGD, optim.ADAM])
def test_grads_must_match_params(optimizer):
    params = quadratic()
    with pytest.raises(ValueError, match=r"no gradient for \['b'\], no parameter \['c'\]"):
        grads = {"W": params["W"], "c": params["b"]}
        optimizer.update(params, grads, optimizer.init(params), 0.1)
    with pytest.raises(ValueError, match=r"grads\['b'\] has shape \(3,\), expected \(2,\)"):
        grads = {"W": params["W"], "b": np.ones(3)}
        optimizer.update(params, grads, optimizer.init(params), 0.1)


def test_clip_by_norm_keeps_the_direction():
    grads = {"a": np.array([3.0]), "b": np.array([0.0, 4.0])}
    assert optim.clip_by_norm(grads, 1.0) == pytest.approx(5.0)
    np.testing.assert_allclose(grads["a"], [0.6])
    np.testing.assert_allclose(grads["b"], [0.0, 0.8])


def test_clip_by_norm_leaves_short_gradients_alone():
    grads = {"a": np.array([0.3, -0.4])}
    assert optim.clip_by_norm(grads, 1.0) == pytest.approx(0.5)
    np.testing.assert_array_equal(grads["a"], [0.3, -0.4])


def test_clip_by_value_cuts_each_entry():
    grads = {"a": np.array([3.0, -0.5, -7.0])}
    optim.clip_by_value(grads, 1.0)
    np.testing.assert_array_equal(grads["a"], [1.0, -0.5, -1.0])


@pytest.mark.parametrize("clip", [optim.clip_by_norm, optim.clip_by_value])
@pytest.mark.parametrize("limit", [0, -1, float("nan"), float("inf"), True, "1", 10**400])
def test_limit_must_be_positive(clip, limit):
    with pytest.raises(ValueError, match="limit must be a positive number"):
        clip({"a": np.ones(2)}, limit)


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_clip_by_norm_leaves_non_finite_gradients_for_the_caller_to_see(bad):
    grads = {"a": np.array([bad, 1.0])}
    assert not np.isfinite(optim.clip_by_norm(grads, 1.0))
    np.testing.assert_array_equal(grads["a"], [bad, 1.0])
