"""Resolve requirements.in into requirements.txt: exact versions for every system and Python.

The CUDA libraries that torch asks for on Linux are left out. pip fetches them with a torch that
needs them, and leaves them alone with a CPU build. Then requirements-autograder.in is resolved
under those pins.
"""

import re
import subprocess
import sys
from pathlib import Path

HEADER = """\
# Exact versions that the book is built and tested with: Linux, macOS, Windows, Python 3.11–3.14.
# Written by `make requirements` from requirements.in. The CUDA libraries of torch are left to pip.
"""
AUTOGRADER = """\
# Exact versions for `make autograder`, under the pins of requirements.txt.
# Written by `make requirements` from requirements-autograder.in.
"""
CUDA = re.compile(r"^(nvidia|cuda|triton)\b")


def compile_requirements(source: str = "requirements.in", *options: str) -> list[str]:
    command = [
        *(sys.executable, "-m", "uv", "pip", "compile", source, "--quiet"),
        *("--universal", "--python-version", "3.11", "--no-header", "--no-annotate", *options),
    ]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


if __name__ == "__main__":
    pins = [line for line in compile_requirements() if not CUDA.match(line)]
    Path("requirements.txt").write_text(HEADER + "\n".join(pins) + "\n", encoding="utf-8")
    print(f"requirements.txt: {len(pins)} packages")
    pins = compile_requirements("requirements-autograder.in", "--constraint", "requirements.txt")
    text = AUTOGRADER + "\n".join(pins) + "\n"
    Path("requirements-autograder.txt").write_text(text, encoding="utf-8")
    print(f"requirements-autograder.txt: {len(pins)} packages")
