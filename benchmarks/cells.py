"""How fast is the teaching code? Forward + backward, beside torch.nn and a plain per-step loop.

    python benchmarks/cells.py [--threads N] [--runs N] [cell ...]

Every regime runs all candidates in turn, many times, in one process on the same threads; the table
gives medians and ratios (below 1: ours is faster). float32, random gradient at every step. The
plain loop is written for the RNN only.
"""

import argparse
import os
import platform
import statistics
import time

ARGS = argparse.ArgumentParser(description=__doc__.splitlines()[0])
ARGS.add_argument("--threads", type=int, default=1, help="threads for NumPy's BLAS and for torch")
ARGS.add_argument("--runs", type=int, default=21, help="interleaved runs per regime")
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


def per_step(params, x, dhs):
    """The vanilla RNN as most texts write it: everything inside the loop, gradients too."""
    import numpy as np

    W_xh, W_hh, b_h = params["W_xh"], params["W_hh"], params["b_h"]
    T, B, _ = x.shape
    H = len(W_hh)
    hs = [np.zeros((B, H), x.dtype)]
    for t in range(T):
        hs.append(np.tanh(x[t] @ W_xh + hs[-1] @ W_hh + b_h))
    dW_xh, dW_hh, db_h = np.zeros_like(W_xh), np.zeros_like(W_hh), np.zeros_like(b_h)
    dx, dh = np.empty_like(x), np.zeros((B, H), x.dtype)
    for t in reversed(range(T)):
        da = (dh + dhs[t]) * (1 - hs[t + 1] ** 2)
        dW_xh += x[t].T @ da
        dW_hh += hs[t].T @ da
        db_h += da.sum(axis=0)
        dx[t] = da @ W_xh.T
        dh = da @ W_hh.T
    return hs, dW_xh, dW_hh, db_h, dx, dh


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

    functions = {"ours": ours, "torch": torch_nn}
    if cell.name == "rnn":
        functions["per_step"] = lambda: per_step(params, x, dhs)[2]
    return functions


def measure(functions, runs):
    """Median seconds of each function; the runs take turns, so that all see the same machine."""
    times = {name: [] for name in functions}
    for run in range(runs + 2):
        for name, function in functions.items():
            begin = time.perf_counter()
            repeats = 0
            while repeats == 0 or time.perf_counter() - begin < 0.02:
                function()
                repeats += 1
            if run >= 2:  # the first two warm up
                times[name].append((time.perf_counter() - begin) / repeats)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def main():
    args = ARGS.parse_args()
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
        f"{platform.machine()}, {args.threads} thread(s), float32, forward + backward\n"
    )
    print("| cell | T×B×D×H | ours, ms | torch.nn, ms | ours / torch.nn | per-step loop / ours |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    mean = statistics.geometric_mean
    for cell in [{"rnn": RNN, "gru": GRU, "lstm": LSTM}[name] for name in args.cells]:
        to_torch, to_loop = [], []
        for T, B, D, H in REGIMES:
            functions = candidates(cell, T, B, D, H)
            results = [function() for function in functions.values()]
            for result in results[1:]:  # a fast wrong answer would not count
                np.testing.assert_allclose(result, results[0], rtol=2e-2, atol=2e-2)
            s = measure(functions, args.runs)
            to_torch.append(s["ours"] / s["torch"])
            loop = ""
            if "per_step" in s:
                to_loop.append(s["per_step"] / s["ours"])
                loop = f"{to_loop[-1]:.2f}"
            print(
                f"| {cell.name} | {T}×{B}×{D}×{H} | {1e3 * s['ours']:.2f} | {1e3 * s['torch']:.2f} "
                f"| {to_torch[-1]:.2f} | {loop} |",
                flush=True,
            )
        loop = f"{mean(to_loop):.2f}" if to_loop else ""
        print(f"| {cell.name} | geometric mean | | | {mean(to_torch):.2f} | {loop} |", flush=True)


if __name__ == "__main__":
    main()
