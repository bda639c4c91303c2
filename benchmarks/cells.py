"""How fast is the teaching code? Forward + backward, beside torch.nn and a plain per-step loop.

    python benchmarks/cells.py [--threads N] [--runs N] [--cpu] [--profile] [cell ...]

Every regime runs all candidates in turn, many times, in one process on the same threads; the table
gives medians and ratios (below 1: ours is faster). float32, random gradient at every step. The
plain loop is `rnn_loop` and `rnn_bptt`, and likewise for the others: the cell as on paper.

--cpu counts processor time, for a machine that does other work as well. --profile tells what a step
of ours consists of: products (the same ones, alone), calls (of Python and NumPy: a run in which
every array holds one number), and the rest, which is arithmetic on arrays and memory.
"""

import argparse
import os
import platform
import statistics
import time

ARGS = argparse.ArgumentParser(description=__doc__.splitlines()[0])
ARGS.add_argument("--threads", type=int, default=1, help="threads for NumPy's BLAS and for torch")
ARGS.add_argument("--runs", type=int, default=21, help="interleaved runs per regime")
ARGS.add_argument("--cpu", action="store_true", help="processor time instead of elapsed time")
ARGS.add_argument("--profile", action="store_true", help="what a step consists of")
ARGS.add_argument("cells", nargs="*", default=["rnn", "gru", "lstm"], help="which cells")

REGIMES = [  # T, B, D, H
    (35, 32, 28, 32),
    (35, 32, 28, 64),
    (35, 32, 64, 128),
    (35, 64, 128, 256),
    (100, 32, 256, 512),
    (25, 1, 65, 100),
    (784, 32, 1, 128),
    (35, 1024, 28, 32),
]


def plain_loops(cell, params, x, dhs):
    """The cell as on paper, with everything inside the loop, gradients too; returns dW_hh."""
    import numpy as np

    from helpers import gru, lstm, rnn

    h_0 = c_0 = np.zeros(dhs.shape[1:], x.dtype)
    if cell.name == "rnn":
        hs = rnn.rnn_loop(params, x, h_0)
        grads, *_ = rnn.rnn_bptt(params, x, h_0, hs, dhs, h_0)
    elif cell.name == "lstm":
        _, _, steps = lstm.lstm_loop(params, x, h_0, c_0)
        grads, *_ = lstm.lstm_bptt(params, x, steps, dhs, h_0, c_0)
    else:
        _, steps = gru.gru_loop(params, x, h_0)
        grads, *_ = gru.gru_bptt(params, x, steps, dhs, h_0)
    return grads["W_hh"]


def products(cell, T, B, D, H):
    """The matrix products of one training step, and nothing else, as a function to time."""
    import numpy as np

    k = cell.n_gates
    rng = np.random.default_rng(0)

    def draw(*shape):
        return rng.standard_normal(shape).astype(np.float32)

    x, h, da = draw(T * B, D), draw(T, B, H), draw(k, T, B, H)
    W_xh, W_hh, W_xh_T, W_hh_T = draw(k, D, H), draw(k, H, H), draw(k, H, D), draw(k, H, H)
    flat, h_prev = da.reshape(k, T * B, H), h.reshape(T * B, H)

    def run():
        _ = x @ W_xh
        for t in range(T):
            _ = h[t] @ W_hh
        for t in range(T):
            _ = da[:, t] @ W_hh_T
        _ = h_prev.T @ flat, x.T @ flat, flat @ W_xh_T

    return run


def candidates(cell, T, B, D, H):
    """The functions to time, by name; each does forward and backward once and returns dW_hh."""
    import numpy as np
    import torch

    from helpers import torch_parity, unroll

    rng = np.random.default_rng(0)
    params = unroll.init_cell(cell, D, H, rng)
    x = rng.standard_normal((T, B, D)).astype(np.float32)
    dhs = rng.standard_normal((T, B, H)).astype(np.float32)
    layer = torch_parity.to_torch(cell, params)
    tx, tdhs = torch.tensor(x, requires_grad=True), torch.tensor(dhs)

    def ours():
        _, _, cache = unroll.forward(cell, params, x)
        grads, _, _ = unroll.backward(cell, params, cache, dhs)
        return grads["W_hh"]

    def torch_nn():
        layer.zero_grad(set_to_none=True)
        tx.grad = None
        hs, _ = layer(tx)
        hs.backward(tdhs)
        return layer.weight_hh_l0.grad.numpy().T

    return {
        "ours": ours,
        "torch": torch_nn,
        "per_step": lambda: plain_loops(cell, params, x, dhs),
    }


def measure(functions, runs, clock=time.perf_counter):
    """Median seconds of each function; the runs take turns, so that all see the same machine."""
    times = {name: [] for name in functions}
    for run in range(runs + 2):
        for name, function in functions.items():
            begin = clock()
            repeats = 0
            while repeats == 0 or clock() - begin < 0.02:
                function()
                repeats += 1
            if run >= 2:  # the first two warm up
                times[name].append((clock() - begin) / repeats)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def profile(cell, runs, clock):
    """Print what one time step of ours, forward and backward, consists of, in microseconds."""
    print("| cell | T×B×D×H | µs a step | products | calls | arithmetic and memory |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for T, B, D, H in REGIMES:
        s = measure(
            {
                "all": candidates(cell, T, B, D, H)["ours"],
                "calls": candidates(cell, T, 1, 1, 1)["ours"],
                "products": products(cell, T, B, D, H),
                "calls of products": products(cell, T, 1, 1, 1),
            },
            runs,
            clock,
        )
        s["products"] -= s["calls of products"]  # these are among the calls
        rest = s["all"] - s["products"] - s["calls"]
        columns = [f"{1e6 * s[name] / T:.1f}" for name in ("all", "products", "calls")]
        print(
            f"| {cell.name} | {T}×{B}×{D}×{H} | {' | '.join(columns)} | {1e6 * rest / T:.1f} |",
            flush=True,
        )


def main():
    args = ARGS.parse_args()
    clock = time.process_time if args.cpu else time.perf_counter
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(args.threads)  # read when NumPy is first imported: below
    import numpy as np
    import torch

    from helpers.gru import GRU
    from helpers.lstm import LSTM
    from helpers.rnn import RNN

    torch.set_num_threads(args.threads)
    print(
        f"NumPy {np.__version__}, torch {torch.__version__}, Python {platform.python_version()}, "
        f"{platform.machine()}, {args.threads} thread(s), float32, forward + backward"
        f"{', processor time' if args.cpu else ''}\n"
    )
    cells = [{"rnn": RNN, "gru": GRU, "lstm": LSTM}[name] for name in args.cells]
    if args.profile:
        for cell in cells:
            profile(cell, args.runs, clock)
        return
    print("| cell | T×B×D×H | ours, ms | torch.nn, ms | ours / torch.nn | plain loop / ours |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    mean = statistics.geometric_mean
    for cell in cells:
        to_torch, to_loop = [], []
        for T, B, D, H in REGIMES:
            functions = candidates(cell, T, B, D, H)
            results = [function() for function in functions.values()]
            for result in results[1:]:  # a fast wrong answer would not count
                np.testing.assert_allclose(result, results[0], rtol=2e-2, atol=2e-2)
            s = measure(functions, args.runs, clock)
            to_torch.append(s["ours"] / s["torch"])
            to_loop.append(s["per_step"] / s["ours"])
            print(
                f"| {cell.name} | {T}×{B}×{D}×{H} | {1e3 * s['ours']:.2f} | {1e3 * s['torch']:.2f} "
                f"| {to_torch[-1]:.2f} | {to_loop[-1]:.2f} |",
                flush=True,
            )
        means = f"{mean(to_torch):.2f} | {mean(to_loop):.2f}"
        print(f"| {cell.name} | geometric mean | | | {means} |", flush=True)


if __name__ == "__main__":
    main()
