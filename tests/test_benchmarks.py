"""The benchmarks run, and what they time computes the same as its rival."""

import sys

import pytest

pytest.importorskip("torch")


@pytest.mark.parametrize(
    ("name", "regime", "options"),
    [
        ("cells", (3, 2, 3, 4), ["--runs", "1"]),
        ("cells", (3, 2, 3, 4), ["--runs", "1", "--profile", "lstm"]),
        ("translate", (3, 3, 2, 3, 4), ["--runs", "1"]),
    ],
)
def test_benchmark_prints_a_table(name, regime, options, monkeypatch, capsys):
    """It compares gradients before it times them, and stops where they differ."""
    module = __import__(name)
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(variable, "1")
    monkeypatch.setattr(module, "REGIMES", [regime])
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *options])
    module.main()
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert "×".join(map(str, regime)) in "".join(rows)
    assert "nan" not in "".join(rows)
