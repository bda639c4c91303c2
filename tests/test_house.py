"""The walls of the house: who may import whom, and that the map of it is true."""

import ast
from pathlib import Path

import module_map
import pytest

PACKAGE = module_map.PACKAGE
# What both sides may use: no network, and nothing that draws or reads data.
COMMON = {"checks", "text"}
# What networks are made of, and what data and drawings therefore have to do without.
NETWORKS = {path.stem for path in PACKAGE.glob("*.py")} - COMMON - {"__init__"}
FILES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))


def imports(name: str) -> set:
    """The modules of the package that a file imports, as dotted names below `helpers`."""
    path, found = PACKAGE / name, set()
    here = ["helpers", *path.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            module = [*base, *(node.module.split(".") if node.module else [])]
            found |= {".".join([*module, alias.name]) for alias in node.names}
            found.add(".".join(module))
    return {module_of(dotted) for dotted in found if dotted.startswith("helpers.")}


def module_of(dotted: str) -> str:
    """`helpers.data.slots.spans` and `helpers.data.slots` are both `data.slots`."""
    parts = dotted.split(".")[1:]
    depth = 2 if parts[0] in {"data", "draw", "trained"} else 1
    return ".".join(parts[:depth])


def wing(module: str) -> str:
    return module.split(".")[0] if module.split(".")[0] in {"data", "draw", "trained"} else ""


def dotted(name: str) -> str:
    return name.removesuffix(".py").replace("/", ".")


ALLOWED = {  # wing → the wings and modules that its files may import
    "": {""},
    "data": {"data"},
    "draw": {"draw"},
    "trained": {"", "data", "trained"},
}


@pytest.mark.parametrize("name", FILES)
def test_walls(name):
    mine = wing(dotted(name))
    for module in imports(name):
        if module not in COMMON:
            assert wing(module) in ALLOWED[mine], f"{name} imports {module}"
            assert mine not in {"data", "draw"} or module not in NETWORKS, f"{name}: {module}"


def test_imports_run_one_way():
    """No circle: take away what imports nothing that is left, until nothing is left."""
    left = {dotted(n): imports(n) - {dotted(n)} for n in FILES if not n.endswith("__init__.py")}
    while left:
        free = {module for module, needs in left.items() if not needs & left.keys()}
        assert free, f"these import each other in a circle: {sorted(left)}"
        left = {module: needs for module, needs in left.items() if module not in free}


def test_common_rooms_stand_below_all_others():
    for name in COMMON:
        assert imports(f"{name}.py") <= COMMON


@pytest.mark.parametrize("library", ["torch", "matplotlib"])
def test_heavy_libraries_stay_in_their_rooms(library):
    users = set()
    for name in FILES:
        for node in ast.walk(ast.parse((PACKAGE / name).read_text("utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            users |= {name for n in names if n.split(".")[0] == library}
    rooms = {"torch": ("torch_",), "matplotlib": ("draw/",)}[library]
    assert users
    assert all(user.startswith(rooms) for user in users), users


@pytest.mark.parametrize("place", module_map.PLACES, ids=lambda p: Path(p).name)
def test_map_is_what_the_files_say(place):
    text = place.read_text("utf-8")
    assert module_map.refresh(text) == text, "run `make notebooks`, which refreshes the map"


def test_each_line_of_the_map_fits_a_screen():
    lines = module_map.draw_map().splitlines()
    assert max(map(len, lines)) <= 100
    assert len(lines) <= 100
