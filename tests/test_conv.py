"""Convolution in space and time: as on paper, by differences and torch; and its symmetries."""

import numpy as np
import pytest
import torch

from helpers import conv, gradcheck, vision

RNG = np.random.default_rng


def space(K=3, D=2, F=3, N=2, R=4, C=5, seed=0):
    """W, b, x and a cotangent for z, in float64."""
    rng = RNG(seed)
    made = conv.init_conv("x", K, D, F, rng, np.float64)
    return (*made.values(), rng.normal(size=(N, R, C, D)), rng.normal(size=(N, R, C, F)))


def in_time(K=2, D=3, F=2, T=7, B=2, seed=0):
    rng = RNG(seed)
    made = conv.init_time("x", K, D, F, rng, np.float64)
    return (*made.values(), rng.normal(size=(T, B, D)), rng.normal(size=(T, B, F)))


# --- In space -----------------------------------------------------------------------------------


@pytest.mark.parametrize("edge", conv.EDGES)
@pytest.mark.parametrize("K", [1, 3, 5])
def test_the_fast_form_is_the_form_on_paper(K, edge):
    W, b, x, R = space(K)
    z, cache = conv.conv_forward(W, b, x, edge)
    wide = conv.pad(x, K // 2, edge)
    np.testing.assert_allclose(z, conv.conv_plain(W, b, wide), atol=1e-12)
    *grads, dwide = conv.conv_plain_backward(W, wide, R)
    plain = (*grads, conv.pad_backward(dwide, K // 2, edge))
    for fast, slow in zip(conv.conv_backward(W, cache, R), plain, strict=True):
        np.testing.assert_allclose(fast, slow, atol=1e-12)


@pytest.mark.parametrize("edge", conv.EDGES)
def test_gradients_of_convolution_and_pooling(edge):
    W, b, x, _ = space(R=4, C=6)
    R = RNG(1).normal(size=(2, 2, 3, 3))

    def loss():
        return float((R * conv.pool_forward(conv.conv_forward(W, b, x, edge)[0], 2)[0]).sum())

    z, cache = conv.conv_forward(W, b, x, edge)
    _, pooled = conv.pool_forward(z, 2)
    dW, db, dx = conv.conv_backward(W, cache, conv.pool_backward(pooled, R))
    errors = gradcheck.compare(loss, {"W": W, "b": b, "x": x}, {"W": dW, "b": db, "x": dx})
    gradcheck.largest(errors, 1e-7)


@pytest.mark.parametrize(("edge", "mode"), [("zero", "zeros"), ("wrap", "circular")])
@pytest.mark.parametrize("K", [3, 5])
def test_parity_with_torch_in_space(K, edge, mode):
    W, b, x, _ = space(K, R=6, C=6)
    R = RNG(1).normal(size=(2, 3, 3, 3))
    z, cache = conv.conv_forward(W, b, x, edge)
    y, pooled = conv.pool_forward(z, 2)
    dW, db, dx = conv.conv_backward(W, cache, conv.pool_backward(pooled, R))

    layer = torch.nn.Conv2d(2, 3, K, padding=K // 2, padding_mode=mode, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(W.transpose(3, 2, 0, 1)))
        layer.bias.copy_(torch.tensor(b))
    tx = torch.tensor(x.transpose(0, 3, 1, 2), requires_grad=True)
    ty = torch.nn.functional.max_pool2d(layer(tx), 2)
    (ty * torch.tensor(R.transpose(0, 3, 1, 2))).sum().backward()
    theirs = {
        "y": (y, ty.permute(0, 2, 3, 1)),
        "W": (dW, layer.weight.grad.permute(2, 3, 1, 0)),
        "b": (db, layer.bias.grad),
        "x": (dx, tx.grad.permute(0, 2, 3, 1)),
    }
    errors = {n: gradcheck.absolute_error(a, t.detach().numpy()) for n, (a, t) in theirs.items()}
    gradcheck.largest(errors, 1e-9)


@pytest.mark.parametrize("shift", [(1, 0), (0, 2), (-2, 2)])
def test_a_shifted_picture_gives_shifted_maps(shift):
    """On a torus exactly; with zeros outside, where no border is in sight."""
    W, b, x, _ = space(3, R=8, C=8)
    moved = np.roll(x, shift, axis=(1, 2))
    z, _ = conv.conv_forward(W, b, x, "wrap")
    z_moved, _ = conv.conv_forward(W, b, moved, "wrap")
    np.testing.assert_allclose(z_moved, np.roll(z, shift, axis=(1, 2)), atol=1e-12)
    inner = np.zeros_like(x)
    inner[:, 3:5, 3:5] = x[:, 3:5, 3:5]
    z, _ = conv.conv_forward(W, b, inner, "zero")
    z_moved, _ = conv.conv_forward(W, b, np.roll(inner, shift, axis=(1, 2)), "zero")
    np.testing.assert_allclose(z_moved, np.roll(z, shift, axis=(1, 2)), atol=1e-12)


def test_zeros_outside_can_be_seen_at_the_border():
    """The counterexample: with zeros outside, a shift over the border is no shift of the maps."""
    W, b, x, _ = space(3, R=8, C=8)
    z, _ = conv.conv_forward(W, b, x, "zero")
    z_moved, _ = conv.conv_forward(W, b, np.roll(x, 1, axis=1), "zero")
    assert np.abs(z_moved - np.roll(z, 1, axis=1)).max() > 0.1


def test_pooling_takes_the_first_of_equal_values():
    y, cache = conv.pool_forward(np.ones((1, 2, 2, 1)), 2)
    dx = conv.pool_backward(cache, np.full((1, 1, 1, 1), 3.0))
    assert y.item() == 1
    assert dx.ravel().tolist() == [3, 0, 0, 0]


# --- In time ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dilation", [1, 2, 3, 10])
@pytest.mark.parametrize("K", [1, 2, 3])
def test_time_as_on_paper_by_differences_and_in_torch(K, dilation):
    W, b, x, R = in_time(K)
    z = conv.time_forward(W, b, x, dilation)
    np.testing.assert_allclose(z, conv.time_plain(W, b, x, dilation), atol=1e-12)
    dW, db, dx = conv.time_backward(W, x, R, dilation)
    ours = {"W": dW, "b": db, "x": dx}
    errors = gradcheck.compare(
        lambda: float((R * conv.time_forward(W, b, x, dilation)).sum()),
        {"W": W, "b": b, "x": x}, ours,
    )  # fmt: skip
    gradcheck.largest(errors, 1e-7)

    layer = torch.nn.Conv1d(3, 2, K, dilation=dilation, dtype=torch.float64)
    with torch.no_grad():  # torch's last tap is for now, ours is the first
        layer.weight.copy_(torch.tensor(W[::-1].transpose(2, 1, 0).copy()))
        layer.bias.copy_(torch.tensor(b))
    tx = torch.tensor(x.transpose(1, 2, 0), requires_grad=True)
    tz = layer(torch.nn.functional.pad(tx, ((K - 1) * dilation, 0)))
    (tz * torch.tensor(R.transpose(1, 2, 0))).sum().backward()
    theirs = {"W": layer.weight.grad.permute(2, 1, 0).flip(0), "b": layer.bias.grad,
              "x": tx.grad.permute(2, 0, 1)}  # fmt: skip
    errors = {n: gradcheck.absolute_error(ours[n], t.numpy()) for n, t in theirs.items()}
    errors["z"] = gradcheck.absolute_error(z, tz.permute(2, 0, 1).detach().numpy())
    gradcheck.largest(errors, 1e-9)


@pytest.mark.parametrize("dilations", [(1,), (1, 2, 4), (1, 1, 1), (3, 2)])
def test_a_stack_sees_its_receptive_field_and_no_step_more(dilations):
    """The derivative of the last output by every input: zero outside, not zero inside."""
    rng, T, D, K = RNG(0), 16, 3, 2
    params = conv.init_time_stack(K, D, len(dilations), rng, np.float64)
    for n in range(len(dilations)):
        params[f"b_time_l{n}"][:] = 5  # all units on: relu hides nothing
    _, cache = conv.stack_forward(params, 0.1 * rng.normal(size=(T, 1, D)), dilations)
    dh = np.zeros((T, 1, D))
    dh[10] = rng.normal(size=(1, D))
    _, dx = conv.stack_backward(params, cache, dilations, dh)
    seen = np.abs(dx).max(axis=(1, 2)) > 0
    far = conv.receptive_field(K, dilations)
    assert not seen[11:].any()  # causal
    assert seen[10] and seen[10 - far + 1]
    assert not seen[: 10 - far + 1].any()


# --- The eye ------------------------------------------------------------------------------------


def test_gradients_of_the_eye_on_films(monkeypatch):
    monkeypatch.setattr(vision, "CHANNELS", (2, 3))
    rng = RNG(2)
    params = vision.init_eye(4, 4, 3, rng, np.float64)
    for key, p in params.items():
        if key.startswith("b_"):
            p[:] = rng.normal(size=p.shape)  # away from the kink of relu on blank frames
    frames, R = rng.random((4, 2, 4, 4)), rng.normal(size=(4, 2, 3))
    frames[2], frames[1, 0] = 0.5, 0.5  # grey ones, which the eye sees once
    _, cache = vision.look(params, frames)
    grads = vision.look_backward(params, cache, R)
    errors = gradcheck.compare(
        lambda: float((R * vision.look(params, frames)[0]).sum()), params, grads
    )
    gradcheck.largest(errors, 1e-6)


def test_gradients_of_a_stack_in_time():
    rng, dilations = RNG(1), (1, 2)
    params = conv.init_time_stack(2, 3, 2, rng, np.float64)
    x, R = rng.normal(size=(6, 2, 3)), rng.normal(size=(6, 2, 3))
    _, cache = conv.stack_forward(params, x, dilations)
    grads, dx = conv.stack_backward(params, cache, dilations, R)
    errors = gradcheck.compare(
        lambda: float((R * conv.stack_forward(params, x, dilations)[0]).sum()),
        {**params, "x": x}, {**grads, "x": dx},
    )  # fmt: skip
    gradcheck.largest(errors, 1e-6)


def test_grey_frames_are_seen_once_and_answered_like_all():
    """The short cut gives what the eye gives when it looks at each frame."""
    rng = RNG(0)
    params = vision.init_eye(16, 16, 4, rng)
    frames = rng.random((3, 2, 16, 16), np.float32)
    frames[1], frames[2, 0] = 0.5, 0.25
    c, _ = vision.look(params, frames)
    plain, _ = vision.see(params, frames.reshape(6, 16, 16))
    np.testing.assert_allclose(c.reshape(6, 4), plain, atol=1e-6)


def test_what_forgets_where():
    """Round the edge of a torus, an even shift changes no maximum, and moves the mean."""
    rng = RNG(0)
    params = vision.init_eye(16, 16, 4, rng)
    picture = rng.random((1, 16, 16), np.float32)
    both = [vision.see(params, np.roll(picture, s, axis=2))[1][3][0] for s in (0, 2)]
    F = vision.CHANNELS[1]
    np.testing.assert_allclose(both[0][:F], both[1][:F], atol=1e-5)
    where = [b[F:].reshape(8, 8) for b in both]
    np.testing.assert_allclose(np.roll(where[0], 1, axis=1), where[1], atol=1e-5)


# --- Bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: conv.init_conv("x", 2, 1, 1, RNG(0)), "K must be odd.*got 2"),
        (lambda: conv.init_conv("x", 0, 1, 1, RNG(0)), "K must be a positive integer"),
        (lambda: conv.pad(np.ones((1, 2, 2, 1)), 1, "mirror"), "edge must be.*'mirror'"),
        (lambda: conv.pad(np.ones((1, 2, 2, 1)), 3, "wrap"), "margin of 3 cannot wrap"),
        (lambda: conv.pool_forward(np.ones((1, 5, 4, 1)), 2), "n = 2 must divide"),
        (lambda: conv.pool_forward(np.ones((1, 4, 4, 1)), 0), "n must be a positive"),
        (lambda: conv.time_forward(*in_time()[:3], dilation=0), "dilation must be a positive"),
        (lambda: conv.time_forward(*in_time()[:2], np.ones((3, 2, 9))), "x has shape"),
        (lambda: conv.conv_forward(*space()[:2], np.ones((3, 2, 9))), "x has shape"),
        (lambda: conv.receptive_field(2, (1, -1)), r"dilations\[1\] must be a positive"),
        (lambda: vision.init_eye(7, 8, 3, RNG(0)), "R and C must be even, got 7 and 8"),
        (lambda: vision.look({}, np.ones((2, 8, 8))), "frames has shape"),
    ],
)  # fmt: skip
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_mixed_dtypes_are_refused():
    W, b, x, _ = space()
    with pytest.raises(ValueError, match="one dtype"):
        conv.conv_forward(W, b, x.astype(np.float32))
