"""Wrong submissions for the three assignments, and the points that each has to lose.

`tools/autograder_check.py` hands them in; a test holds the assignments to them.
"""

from typing import NamedTuple


class Planted(NamedTuple):
    assignment: str
    fault: str
    task: str  # the cell that is changed
    changes: tuple  # (old line, new line) pairs
    lost: dict  # test → points


PLANTED = (
    Planted(
        "bptt",
        "the gradient of the last state is dropped",
        "bptt",
        (("later = np.zeros_like(x), dh_T", "later = np.zeros_like(x), np.zeros_like(dh_T)"),),
        {"bptt-final-state": 2},
    ),
    Planted(
        "bptt",
        "the first step is taken to read zeros, not h_0",
        "bptt",
        (("h_before = hs[t - 1] if t > 0 else h_0", "h_before = hs[t - 1] if t > 0 else 0 * h_0"),),
        {"bptt-recurrent-weights": 3},
    ),
    Planted(
        "lstm",
        "the logistic function as in the formula, with an overflow",
        "gate",
        (("0.5 * np.tanh(0.5 * a) + 0.5", "1 / (1 + np.exp(-a))"),),
        {"sigmoid-overflow": 1},
    ),
    Planted(
        "lstm",
        "what the next step sends to the memory is dropped",
        "step-backward",
        (("dc = dc + dh * o", "dc = dh * o"),),
        {"back-from-c": 2, "sequence-backward": 3},
    ),
    Planted(
        "attention",
        "the mask is applied after the softmax",
        "softmax",
        (
            ("e = np.where(mask, e, -np.inf)", "e = e + 0.0"),
            ("return weights / weights", "return mask * weights / weights"),
        ),
        {"softmax-mask": 3, "causal": 2},
    ),
    Planted(
        "attention",
        "the memory is taken to be averaged only, not compared",
        "attend-backward",
        (("return dq, averaged + compared", "return dq, averaged"),),
        {"back-to-memory": 3},
    ),
)
