"""A conditional random field on top of a tagger: what does it gain on the slots of notebook 20?

Two trainings of each design: each word's own cross-entropy, or whole paths (`helpers.crf`). Each is
decoded twice: free, and with the rules of BIO tags at the decoding alone. So there are four arms: a
plain tagger, the cheap alternative (plain tagger, rules), a learned chain, and a chain with rules.
The networks have equal parameters above the embedding, those of the chain included. Few training
sentences ask whether the chain is worth more where there is less to learn from.

The learning rate of each arm is the one with the best mean F1 on the validation sentences of the
first three splits: new sentences of known templates, of which none is in a test.
"""

from functools import lru_cache

import numpy as np
import study
from slot_designs import FEED, Material, largest, learn, recurrent, tag, windowed

from helpers import crf
from helpers.data import slots
from helpers.data.slots import spans
from helpers.rnn import RNN

DESIGNS = {
    "word": lambda chain: windowed(FEED, 0, chain),
    "window": lambda chain: windowed(FEED, 2, chain),
    "RNN →": lambda chain: recurrent(RNN, False, chain),
    "RNN ⇄": lambda chain: recurrent(RNN, True, chain),
}
MATERIALS = (("word", 2000), ("window", 2000), ("RNN →", 2000), ("RNN ⇄", 2000), ("RNN ⇄", 100))
RATES, TUNED_ON, SEEDS = (0.01, 0.02, 0.04), range(3), range(10)
# (design, training sentences, chain) → rates that the validation of the first splits chose
CHOSEN = {
    ("word", 2000, False): (0.04, 0.01), ("word", 2000, True): (0.01,),
    ("window", 2000, False): (0.02, 0.04), ("window", 2000, True): (0.04,),
    ("RNN →", 2000, False): (0.02,), ("RNN →", 2000, True): (0.02,),
    ("RNN ⇄", 2000, False): (0.01,), ("RNN ⇄", 2000, True): (0.02,),
    ("RNN ⇄", 100, False): (0.01,), ("RNN ⇄", 100, True): (0.01,),
}  # fmt: skip
SETTINGS = {"n_test": 300, "n_valid": 300, "updates": 500, "budget": 5000}
RULES = crf.bio_rules(slots.TAGS.symbols)


@lru_cache(maxsize=4)
def material(n_train: int, seed: int, n_test: int, n_valid: int):
    """A split of notebook 20, and validation sentences: known templates, known cities."""
    split = slots.split(np.random.default_rng(seed), n_train=n_train, n_test=n_test)
    vocab = slots.vocabulary(split.train)
    valid = slots.generate(
        n_valid, np.random.default_rng(1000 + seed), split.known_templates, split.known_cities,
        without=[*split.train, *split.sentences],
    )  # fmt: skip
    return Material(split, vocab, slots.drop_rates(split.train, vocab), seed), valid


def is_illegal(tags) -> bool:
    """Whether an I- goes on with nothing anywhere in a sentence."""
    return any(now[0] == "I" and before[2:] != now[2:] for before, now in zip(["O", *tags], tags))


def scores(sentences, said) -> dict:
    """F1; shares of slots with both ends found, of these with the right type; illegal sentences."""
    there = [tags for _, tags in sentences]
    ends = types = 0
    for tags, guess in zip(there, said):
        by_place = {span[1:]: span.slot for span in spans(guess)}
        found = [by_place[span[1:]] == span.slot for span in spans(tags) if span[1:] in by_place]
        ends, types = ends + len(found), types + sum(found)
    n = sum(len(spans(tags)) for tags in there)
    return {"F1": slots.score_spans(there, said).f1, "ends": ends / n, "type": types / max(ends, 1),
            "illegal": float(np.mean([is_illegal(tags) for tags in said]))}  # fmt: skip


def fit(case: dict, settings: dict):
    """Train one design on one split: the design, its parameters, the material, validation."""
    found, valid = material(case["n_train"], case["seed"], settings["n_test"], settings["n_valid"])
    design = DESIGNS[case["design"]](case["chain"])
    H = largest(design, settings["budget"])
    params = learn(design, H, found, settings["updates"], rate=case["rate"])
    return design, params, found, valid


def judge(case: dict, design, params: dict, found, valid) -> dict:
    """Decode free and with rules, and score both on validation and on the three tests."""
    free = crf.crf_of(params) if case["chain"] else None
    ruled = crf.crf_of(params, RULES) if case["chain"] else RULES
    sets = {"valid": valid, **{test: getattr(found.split, test) for test in slots.TESTS}}
    result = {}
    for name, sentences in sets.items():
        for mark, chain in (("", free), (", rules", ruled)):
            said = tag(design, params, sentences, found.vocab, chain)
            for key, value in scores(sentences, said).items():
                result[f"{name} {key}{mark}"] = round(value, 4)
    return result


def run(case: dict, settings: dict) -> dict:
    """Train, and score."""
    return judge(case, *fit(case, settings))


ARMS = {"each word": (False, ""), "each word, rules": (False, ", rules"),
        "chain": (True, ""), "chain, rules": (True, ", rules")}  # fmt: skip


def chosen(record, design: str, n_train: int, arm: str) -> float:
    """The rate with the best mean F1 on validation, over the splits on which all were tried."""
    chain, mark = ARMS[arm]

    def on_validation(rate):
        runs = record.select(design=design, n_train=n_train, chain=chain, rate=rate)
        tuned = [run["result"] for run in runs if run["case"]["seed"] in TUNED_ON]
        return np.mean([result[f"valid F1{mark}"] for result in tuned])

    return max(RATES, key=on_validation)


def of_arm(record, design: str, n_train: int, arm: str, key: str) -> np.ndarray:
    """One result of an arm on all splits, at its own rate."""
    chain, mark = ARMS[arm]
    rate = chosen(record, design, n_train, arm)
    found = record.values(f"{key}{mark}", design=design, n_train=n_train, chain=chain, rate=rate)
    if len(found) < len(SEEDS):
        raise LookupError(f"{design}, {n_train} sentences, {arm}: {len(found)} splits at {rate}")
    return np.array(found)


CASES = [
    {"design": design, "n_train": n, "chain": chain, "rate": rate, "seed": seed}
    for (design, n) in MATERIALS
    for chain in (False, True)
    for rate in RATES
    for seed in SEEDS
    if seed in TUNED_ON or rate in CHOSEN.get((design, n, chain), ())
]
CASES.sort(key=lambda case: (case["n_train"] < 2000, case["seed"] not in TUNED_ON))  # rates first
STUDY = study.Study(
    name="slot_crf",
    question="What does a conditional random field on top of a tagger gain on the slots of 20?",
    settings=SETTINGS, cases=CASES, run=run, tolerance=0.15,
)  # fmt: skip

if __name__ == "__main__":
    study.main(STUDY)
