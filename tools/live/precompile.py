"""Compiles the Python files of archives with the Python that will run them: inside of Pyodide.

Reads /work/in/*.zip and writes /work/out/*.zip, uncompressed. Python checks no hash of what is
compiled here, so that a page need not either. Archives named in KEEP keep their sources beside
what is compiled: a traceback shows their lines, and `inspect` finds them.
"""

import importlib.util
import os
import sys
import zipfile
from importlib._bootstrap_external import _code_to_hash_pyc

KEEP = ("helpers", "runtime", "experiments")
STAMP = (2020, 1, 1, 0, 0, 0)
SITE = f"/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages/"
PLACES = {"python_stdlib": f"/lib/python{sys.version_info[0]}{sys.version_info[1]}.zip/",
          "experiments": "/book/"}  # fmt: skip


def compiled(source, name):
    code = compile(source, name, "exec", dont_inherit=True)
    return bytes(_code_to_hash_pyc(code, importlib.util.source_hash(source), False))


def convert(path, target):
    stem = os.path.basename(path).split(".")[0].split("-")[0]
    keep = stem.startswith(KEEP)
    place = PLACES.get(stem, SITE)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith(".py") and ".data/" not in name:
                try:
                    code = compiled(data, place + name)
                except SyntaxError:  # a template, say
                    code = None
                folder, file = os.path.split(name)
                if code is not None and keep:
                    cached = f"{file[:-3]}.{sys.implementation.cache_tag}.pyc"
                    put(new, os.path.join(folder, "__pycache__", cached), code)
                elif code is not None:
                    put(new, name + "c", code)
                    continue
            put(new, name, data)


def put(archive, name, data):
    archive.writestr(zipfile.ZipInfo(name, STAMP), data)


def main():
    for file in sorted(os.listdir("/work/in")):
        convert(f"/work/in/{file}", f"/work/out/{file}")
