"""Train networks that run programs: `python experiments/programs.py WHAT --out FOLDER --help`.

WHAT is one of three trainings of chapter 10's notebook on programs:

    runner       one network for programs of up to three digits and two operations, to be kept
    strategies   the same task learned in four orders, three seeds each: is a curriculum needed?
    adder        additions alone, with the digits turned round or not, three seeds each

All networks of a training take their updates in turn, so that they get equally many. A training
ends after `--seconds`; the learning rate falls to zero along half a cosine over that time, and a
curriculum moves on by shares of it. The state is saved to `--work` every minute, and a run that was
interrupted goes on from there until its seconds are used up. Because the time ends it, a run on
another machine makes another number of updates: the record says how many there were.

What the notebook shows was made with --seconds 250, 300 and 150, on a part of one GPU. On a
processor alone an hour or more would be needed. `collect --out FOLDER` puts the three results into
one file, `src/helpers/trained/programs.npz`.
"""

import argparse
import contextlib
import copy
import json
import multiprocessing
import platform
import queue
import time
from datetime import date
from pathlib import Path

import numpy as np
import study
import torch
from torch import nn

from helpers.data import programs
from helpers.text import END, START
from helpers.torch_parity import from_torch
from helpers.trained import store

STRATEGIES = ("target only", "naive", "mix", "combined")
LENGTH, NESTING = 3, 2  # what is trained for
CELLS = [(length, nesting) for nesting in (1, 2) for length in (1, 2, 3)]  # easy to hard
HARDER = [(4, 1), (4, 2), (5, 1), (5, 2), (1, 3), (2, 3), (3, 3), (3, 4)]
NAIVE_SHARE = 0.6  # after so much of the time the naive curriculum has reached the target
SETTINGS = {
    "runner": {"D": 32, "H": 200, "layers": 2, "B": 512, "lr": 2e-3, "seeds": 1},
    "strategies": {"D": 32, "H": 200, "layers": 2, "B": 512, "lr": 2e-3, "seeds": 3},
    "adder": {"D": 16, "H": 128, "layers": 1, "B": 1024, "lr": 4e-3, "seeds": 3},
}
WARM_SHARE = 0.02  # the learning rate rises over so much of the time
ADDER_LENGTHS = (1, 2, 3, 4, 5)
ADDER_TESTS = (1, 2, 3, 4, 5, 6, 7, 8)
MAX_NORM = 5.0


# --- Data: a pool of examples on the device, filled while the training runs ----------------------


def rows_of(pairs, vocab, width):
    """(text, answer) pairs → rows (n, width) of ids, text + START + answer + END, and read (n,).

    Pairs that are too long for the width are left out.
    """
    table = np.zeros(256, np.uint8)
    for i, symbol in enumerate(vocab.symbols[2:], 2):
        table[ord(symbol)] = i
    table[1], table[2] = START, END
    pairs = [(x, y) for x, y in pairs if len(x) + len(y) + 2 <= width]
    text = "".join(f"{x}\x01{y}\x02".ljust(width, "\x00") for x, y in pairs)
    rows = table[np.frombuffer(text.encode("latin-1"), np.uint8)].reshape(-1, width)
    read = np.array([len(x) for x, _ in pairs], np.int64)
    total = read + np.array([len(y) for _, y in pairs], np.int64) + 1
    return rows, read, total


def drawn(what, cell, n, rng, part="train"):
    """n examples (text, answer) of one cell: programs, or additions written in one order."""
    if what == "adder":
        length, order = cell
        pairs = programs.additions(n, length, rng, part)
        return [programs.write_addition(a, b, order) for a, b in pairs.tolist()]
    found = []
    while len(found) < n:
        program = programs.draw_program(*cell, rng)
        if programs.part_of(program.code) == part:
            found.append((program.code, program.answer))
    return found


def vocabulary(what):
    return programs.adder_vocabulary() if what == "adder" else programs.vocabulary()


def keep_drawing(what, cells, width, seed, chunks, stop):
    """A process of its own: draws fresh examples, cell after cell, as long as they are wanted."""
    rng, vocab, i = np.random.default_rng([seed, 1]), vocabulary(what), 0
    while not stop.is_set():
        k = i % len(cells) if i % 2 else len(cells) - 1  # half of all for the last, the target
        made = rows_of(drawn(what, cells[k], 4000, rng), vocab, width)
        while not stop.is_set():
            with contextlib.suppress(queue.Full):
                chunks.put((k, *made), timeout=0.5)
                break
        i += 1


class Pool:
    """Rows of every cell in one tensor on the device; fresh ones take the place of the oldest."""

    def __init__(self, what, cells, first, device, seed, fresh=True, room=300_000):
        rng, vocab = np.random.default_rng([seed, 0]), vocabulary(what)
        # The seed holds a day's time too: a training that goes on draws other programs.
        samples = [drawn(what, cell, 1500, np.random.default_rng(7)) for cell in cells]
        self.widths = [max(len(x) + len(y) for x, y in s) + 4 for s in samples]
        self.width, self.room, self.device = max(self.widths), room, device
        self.rows = torch.zeros((len(cells) * room, self.width), dtype=torch.uint8, device=device)
        self.read = torch.zeros(len(cells) * room, dtype=torch.long, device=device)
        self.total = torch.zeros(len(cells) * room, dtype=torch.long, device=device)
        self.made, self.filled = [0] * len(cells), torch.zeros(len(cells), device=device)
        for k, cell in enumerate(cells):
            self.add(k, *rows_of(drawn(what, cell, first, rng), vocab, self.width))
        self.process = None
        if fresh:
            context = multiprocessing.get_context("spawn")
            self.chunks, self.stop = context.Queue(8), context.Event()
            arguments = (what, cells, self.width, seed, self.chunks, self.stop)
            self.process = context.Process(target=keep_drawing, args=arguments, daemon=True)
            self.process.start()

    def add(self, k, rows, read, total):
        n = len(rows)
        at = (self.made[k] + np.arange(n)) % self.room + k * self.room
        at = torch.from_numpy(at).to(self.device)
        self.rows[at] = torch.from_numpy(rows).to(self.device)
        self.read[at] = torch.from_numpy(read).to(self.device)
        self.total[at] = torch.from_numpy(total).to(self.device)
        self.made[k] += n
        self.filled[k] = min(self.made[k], self.room)

    def refresh(self):
        """Take in what has been drawn since the last time."""
        if self.process is None:
            return
        for _ in range(4):
            with contextlib.suppress(queue.Empty):
                self.add(*self.chunks.get_nowait())

    def batch(self, cells, width, generator):
        """Rows (B, width), read and total (B,), one example of each of the cells (B,)."""
        place = torch.rand(len(cells), device=self.device, generator=generator)
        at = cells * self.room + (place * self.filled[cells]).long()
        return self.rows[at, :width], self.read[at], self.total[at]

    def close(self):
        if self.process is not None:
            self.stop.set()
            self.process.join(timeout=5)
            if self.process.is_alive():
                self.process.terminate()


# --- The network in PyTorch ----------------------------------------------------------------------


class Net(nn.Module):
    """The network of helpers.executor: embedding, a stack of LSTMs, read-out."""

    def __init__(self, V, D, H, layers, seed):
        super().__init__()
        torch.manual_seed(seed)
        self.E = nn.Embedding(V, D)
        self.rnn = nn.LSTM(D, H, layers)
        self.out = nn.Linear(H, V)
        with torch.no_grad():
            for name, p in self.rnn.named_parameters():
                if name.startswith("bias"):
                    p.zero_()
                if name.startswith("bias_ih"):
                    p[H : 2 * H] = 1.0  # the forget gates begin open

    def forward(self, rows, read, total):
        """Logits (B, A, V) of the answers' symbols, their targets, and where there are any."""
        ids = rows.long().T
        hs, _ = self.rnn(self.E(ids[:-1]))
        places = read[:, None] + torch.arange(programs.DIGITS + 2, device=rows.device)
        places = places.clamp(max=len(ids) - 2)
        column = torch.arange(len(read), device=rows.device)[:, None]
        mask = (places < total[:, None]) & (places.diff(dim=1, prepend=places[:, :1] - 1) > 0)
        return self.out(hs[places, column]), ids[places + 1, column], mask

    def loss(self, rows, read, total):
        """Cross-entropy per symbol of the answers, END included, in nats."""
        z, targets, mask = self(rows, read, total)
        each = nn.functional.cross_entropy(z.flatten(0, 1), targets.flatten(), reduction="none")
        return (each * mask.flatten()).sum() / mask.sum()

    def params(self):
        """The parameters under the names of helpers.executor."""
        net = copy.deepcopy(self).cpu()
        found = from_torch(_LSTM, net.rnn)
        found["E"] = net.E.weight.detach().numpy()
        found["W_hy"] = net.out.weight.detach().numpy().T.copy()
        found["b_y"] = net.out.bias.detach().numpy()
        return found


class _LSTM:
    own = ()


@torch.no_grad()
def score(net, rows, read, total):
    """Shares of right symbols, given the right ones before, and of answers without an error.

    A greedy answer is right exactly if each of its symbols is the likeliest after the right ones
    before it, so the second share needs no free run.
    """
    right = symbols = answers = 0
    for i in range(0, len(rows), 500):
        z, targets, mask = net(rows[i : i + 500], read[i : i + 500], total[i : i + 500])
        good = (z.argmax(-1) == targets) & mask
        right, symbols = right + good.sum().item(), symbols + mask.sum().item()
        answers += (good | ~mask).all(dim=1).sum().item()
    return [round(right / symbols, 4), round(answers / len(rows), 4)]


# --- Training ------------------------------------------------------------------------------------


def cases(what):
    """The networks of one training: a dict each, its seed included."""
    seeds = range(SETTINGS[what]["seeds"])
    if what == "adder":
        return [{"order": order, "seed": seed} for order in programs.ORDERS for seed in seeds]
    kinds = ("combined",) if what == "runner" else STRATEGIES
    return [{"strategy": kind, "seed": seed} for kind in kinds for seed in seeds]


def chosen_cells(what, case, share, n, device, generator):
    """The cell of each of n examples (n,), and the cell that is as wide as any of them."""
    if what == "adder":
        k = torch.randint(len(ADDER_LENGTHS), (n,), device=device, generator=generator)
        return k + len(ADDER_LENGTHS) * programs.ORDERS.index(case["order"]), -1
    last = len(CELLS) - 1
    stage = min(int(share / NAIVE_SHARE * len(CELLS)), last)
    if case["strategy"] == "target only":
        return torch.full((n,), last, device=device), last
    if case["strategy"] == "naive":
        return torch.full((n,), stage, device=device), stage
    cells = torch.randint(len(CELLS), (n,), device=device, generator=generator)
    if case["strategy"] == "combined":
        other = torch.rand(n, device=device, generator=generator) < 0.5
        cells = torch.where(other, stage, cells)
    return cells, last


def held_out(what, part, n, device, only=None):
    """Examples of every cell that is tested, ones that no training draws: name → tensors."""
    cells, sets = CELLS + HARDER, {}
    if what == "adder":
        cells = [(length, order) for order in programs.ORDERS for length in ADDER_TESTS]
    for cell in cells:
        if only is not None and not f"{cell[0]},{cell[1]}".startswith(only):
            continue
        rng = np.random.default_rng([11, programs.ORDERS.index(cell[1]) if what == "adder" else 0])
        if what == "adder":
            pairs = drawn(what, cell, n, rng, part)
        else:
            few = min(n, 150) if cell == (1, 1) else n
            made = programs.draw_many(few, *cell, rng, part)
            pairs = [(p.code, p.answer) for p in made]
        width = max(len(x) + len(y) for x, y in pairs) + 4
        arrays = rows_of(pairs, vocabulary(what), width)
        sets[f"{cell[0]},{cell[1]}"] = [torch.from_numpy(a).to(device) for a in arrays]
    return sets


def mine(what, case, sets):
    """The test sets that concern one network."""
    if what != "adder":
        return sets
    return {name: s for name, s in sets.items() if name.endswith("," + case["order"])}


def train(what, seconds, out, work, device, show=True):
    """Train all networks of one training for so many seconds, and write what came out."""
    begin = time.perf_counter()
    s, todo = SETTINGS[what], cases(what)
    cells = CELLS
    if what == "adder":
        cells = [(length, order) for order in programs.ORDERS for length in ADDER_LENGTHS]
    first, room = (20_000, 300_000) if what != "adder" else (60_000, 60_000)
    if seconds < 60:  # a trial
        first, room = 2000, 20_000
    updates, spent, history = 0, 0.0, [[] for _ in todo]
    saved = torch.load(work, map_location="cpu", weights_only=True) if work.exists() else None
    if saved is not None:
        updates, spent, history = saved["updates"], saved["spent"], saved["history"]
        if saved["settings"] != s:
            raise ValueError(f"{work.name} was made with other settings: {saved['settings']}")
    pool = Pool(what, cells, first, device, seed=updates, fresh=what != "adder", room=room)
    V, on_gpu = len(vocabulary(what)), device.type == "cuda"
    nets, optimizers, generators, streams = [], [], [], []
    for i, case in enumerate(todo):
        net = Net(V, s["D"], s["H"], s["layers"], case["seed"]).to(device)
        optimizer = torch.optim.Adam(net.parameters(), lr=s["lr"], fused=on_gpu)
        if saved is not None:
            net.load_state_dict(saved["nets"][i])
            optimizer.load_state_dict(saved["optimizers"][i])
        nets.append(net)
        optimizers.append(optimizer)
        generators.append(torch.Generator(device).manual_seed(1000 * case["seed"] + updates))
        streams.append(torch.cuda.Stream() if on_gpu else None)
    watched = "3,2" if what != "adder" else "5,"
    valid = held_out(what, "valid", 500, device, watched)
    test = held_out(what, "test", 1000, device)

    def sync():
        if on_gpu:
            torch.cuda.synchronize()

    def save():
        state = {
            "updates": updates, "spent": elapsed(), "history": history, "settings": s,
            "nets": [net.state_dict() for net in nets],
            "optimizers": [optimizer.state_dict() for optimizer in optimizers],
        }  # fmt: skip
        study.save_state(work, state)

    def elapsed():
        return spent + time.perf_counter() - begin

    def watch(share):
        for case, net, line in zip(todo, nets, history):
            sets = mine(what, case, valid)
            name = next(n for n in sets if n.startswith(watched))
            line.append([updates, round(share, 3), *score(net, *sets[name])])
        if show:
            print(
                f"{elapsed():.0f} s, {updates} updates: {[h[-1][2:] for h in history]}", flush=True
            )

    limit = seconds - max(4.0, 0.05 * seconds)  # the rest is for scoring and writing
    start, last_save, next_watch = min(elapsed(), limit), elapsed(), 0.0
    start = 0.0 if saved is not None else start  # what was used before learning began is no share
    losses = [None] * len(todo)
    sync()
    while elapsed() < limit:
        share = (elapsed() - start) / (limit - start)
        warm = min(1.0, (share + 0.001) / WARM_SHARE)
        rate = float(s["lr"] * warm * 0.5 * (1 + np.cos(np.pi * share)))
        for i, case in enumerate(todo):
            context = torch.cuda.stream(streams[i]) if on_gpu else contextlib.nullcontext()
            with context:
                chosen, widest = chosen_cells(what, case, share, s["B"], device, generators[i])
                batch = pool.batch(chosen, pool.widths[widest], generators[i])
                loss = nets[i].loss(*batch)
                optimizers[i].zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(nets[i].parameters(), MAX_NORM)
                for group in optimizers[i].param_groups:
                    group["lr"] = rate
                optimizers[i].step()
                losses[i] = loss.detach()
        updates += 1
        if updates % 10 == 0:
            sync()
            pool.refresh()
            sync()
            if share >= next_watch:
                watch(share)
                next_watch += 0.1
                if not all(torch.isfinite(loss) for loss in losses):
                    raise FloatingPointError(f"a loss is not finite after {updates} updates")
            if elapsed() - last_save > 60:
                save()
                last_save = elapsed()
    sync()
    pool.close()
    watch(1.0)
    save()
    runs = []
    for case, net, line in zip(todo, nets, history):
        scores = {name: score(net, *sets) for name, sets in mine(what, case, test).items()}
        runs.append({"case": case, "test": scores, "history": line})
        if show:
            print(case, scores, flush=True)
    about = {
        "settings": s, "updates": updates, "examples": updates * s["B"],
        "seconds": round(elapsed()), "date": date.today().isoformat(), "device": device.type,
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "fresh": sum(pool.made),
    }  # fmt: skip
    (out / f"{what}.json").write_text(json.dumps({"about": about, "runs": runs}), "utf-8")
    kept = {}
    for case, net in zip(todo, nets):
        if what == "strategies" or case["seed"]:
            continue
        prefix = "runner" if what == "runner" else case["order"]
        for name, array in net.params().items():
            kept[f"{prefix}.{name}"] = array.astype(np.float16)
    if kept:
        store.write_npz(out / f"{what}.npz", kept)


def collect(folder):
    """One file from the three results: src/helpers/trained/programs.npz."""
    arrays, about = {}, {}
    for what in SETTINGS:
        about[what] = json.loads((folder / f"{what}.json").read_text("utf-8"))
        if what != "strategies":
            arrays |= store.read_npz(folder / f"{what}.npz")
    arrays["about"] = np.array(json.dumps(about))
    path = Path(store.__file__).with_name("programs.npz")
    store.write_npz(path, arrays)
    print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")


def main():
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=[*SETTINGS, "collect"])
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--device", default="auto", help="auto: a GPU if there is one")
    parser.add_argument("--out", type=Path, default=Path("programs"), help="folder for results")
    parser.add_argument("--work", type=Path, help="file of the state to resume, beside --out")
    options = parser.parse_args()
    if options.what == "collect":
        collect(options.out)
        return
    options.out.mkdir(parents=True, exist_ok=True)
    work = options.work or options.out.with_name(f"{options.out.name}_{options.what}.state")
    device = torch.device(study.device_of(options.device))
    torch.set_num_threads(1)
    torch.set_float32_matmul_precision("high")
    train(options.what, options.seconds, options.out, work, device)


if __name__ == "__main__":
    main()
