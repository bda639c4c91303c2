"""Train the writers of chapter 10: characters in, characters out.

    python experiments/writers.py --corpus code|prose|tunes [--seed 0] --seconds 160 --out out

One LSTM for each corpus: the code of scikit-learn, docstrings with formulas and references
(`helpers.data.source_code`), folk tunes in ABC (`helpers.data.tunes`). Settings are in `SETTINGS`;
the trainer is `torch_lm.train_text`, which says how the clock sets the learning rate, how a stopped
run goes on, and what is written. The stored models took 60 to 200 seconds each on a GPU that they
shared; on two cores reckon with a few hours.

--texts FILE reads the three parts of the corpus from an .npz file (`--write-texts` makes one), for
machines on which the packages are missing or are of other versions.
"""

import argparse
import hashlib
import json
import tempfile
from pathlib import Path

import numpy as np
import torch_lm

from helpers.data import source_code, tunes
from helpers.text import Split
from helpers.trained import scribes, store

CORPORA = {"code": source_code.code, "prose": source_code.prose, "tunes": tunes.texts}
SETTINGS = {
    "code": {"H": 384, "D": 64, "B": 128, "T": 128, "drop_out": 0.1, "drop_in": 0.0},
    "prose": {"H": 384, "D": 64, "B": 128, "T": 128, "drop_out": 0.1, "drop_in": 0.0},
    "tunes": {"H": 256, "D": 32, "B": 64, "T": 128, "drop_out": 0.4, "drop_in": 0.1},
}


def texts(corpus: str, path=None) -> Split:
    """The corpus, from its packages or from a file that `write_texts` made."""
    if path is None:
        return CORPORA[corpus]()
    arrays = store.read_npz(path)
    return Split(*(arrays[f"{corpus}.{part}"].tobytes().decode("ascii") for part in Split._fields))


def write_texts(path) -> None:
    """All corpora as bytes in one .npz file."""
    arrays = {}
    for corpus in CORPORA:
        for part, text in zip(Split._fields, texts(corpus)):
            arrays[f"{corpus}.{part}"] = np.frombuffer(text.encode("ascii"), np.uint8)
    store.write_npz(path, arrays)


def gather(folder) -> None:
    """Take over the trained writers of seed 0, with a note on every run of the same corpus."""
    for corpus in CORPORA:
        notes = [json.loads(p.read_text("utf-8")) for p in sorted(folder.rglob(f"{corpus}_?.json"))]
        arrays = store.read_npz(next(folder.rglob(f"{corpus}_0.npz")))
        runs = [
            {
                "seed": note["settings"]["seed"],
                "updates": note["history"][-1]["updates"],
                "passes": round(note["history"][-1]["characters"] / note["characters"][0], 1),
                "valid": note["about"]["valid"],
            }
            for note in notes
        ]
        about = json.loads(str(arrays["about"])) | {"runs": runs, "sha256": notes[0]["sha256"]}
        arrays["about"] = np.array(json.dumps(about))
        store.write_npz(scribes.FOLDER / f"{corpus}.npz", arrays)
        print(corpus, *runs, sep="\n  ")


def main():
    parser = torch_lm.add_options(argparse.ArgumentParser(description=__doc__.split("\n")[0]))
    parser.add_argument("--corpus", choices=CORPORA)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--texts", type=Path, help="read the corpus from this file")
    parser.add_argument("--write-texts", type=Path, help="write all corpora to this file, and stop")
    parser.add_argument("--gather", type=Path, help="store what was trained into this folder")
    args = parser.parse_args()
    if args.write_texts:
        write_texts(args.write_texts)
        return
    if args.gather:
        gather(args.gather)
        return
    if args.corpus is None:
        parser.error("--corpus is missing")
    args.work = args.work or Path(tempfile.gettempdir()) / "writers"
    args.work.mkdir(parents=True, exist_ok=True)
    split = texts(args.corpus, args.texts)
    settings = SETTINGS[args.corpus] | {"seed": args.seed}
    name = f"{args.corpus}_{args.seed}"
    trained = torch_lm.train_text(name, split, settings, args)
    digest = hashlib.sha256("\0".join(split).encode()).hexdigest()[:16]
    record = {
        "corpus": args.corpus, "sha256": digest, "characters": [len(part) for part in split],
        "settings": trained.settings, "about": trained.about, "history": trained.history,
    }  # fmt: skip
    (args.out / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    (args.work / f"{name}.work.pt").unlink(missing_ok=True)  # it has come to its end


if __name__ == "__main__":
    main()
