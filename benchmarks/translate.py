"""How fast is encoder, attention and decoder together? A training step, beside PyTorch.

    python benchmarks/translate.py [--threads N] [--runs N]

The whole step of helpers.seq2seq (loss and all gradients, float32, GRU in two directions) and the
same model of torch.nn layers, in turn, in one process on the same threads; medians and ratios
(below 1: ours is faster). All sources have T symbols and all targets S, so that neither pads.
"""

import argparse
import os
import statistics

from cells import measure

ARGS = argparse.ArgumentParser(description=__doc__.splitlines()[0])
ARGS.add_argument("--threads", type=int, default=1, help="threads for NumPy's BLAS and for torch")
ARGS.add_argument("--runs", type=int, default=11, help="interleaved runs per regime")

REGIMES = [(10, 10, 32, 32, 64), (10, 10, 64, 64, 128), (30, 30, 64, 64, 128), (8, 8, 256, 64, 384)]
V = 50


def candidates(model, T, S, B, D, H):
    """The functions to time, by name; each returns the gradient of the decoder's W_hh."""
    import numpy as np

    from helpers import seq2seq
    from helpers.text import pair_batch
    from helpers.torch_seq2seq import TorchSeq2Seq

    rng = np.random.default_rng(0)
    params = seq2seq.init_seq2seq(model, V, V, D, H, rng, bidirectional=True)
    batch = pair_batch(rng.integers(0, V, (B, T)), rng.integers(2, V, (B, S - 1)))
    net = TorchSeq2Seq(model, params)

    def ours():
        return seq2seq.loss_and_grads(model, params, batch)[1]["dec_W_hh"]

    def torch_nn():
        net.zero_grad(set_to_none=True)
        net.loss(batch).backward()
        return net.rnn["dec_"].weight_hh_l0.grad.numpy().T

    return {"ours": ours, "torch": torch_nn}


def main():
    args = ARGS.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(args.threads)  # read when NumPy is first imported: below
    import numpy as np
    import torch

    from helpers.attention import ADDITIVE, GENERAL
    from helpers.gru import GRU
    from helpers.lstm import LSTM
    from helpers.seq2seq import Seq2Seq

    torch.set_num_threads(args.threads)
    print("| model | T×S×B×D×H | ours, ms | torch, ms | ours / torch |")
    print("| --- | --- | ---: | ---: | ---: |")
    for cell in (GRU, LSTM):
        for score in (None, GENERAL, ADDITIVE):
            ratios, name = [], f"{cell.name}, {score.name if score else 'no'} attention"
            for regime in REGIMES:
                functions = candidates(Seq2Seq(cell, attention=score), *regime)
                a, b = (function() for function in functions.values())
                np.testing.assert_allclose(a, b, rtol=1e-2, atol=1e-4)
                s = measure(functions, args.runs)
                ratios.append(s["ours"] / s["torch"])
                sizes = "×".join(map(str, regime))
                ours, theirs = 1e3 * s["ours"], 1e3 * s["torch"]
                print(f"| {name} | {sizes} | {ours:.2f} | {theirs:.2f} | {ratios[-1]:.2f} |")
            print(f"| {name} | geometric mean | | | {statistics.geometric_mean(ratios):.2f} |")


if __name__ == "__main__":
    main()
