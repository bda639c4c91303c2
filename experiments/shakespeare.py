"""Language models on all of Shakespeare, and the counts, tuned as far as it goes.

What is asked: bits per character of RNN, GRU and LSTM at equal parameters of the whole model, 0.4
and 2 million, against the characters they have read; the counts beside them; and what each step
buys: size, layers, dropout, a teacher, several networks together, learning while reading, and a
mixture with the counts. Chosen on Romeo and Juliet (validation), reported for Timon of Athens too.

    python experiments/shakespeare.py                      # what needs no GPU: half an hour
    python experiments/shakespeare.py full --seconds 480   # one group of networks, see `GROUPS`
    python experiments/shakespeare.py taught --seconds 300 --team FULL   # pupils; FULL: its output
    python experiments/shakespeare.py record OUT …         # put what the groups found in the record
    python experiments/shakespeare.py store OUT/….npz      # make the stored model of its weights

The networks want a GPU (a group takes three to nine minutes on one; on two processor cores some
hours, with --seconds 20000), and the package torch. The models of a group are trained side by
side, an update each in turn. Learning rates: in the groups `full` and `taught` as given; in the
others the same candidates for every cell, a short pilot each, with the shape of the first case of
that cell, and the rate with the fewest bits on part of the validation text. Interrupted, a group
goes on from --work.
"""

import argparse
import json
import math
import time
from functools import partial
from pathlib import Path

import numpy as np
import study

from helpers import ngram, text
from helpers.data import corpora
from helpers.trained import writer
from helpers.trained.store import read_npz, write_npz

RATES = (4e-4, 8e-4, 1.5e-3, 3e-3)
CONTEXTS = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50, 100, 200)
PLACES = 3000
SIZES = {  # (parameters, layers, D) → H; with the 80 characters of the training plays
    (400_000, 1, 64): {"rnn": 560, "gru": 320, "lstm": 275},
    (2_000_000, 1, 64): {"rnn": 1342, "gru": 771, "lstm": 665},
    (2_000_000, 2, 64): {"rnn": 791, "gru": 455, "lstm": 394},
    (2_000_000, 3, 64): {"rnn": 617, "gru": 355, "lstm": 307},
    # speed: multiples of 16, products in half precision
    (2_000_000, 2, 128): {"rnn": 784, "gru": 448, "lstm": 384},
    (13_200_000, 2, 128): {"lstm": 1024},
}
DROPOUT = {"drop_in": 0.1, "drop": 0.25, "drop_out": 0.25}
LIGHT = {"drop_in": 0.05, "drop": 0.1, "drop_out": 0.1}
FIRM = {**DROPOUT, "weight_drop": 0.2}
LARGE = {"drop_in": 0.1, "drop": 0.4, "drop_out": 0.4, "weight_drop": 0.3}
LASTING = {"reset": 0.01, "max_norm": 0.5}
ALL = 4_707_444
SLICE = 4_000  # characters of the validation text on which a test scores the stored model


def network(group, name, cell, seed=0, size=2_000_000, layers=2, D=64, **other):
    """One case: a network of a group, by name and seed."""
    shape = {"cell": cell, "D": D, "H": SIZES[size, layers, D][cell], "layers": layers, "B": 64}
    shape["average"] = 0.99
    return {"group": group, "name": name, **shape, "seed": seed, **other}


wide = partial(network, D=128, half=True)


GROUPS = {
    "full": [
        wide("full", "LSTM of 13 million", "lstm", 0, 13_200_000, lr=2e-3, **LARGE, **LASTING),
        *(wide("full", cell.upper(), cell, seed, lr=rate, **DROPOUT, **LASTING)
          for seed in (0, 1) for cell, rate in (("lstm", 3e-3), ("gru", 1.5e-3))),
        wide("full", "RNN", "rnn", lr=5e-4, **DROPOUT, **LASTING),
        *(wide("full", f"{cell.upper()}, rate {rate}", cell, seed, lr=rate, **DROPOUT, **LASTING)
          for cell, rate, seed in (
              ("rnn", 1.2e-3, 0), ("gru", 3e-3, 0), ("lstm", 1.5e-3, 0), ("lstm", 6e-3, 0),
              ("lstm", 1.2e-2, 0), ("lstm", 1.2e-2, 1))),
        wide("full", "LSTM, rate 0.012, weight dropout", "lstm", lr=1.2e-2, weight_drop=0.15,
             **DROPOUT, **LASTING),
    ],
    "taught": [
        wide("taught", "LSTM, light dropout", "lstm", 0, lr=3e-3, taught=0.7, **LIGHT, **LASTING),
        wide("taught", "GRU, light dropout", "gru", 0, lr=1.5e-3, taught=0.7, **LIGHT, **LASTING),
        *(wide("taught", cell.upper(), cell, seed, lr=rate, taught=0.7, **DROPOUT, **LASTING)
          for cell, rate, seed in (("lstm", 3e-3, 0), ("gru", 1.5e-3, 0), ("lstm", 3e-3, 1))),
    ],
    "varied": [
        network("varied", "LSTM of two layers", "lstm", 2, **FIRM, **LASTING),
        network("varied", "LSTM without weight dropout", "lstm", **DROPOUT, **LASTING),
        network("varied", "LSTM without dropout", "lstm", **LASTING),
        network("varied", "LSTM of one layer", "lstm", layers=1, **FIRM, **LASTING),
        network("varied", "LSTM of three layers", "lstm", layers=3, **FIRM, **LASTING),
    ],
    "little": [
        network("little", cell.upper(), cell, seed, 400_000, 1, **LIGHT, **LASTING)
        for seed in (0, 1, 2) for cell in ("lstm", "gru", "rnn")
    ],
}  # fmt: skip
ENOUGH = {  # a group's first so many cases are trained anyway; the rest if all get so many updates
    "full": (7, 10_000), "taught": (3, 10_000), "varied": (2, 5_000), "little": (3, 4_000),
}  # fmt: skip
PILOT = {"varied": 0.08, "little": 0.15}  # share of the time
AT_THE_END = {"full": 0.07, "taught": 0.06, "varied": 0.05, "little": 0.08}  # to score
TEACHERS = ("LSTM of 13 million", "GRU")  # of the group `full`, all seeds
TEAMS = {"LSTM": ("LSTM",), "GRU": ("GRU",), "LSTM and GRU": ("LSTM", "GRU"), "teachers": TEACHERS}
NOT_MODEL = ("group", "name")
COUNTED = (10_000, 30_000, 100_000, 300_000, 1_000_000, 2_000_000, ALL)


def model_settings(case: dict) -> dict:
    """The part of a case that `torch_lm` knows."""
    return {name: value for name, value in case.items() if name not in NOT_MODEL}


def label(case: dict) -> str:
    """A name for files."""
    return f"{case['group']} {case['name']} {case['seed']}".replace(",", "").replace(" ", "_")


def encoded():
    """The three texts as ids, and the vocabulary of the training plays."""
    plays = corpora.shakespeare()
    vocab = text.Vocabulary.of(plays.train)
    return vocab, *(vocab.encode(part) for part in plays)


# --- Counts -------------------------------------------------------------------------------------


def count_case(characters: int, settings: dict) -> dict:
    """Kneser–Ney on so many training characters: plain, with three discounts, and tuned."""
    vocab, train, valid, test = encoded()
    found = {}
    counts = ngram.count(train[:characters], len(vocab), settings["order"])
    for name, estimate in (("plain", ngram.kneser_ney), ("modified", ngram.modified_kneser_ney)):
        bits = ngram.bits_per_symbol(counts, valid, estimate)
        order = int(bits.argmin())
        on_test = ngram.bits_per_symbol(ngram.up_to(counts, order), test, estimate)[order]
        found |= {f"{name}_order": order, f"{name}_valid": round(float(bits[order]), 4),
                  f"{name}_test": round(float(on_test), 4)}  # fmt: skip
    discounts = ngram.tune_discounts(counts, valid[: settings["tune_on"]])
    tuned = partial(ngram.modified_kneser_ney, discounts=discounts)
    for part, ids in (("valid", valid), ("test", test)):
        found[part] = round(float(ngram.bits_per_symbol(counts, ids, tuned)[-1]), 4)
    found["discounts"] = np.round(discounts, 3).tolist()
    found["pairs"] = [len(table.pairs) for table in counts.tables]
    return found


# --- Networks -----------------------------------------------------------------------------------


def by_context(model, ids, places, contexts=CONTEXTS) -> list:
    """Bits at `places` when only the k characters before them are read, for each k."""
    import torch

    found, was_training = [], model.training
    model.eval()
    with torch.no_grad():
        for k in contexts:
            window = torch.as_tensor(ids[places - k + np.arange(k)[:, None]], device=model.device)
            right = torch.as_tensor(ids[places], device=model.device)
            logits, _ = model(window, model.zero_states(len(places)))
            loss = torch.nn.functional.cross_entropy(logits[-1], right)
            found.append(round(float(loss) / math.log(2), 4))
    model.train(was_training)
    return found


def learn_while_reading(model, ids, rate, T=50, max_norm=1.0):
    """Dynamic evaluation: score T characters, then take a step of gradient descent on them.

    Returns log₂ p of every character but the first, each scored before it was learned from. The
    model is changed. Source: Krause et al. (2018), their plain form.
    """
    import torch

    settings, was_training = model.settings, model.training
    none = dict.fromkeys(("drop_in", "drop", "drop_out", "weight_drop"), 0.0)
    model.settings = {**settings, **none}
    model.train()  # cuDNN has no gradients otherwise
    weights = [p for p in model.parameters() if p.requires_grad]
    data, found = torch.as_tensor(ids, device=model.device), []
    states = model.zero_states(1)
    for at in range(0, len(ids) - 1, T):
        window = data[at : at + T + 1]
        logits, after = model(window[:-1, None], states)
        loss = torch.nn.functional.cross_entropy(logits[:, 0], window[1:], reduction="none")
        found.append(-loss.detach() / math.log(2))
        gradients = torch.autograd.grad(loss.mean(), weights)
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        step = rate * torch.clamp(max_norm / norm, max=1.0)
        with torch.no_grad():
            for p, gradient in zip(weights, gradients):
                p.sub_(step * gradient)
        states = [
            tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
            for state in after
        ]
    model.settings = settings
    model.train(was_training)
    return torch.cat(found).cpu().numpy().astype(np.float64)


def pilot(cases, args, device, ids, valid, V, seconds):
    """The rate of each cell: the fewest bits on part of the validation text after a short run."""
    import torch_lm

    path = args.work / f"{cases[0]['group']}.pilot.json"
    if path.exists():
        return json.loads(path.read_text("utf-8"))
    # Read backwards, so that the first case of each cell stays.
    firsts = {case["cell"]: case for case in reversed(cases) if "lr" not in case}
    if not firsts:
        return {"updates": 0, "trials": [], "rates": {}}
    many = {
        f"{cell} {rate}": {**model_settings(case), "lr": rate}
        for cell, case in firsts.items() for rate in RATES
    }  # fmt: skip
    runs = torch_lm.make_runs(args, device, many, ids, V)
    torch_lm.train(runs, torch_lm.Clock(max(seconds, 1.0)))
    found = {"updates": runs[0].updates, "trials": [], "rates": {}}
    for run in (run for run in runs if not run.stopped):
        with run.averaged():
            mean = torch_lm.bits(run.model, valid[:60_000], 64)
        bits = min(mean, torch_lm.bits(run.model, valid[:60_000], 64))
        cell, rate = run.name.split()
        found["trials"].append([cell, float(rate), round(bits, 4)])
    for cell in dict.fromkeys(cell for cell, *_ in found["trials"]):
        trials = [(bits, rate) for c, rate, bits in found["trials"] if c == cell]
        found["rates"][cell] = min(trials)[1]
    path.write_text(json.dumps(found), "utf-8")
    print(found, flush=True)
    return found


def team_of(folder: Path, ids, V: int, device: str):
    """The mean of the teachers' distributions of the text, (N, V); weights from folder."""
    import torch_lm

    names = [label(case) for case in GROUPS["full"] if case["name"] in TEACHERS]
    models = []
    for name in names:
        stored = torch_lm.read(folder / f"{name}.npz")
        models.append(torch_lm.Model(stored.settings, V).load(stored.params).to(device))
    found = torch_lm.team_probabilities(models, ids, columns=max(1, len(ids) // 4_000))
    bits = -float(found[np.arange(len(ids)), ids].float().log2().mean())
    print(f"the teachers {names} guess the training text at {bits:.2f} bits", flush=True)
    return found


def fitting(runs, seconds, least, enough) -> list:
    """The first of the runs, as many as get `enough` updates each in so many seconds; `least` stay.

    All are trained for a moment, to see how long a round takes, and set back. We count on a time
    that grows with the number of runs, which asks for fewer runs than kernels side by side would.
    """
    import torch
    import torch_lm

    wait = torch.cuda.synchronize if runs[0].stream else lambda: None
    starts = [{k: v.clone() for k, v in run.model.state_dict().items()} for run in runs]
    for rounds in (5, 20):
        wait()
        begin = time.perf_counter()
        for _ in range(rounds):
            for run in runs:
                run.step(1e-4)
        wait()
        a_round = (time.perf_counter() - begin) / rounds
    for run, start in zip(runs, starts):
        torch_lm.reset(run, start)
    n = len(runs)
    while n > least and seconds / (a_round * n / len(runs)) < enough:
        n -= 1
    print(f"{1000 * a_round:.1f} ms a round of {len(runs)} networks: {n} are trained", flush=True)
    return runs[:n]


def train_group(cases, args) -> list:
    """Train the cases side by side for --seconds, score them, write OUT/GROUP.json and weights."""
    import torch
    import torch_lm

    group, device = cases[0]["group"], torch_lm.prepare(args)
    vocab, train, *scored = encoded()
    valid, test = (ids[: args.part] for ids in scored)
    V, reserve = len(vocab), AT_THE_END[group] * args.seconds
    found = pilot(cases, args, device, train, valid, V, PILOT.get(group, 0) * args.seconds)
    many = {
        label(case): {"lr": found["rates"].get(case["cell"]), **model_settings(case)}
        for case in cases
    }
    teacher = None
    if any(case.get("taught") for case in cases):
        teacher = team_of(args.team or args.out, train, V, device)
    runs = torch_lm.make_runs(args, device, many, train, V, teacher)
    work, before = args.work / f"{group}.work.pt", 0.0
    if work.exists():
        saved = torch.load(work, map_location=device, weights_only=False)
        for run, state in zip(runs, saved["runs"]):
            run.resume(state)
        before = saved["elapsed"]
    left = max(torch_lm.seconds_left(args, reserve), 1.0)
    clock = torch_lm.Clock(left + before, before=before)

    if device == "cuda" and not before:
        runs = fitting(runs, left, *ENOUGH[group])
        cases = cases[: len(runs)]
        left = max(torch_lm.seconds_left(args, reserve), 1.0)
        clock = torch_lm.Clock(left)

    def save():
        states = [run.state() for run in runs]
        study.save_state(work, {"runs": states, "elapsed": clock.elapsed})

    def look(run):
        with run.averaged():
            mean = torch_lm.bits(run.model, valid, 128, warm=50)
        last = torch_lm.bits(run.model, valid, 128, warm=50)
        print(f"{clock.elapsed:5.0f} s", run.name, run.updates, round(mean, 3), round(last, 3),
              flush=True)  # fmt: skip
        return {"valid": round(mean, 4), "valid_last": round(last, 4)}

    torch_lm.train(runs, clock, torch_lm.LOOKS, look, save=save)
    save()
    results, broken = [], [
        {"case": case, "result": stopped(run), "seconds": round(clock.elapsed, 1)}
        for run, case in zip(runs, cases) if run.stopped
    ]  # fmt: skip
    cases = [case for run, case in zip(runs, cases) if not run.stopped]
    runs = [run for run in runs if not run.stopped]
    for run, case in zip(runs, cases):
        results.append({"case": case, "result": score(run, found, valid, test),
                        "seconds": round(clock.elapsed, 1)})  # fmt: skip
        (args.out / f"{group}.json").write_text(
            json.dumps({"pilot": found, "torch": torch.__version__, "device": device,
                        "runs": results + broken}), "utf-8")  # fmt: skip
        print(case["name"], case["seed"], results[-1]["result"]["valid"], flush=True)
    keep_weights(runs, cases, results, vocab, args)
    if group == "full":  # of its networks the teams are made
        keep_probabilities(runs, cases, results, valid, test, args)
    return results


def score(run, found, valid, test) -> dict:
    """What is reported of one network."""
    import torch_lm

    last = run.history[-1]
    use_mean = last["valid"] <= last["valid_last"]
    many = min(PLACES, len(valid) // 10)  # fewer of a part only
    places = np.random.default_rng(0).integers(max(CONTEXTS), len(valid), many)
    with run.averaged(use_mean) as model:
        result = {
            "valid": round(torch_lm.bits(model, valid, 64, warm=100), 4),
            "test": round(torch_lm.bits(model, test, 64, warm=100), 4),
            "contexts": by_context(model, valid, places),
        }
    s = run.settings
    return result | what_happened(run) | {
        "mean_of_weights": bool(use_mean),
        "parameters": torch_lm.n_parameters(
            s["cell"], run.model.embed.num_embeddings, s["D"], s["H"], s["layers"], s["tied"]
        ),
        "graph": run.graph is not None, "pilot_updates": found["updates"],
        "trials": [trial[1:] for trial in found["trials"] if trial[0] == s["cell"]],
    }  # fmt: skip


def what_happened(run) -> dict:
    """The course of a training."""
    return {
        "rate": run.settings["lr"], "updates": run.updates, "characters": run.characters,
        "curve": [
            [h["characters"], h["train"], h["valid"], h["valid_last"], h["seconds"]]
            for h in run.history
        ],
    }  # fmt: skip


def stopped(run) -> dict:
    """What is reported of a network whose loss has become no number."""
    return {"stopped": str(run.stopped), **what_happened(run)}


def keep_weights(runs, cases, results, vocab, args):
    """The weights of every network in half precision."""
    import torch_lm

    for run, case, result in zip(runs, cases, results):
        with run.averaged(result["result"]["mean_of_weights"]) as model:
            params = model.params()
        about = {"case": case, "valid": result["result"]["valid"]}
        trained = torch_lm.Trained(params, vocab, run.history, run.settings, about)
        torch_lm.write(args.out / f"{label(case)}.npz", trained)


def keep_probabilities(runs, cases, results, valid, test, args):
    """log₂ p of every character, for mixtures: OUT/GROUP_probabilities.npz in half precision."""
    import torch_lm

    found = {}
    for run, case, result in zip(runs, cases, results):
        with run.averaged(result["result"]["mean_of_weights"]) as model:
            for part, ids in (("valid", valid), ("test", test)):
                p = torch_lm.log2_probabilities(model, ids, 64, warm=100)
                found[f"{part} {label(case)}"] = p.astype(np.float16)
    write_npz(args.out / f"{cases[0]['group']}_probabilities.npz", found)


# --- With the counts, and with each other --------------------------------------------------------


def bits_of(p) -> float:
    """Mean surprise in bits."""
    return round(float(-np.log2(p).mean()), 4)


def best_mixture(parts: dict) -> dict:
    """λ p + (1 − λ) q, the λ chosen on validation text; parts: valid and test → (p, q)."""
    shares = np.linspace(0, 1, 41)
    share = min(shares, key=lambda s: bits_of(s * parts["valid"][0] + (1 - s) * parts["valid"][1]))
    mixed = {part: bits_of(share * p + (1 - share) * q) for part, (p, q) in parts.items()}
    return {"share": round(float(share), 3), **mixed}


def counted_probabilities(settings) -> dict:
    """The tuned counts of all training plays: probabilities of the validation and the test text."""
    vocab, train, valid, test = encoded()
    counts = ngram.count(train, len(vocab), settings["order"])
    discounts = ngram.tune_discounts(counts, valid[: settings["tune_on"]])
    tuned = partial(ngram.modified_kneser_ney, discounts=discounts)
    return {
        part: ngram.probabilities(counts, ids, tuned)[-1]
        for part, ids in (("valid", valid), ("test", test))
    }


def mix_case(settings: dict) -> dict:
    """The stored network alone, and mixed with the tuned counts."""
    stored, (_, _, valid, test) = writer.load(), encoded()
    alone = {
        part: 2.0 ** writer.log2_probabilities(stored.params, ids)
        for part, ids in (("valid", valid), ("test", test))
    }
    counts = counted_probabilities(settings)
    mixed = best_mixture({part: (alone[part], counts[part]) for part in alone})
    return {
        "alone": {part: bits_of(p) for part, p in alone.items()},
        "counts": {part: bits_of(p) for part, p in counts.items()},
        "mixed": mixed,
        "start": bits_of(alone["valid"][:20_000]),
    }


def play_so_far(ids, V: int, order: int = 5, every: int = 500):
    """Probabilities of a model that counts the play itself, up to the place where it stands.

    It counts again after every 500 characters. Returns (N − 1,), even guesses at the beginning.
    """
    found = np.full(len(ids) - 1, 1 / V)
    for start in range(every, len(ids), every):
        counts = ngram.count(ids[:start], V, order)
        part = ids[start - order - 1 : start + every]
        found[start - 1 : start + every - 1] = ngram.probabilities(counts, part)[-1][order:]
    return found


def dynamic_case(settings: dict) -> dict:
    """Both plays read by models that learn while they read: the stored network, and the counts.

    The network's rate is the best of a few on the beginning of the validation text. The counts are
    mixed with counts of the play so far, order and share chosen on validation.
    """
    vocab, _, valid, test = encoded()
    counts, texts = counted_probabilities(settings), {"valid": valid, "test": test}
    trials = [
        [rate, bits_of(learned(valid[: settings["dynamic_part"]], rate))]
        for rate in settings["dynamic_rates"]
    ]
    best = min(trials, key=lambda trial: trial[1])[0]
    own = {part: learned(ids, best) for part, ids in texts.items()}
    caches = {
        order: {part: play_so_far(ids, len(vocab), order) for part, ids in texts.items()}
        for order in (3, 5)
    }
    mixed = {
        order: best_mixture({part: (cache[part], counts[part]) for part in texts})
        for order, cache in caches.items()
    }
    order = min(mixed, key=lambda order: mixed[order]["valid"])
    share = mixed[order]["share"]
    growing = {p: share * caches[order][p] + (1 - share) * counts[p] for p in texts}
    return {
        "trials": trials,
        "learning": {"rate": best, **{part: bits_of(p) for part, p in own.items()}},
        "growing_counts": {"order": order, **mixed[order]},
        "both": best_mixture({part: (own[part], growing[part]) for part in texts}),
    }


def learned(ids, rate) -> np.ndarray:
    """p of every character but the first, for the stored network that learns while it reads."""
    import torch_lm

    stored = writer.load()
    model = torch_lm.Model(stored.about["settings"], len(stored.vocab)).load(stored.params)
    return 2.0 ** learn_while_reading(model, ids, rate)


def teams_case(file: Path, settings: dict) -> dict:
    """Networks of the group `full` together (the mean of their probabilities), and the counts.

    file: what `keep_probabilities` wrote.
    """
    stored, counts = read_npz(file), counted_probabilities(settings)
    one = {key: 2.0 ** p.astype(np.float64) for key, p in stored.items()}
    found = {}
    for name, chosen in TEAMS.items():
        members = [label(case) for case in GROUPS["full"] if case["name"] in chosen]
        team = {p: np.mean([one[f"{p} {n}"] for n in members], axis=0) for p in counts}
        found[name] = {
            "members": members, **{part: bits_of(p) for part, p in team.items()},
            "with_counts": best_mixture({part: (team[part], counts[part]) for part in team}),
        }  # fmt: skip
    return found


# --- Looking inside the stored model -------------------------------------------------------------


def properties(passage: str) -> dict:
    """Three facts about a play's text that a reader knows after each character: (N,) each."""
    line, place, name, stage = "", [], [], []
    for symbol in passage:
        line = "" if symbol == "\n" else line + symbol
        place.append(len(line))
        name.append(len(line) > 1 and line.isupper())
        stage.append(line.startswith(("Enter", "Exit", "Exeunt", "[")))
    found = {"place in the line": place, "speaker's name": name, "stage direction": stage}
    return {key: np.array(values, dtype=np.float64) for key, values in found.items()}


def concerned(passage: str) -> dict:
    """For each property, the places whose next character it should help to guess: (N − 1,) each."""
    facts, following = properties(passage), np.array(list(passage))[1:]
    lines = passage.split("\n")
    of_speech = np.array(
        [not line.isupper() and len(line) > 25 for line in lines for _ in line + "\n"]
    )
    at_end = (following == "\n") & of_speech[: len(passage)][:-1]
    return {
        "place in the line": at_end,
        "speaker's name": facts["speaker's name"][:-1] > 0,
        "stage direction": facts["stage direction"][:-1] > 0,
    }


def best_units(states: list, values, early, n: int = 1) -> list:
    """The n units (layer, unit) whose c follows the property best on `early`, the best first."""
    found = []
    for layer, (*_, c) in enumerate(states):
        wanted = values[early] - values[early].mean()
        apart = c[early] - c[early].mean(axis=0)
        r = apart.T @ wanted / (np.linalg.norm(apart, axis=0) * np.linalg.norm(wanted) + 1e-12)
        found += [(abs(float(x)), layer, unit) for unit, x in enumerate(r)]
    return [(layer, unit) for _, layer, unit in sorted(found, reverse=True)[:n]]


def clamp_units(params: dict, states: list, units: list, early) -> dict:
    """The model in which each of these units is read as its mean over `early`."""
    for layer in {layer for layer, _ in units}:
        chosen = np.array([unit for at, unit in units if at == layer])
        params = writer.clamp(
            params, layer, chosen, states[layer][0][early][:, chosen].mean(axis=0)
        )
    return params


def unit_case(settings: dict, params=None) -> dict:
    """Units found on the first half of a passage, scored on the second, then clamped there.

    cost: what clamping adds to the bits of the characters concerned, and of all others, for the
    best unit, for the eight best together, and for as many units drawn at random from the same
    layers (several draws each).
    """
    loaded = writer.load()
    params = loaded.params if params is None else params
    passage = corpora.shakespeare().valid[: settings["passage"]]
    ids, half = loaded.vocab.encode(passage), settings["passage"] // 2
    early, late = slice(0, half), slice(half, None)
    states = writer.inside(params, ids, 40)
    facts, where = properties(passage), concerned(passage)
    late_ids, rng = ids[half:], np.random.default_rng(0)
    free, found = writer.log2_probabilities(params, late_ids), {}
    for name, values in facts.items():
        here = where[name][half:]
        [(layer, unit)] = best_units(states, values, early)
        r = np.corrcoef(states[layer][-1][late, unit], values[late])[0, 1]
        found[name] = {"layer": layer, "unit": unit, "r": round(float(r), 3),
                       "places": int(here.sum())}  # fmt: skip

        def cost(units, here=here):
            clamped = clamp_units(params, states, units, early)
            lost = free - writer.log2_probabilities(clamped, late_ids)
            return [round(float(lost[here].mean()), 4), round(float(lost[~here].mean()), 4)]

        for n in (1, 8):
            units = best_units(states, values, early, n)
            drawn = [
                [(at, int(rng.integers(states[at][0].shape[1]))) for at, _ in units]
                for _ in range(settings["draws"])
            ]
            found[name] |= {f"cost_{n}": cost(units), f"random_{n}": [cost(d) for d in drawn]}
    return found


# --- The record ---------------------------------------------------------------------------------


def run(case, settings):
    """One case: counts here and now; a network alone, for as long as the settings say."""
    if case["group"] == "counts":
        return count_case(case["characters"], settings)
    if case["group"] == "units":
        return unit_case(settings)
    if case["group"] == "mix":
        return mix_case(settings)
    if case["group"] == "dynamic":
        return dynamic_case(settings)
    raise RuntimeError(
        f"networks are trained by the group: python experiments/shakespeare.py {case['group']}, "
        "then python experiments/shakespeare.py record OUT"
    )


CASES = [
    *({"group": "counts", "characters": n} for n in COUNTED),
    *(case for cases in GROUPS.values() for case in cases),
    *({"group": name} for name in ("teams", "mix", "dynamic", "units")),
]
HERE = ("counts", "mix", "dynamic", "units")  # what needs no GPU

STUDY = study.Study(
    name="shakespeare",
    question="Do networks that were trained for long beat the best counts on Shakespeare?",
    settings={
        "order": 8, "tune_on": 40_000, "passage": 16_000, "draws": 8,
        "dynamic_rates": (0.0, 0.05, 0.15, 0.5, 1.5), "dynamic_part": 20_000,
        "contexts": CONTEXTS, "places": PLACES, "T": 100,
        "schedule": "half a cosine to zero over the time of the run",
        "networks": "side by side on one GPU, torch 2.11: full and taught in half precision on an "
        "NVIDIA H100, in two sittings of five minutes; varied and little on an NVIDIA H200",
        "chosen_on": "Romeo and Juliet (validation)",
    },
    cases=CASES,
    run=run,
    tolerance=0.02,
)  # fmt: skip


def put_into_record(folders):
    """Merge what groups have found into the record, network by network.

    The probabilities that they left become the case `teams`.
    """
    path = study.FOLDER / f"{STUDY.name}.json"
    cases = study.as_json(STUDY.cases)
    runs = [run for run in study.read_json(path)["runs"] if run["case"] in cases]
    for file in (file for folder in folders for file in sorted(Path(folder).glob("*.json"))):
        for new in json.loads(file.read_text("utf-8")).get("runs", []):
            if new["case"] not in cases:
                raise ValueError(f"{file.name} holds a case that the study lacks: {new['case']}")
            runs = [old for old in runs if old["case"] != new["case"]] + [new]
    trained = max(run["seconds"] for run in runs if run["case"]["group"] == "full")
    for file in (folder / "full_probabilities.npz" for folder in folders):
        if file.exists():
            new = {"case": {"group": "teams"}, "result": teams_case(file, STUDY.settings)}
            runs = [old for old in runs if old["case"] != new["case"]]
            runs.append(new | {"seconds": trained})
    study.write(path, STUDY, runs)
    print(f"{len(runs)} of {len(cases)} cases are in the record")


def run_here(redo):
    """The cases that need no GPU and are not in the record yet, or all of them."""
    path = study.FOLDER / f"{STUDY.name}.json"
    runs = study.read(path, STUDY)
    for case in (case for case in CASES if case["group"] in HERE):
        if not redo and any(old["case"] == case for old in runs):
            continue
        if case["group"] != "counts" and not writer.CHECKPOINT.exists():
            print(f"{case}: no stored model yet")
            continue
        begin = time.perf_counter()
        result = study.as_json(run(case, STUDY.settings))
        seconds = round(time.perf_counter() - begin, 1)
        runs = [old for old in runs if old["case"] != case]
        runs.append({"case": case, "result": result, "seconds": seconds})
        study.write(path, STUDY, runs)
        print(case, f"{seconds} s", study.short(result), flush=True)


def store_writer(file: Path):
    """Make helpers/trained/shakespeare.npz of the weights that a group wrote."""
    import torch_lm

    found = torch_lm.read(file)
    ids = found.vocab.encode(corpora.shakespeare().valid)
    half = {name: a.astype(np.float16).astype(np.float32) for name, a in found.params.items()}
    slice_bits = bits_of(2.0 ** writer.log2_probabilities(half, ids[:SLICE]))
    about = {"settings": found.settings, **found.about, "slice": [SLICE, slice_bits]}
    writer.save(writer.CHECKPOINT, found.params, found.vocab, about)
    print(
        f"{file.name}: {slice_bits} bits on the first {SLICE:,} characters of the validation text"
    )


def main():
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description=STUDY.question)
    parser.add_argument(
        "what",
        nargs="?",
        default="here",
        choices=("here", "record", "store", *GROUPS),
    )
    parser.add_argument("folders", nargs="*", type=Path, help="for record and store: what was made")
    parser.add_argument("--redo", action="store_true", help="run all again that needs no GPU")
    parser.add_argument("--only", type=int, help="the first so many cases of the group (to try it)")
    parser.add_argument("--team", type=Path, help="where the weights of the group full are")
    parser.add_argument("--part", type=int, help="score so many characters only (to try it)")
    import torch_lm

    args = torch_lm.add_options(parser).parse_args()
    if args.what == "record":
        put_into_record(args.folders)
    elif args.what == "store":
        store_writer(args.folders[0])
    elif args.what == "here":
        run_here(args.redo)
    else:
        train_group(GROUPS[args.what][: args.only], args)


if __name__ == "__main__":
    main()
