"""The code on the pages of prose runs, and prints what stands beneath it."""

import re
from pathlib import Path

import numpy as np
import pytest

BOOK = Path(__file__).resolve().parents[1] / "book"
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```)?", re.DOTALL | re.MULTILINE)


def blocks(page: str) -> list:
    """(code, what it prints or "") of every block of Python on a page."""
    return BLOCK.findall((BOOK / page).read_text("utf-8"))


@pytest.mark.parametrize(("code", "printed"), blocks("faq.md"))
def test_answer_prints_what_stands_beneath_it(code, printed, capsys):
    exec(compile(code, "faq.md", "exec"), {})
    assert capsys.readouterr().out == printed
    assert printed


def test_own_text_is_read_split_trained_on_and_sampled(tmp_path, monkeypatch, capsys):
    words = np.random.default_rng(0).choice(["café", "noir", "et", "le", "thé"], 900)
    (tmp_path / "my_text.txt").write_bytes(" ".join(words).replace(" ", "\r\n").encode("utf-8-sig"))
    monkeypatch.chdir(tmp_path)
    code = "\n".join(code for code, _ in blocks("own_text.md"))
    assert code.count("updates = 2000\n") == 1
    shorter = code.replace("updates = 2000\n", "updates = 30\n")
    space = {}
    exec(compile(shorter, "own_text.md", "exec"), space)
    shown = capsys.readouterr().out
    assert re.search(r"^[\d,]+ characters, 13 different ones$", shown, re.MULTILINE)
    assert re.search(
        r"^validation: \d\.\d\d bits per character, counting \d\.\d\d$", shown, re.MULTILINE
    )
    assert "--- temperature 0.5" in shown and "--- temperature 1.0" in shown
    assert set(space["vocab"].symbols) == {"<unk>", "\n", *"caféniorethl"}
    assert space["history"].loss[-1] < space["history"].loss[0]
    train, valid, test = space["parts"]
    assert train + valid + test == space["whole"] and len(valid) == pytest.approx(len(test), abs=2)


def test_every_block_of_own_text_is_run():
    text = (BOOK / "own_text.md").read_text("utf-8")
    assert text.count("```python") == len(blocks("own_text.md")) == 5
