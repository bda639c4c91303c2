"""Short programs in a small part of Python, and what they print.

    j=858
    for x in range(8):j+=92        the answer: 2360
    print((j+766))

A program is built from operations that are put into each other: a sum, a product with a small
number, an assignment, a conditional expression, a loop. Two numbers say how hard it is: `length`,
the most digits of the numbers in it, and `nesting`, how many operations it holds. What it prints
is one whole number. Source: the programs of Zaremba & Sutskever (2014).

`generate` knows the answer from building the program. `run` finds it from the text alone, with
Python's own parser, and refuses all that is not in the small language; tests compare the two with
each other and with Python itself.
"""

import ast
import zlib
from typing import NamedTuple

import numpy as np

from ..checks import check_ids, check_shape, check_sizes
from ..text import Vocabulary, clean, name_symbol, target_vocabulary

OPERATIONS = ("sum", "product", "assignment", "conditional", "loop")
VARIABLES = "abcdefghijklmnopqrstuvwyz"  # x counts the rounds of a loop
SYMBOLS = "\n ()*+-0123456789:<=>abcdefghijklmnopqrstuvwxyz"
ROUNDS = 100  # the longest loop that `run` goes through
LONGEST = 300  # characters of a program that `run` reads
DIGITS = 12  # the longest number that `run` reads or answers
DRAWS = 10  # random numbers that one operation may need


class Program(NamedTuple):
    """A program: its text, the number that it prints, and its operations, the innermost first."""

    code: str
    output: int
    operations: tuple = ()

    @property
    def answer(self) -> str:
        """What it prints, as text."""
        return str(self.output)


def vocabulary() -> Vocabulary:
    """The two marks, then every character that a program or an answer may have."""
    return target_vocabulary(SYMBOLS)


# --- Making programs ----------------------------------------------------------------------------


def generate(length: int, nesting: int, rng, operations=OPERATIONS) -> Program:
    """Draw a program: `nesting` operations, each around the one before, numbers below 10^length.

    An operation takes the result of the one before as one of its operands, and new numbers as the
    others. Factors, and the rounds of a loop, are 1 … 4·length.
    Raises: ValueError if a size is not a positive integer, or an operation is unknown.
    """
    check_sizes(length=length, nesting=nesting)
    unknown = set(operations) - set(OPERATIONS)
    if unknown or not operations:
        raise ValueError(f"operations must be among {OPERATIONS}, got {tuple(operations)}")
    return draw_program(length, nesting, rng, operations)


def draw_program(length, nesting, rng, operations=OPERATIONS) -> Program:
    """`generate`, its arguments checked."""
    random = iter(rng.random(DRAWS * nesting + nesting).tolist())  # speed: one call a program
    below = 10**length

    def choose(n):
        return int(next(random) * n)

    lines, names, used, inner = [], list(VARIABLES), [], None

    def operands(n):
        """n operands as (text, value); one of them, drawn at random, is what was built so far."""
        found = []
        place = choose(n) if inner is not None else -1
        for i in range(n):
            if i == place:
                found.append(inner)
            else:
                value = choose(below)
                found.append((str(value), value))
        return found

    for _ in range(nesting):
        operation = operations[choose(len(operations))]
        used.append(operation)
        if operation == "conditional":
            (a, va), (b, vb), (c, vc), (d, vd) = operands(4)
            sign = "<>"[choose(2)]
            yes = va < vb if sign == "<" else va > vb
            inner = f"({c} if {a}{sign}{b} else {d})", vc if yes else vd
            continue
        if operation == "product":
            [(a, va)] = operands(1)
            k = 1 + choose(4 * length)
            inner = (f"({a}*{k})" if choose(2) else f"({k}*{a})"), va * k
            continue
        (a, va), (b, vb) = operands(2)
        sign, s = (("+", 1), ("-", -1))[choose(2)]
        if operation == "sum":
            inner = f"({a}{sign}{b})", va + s * vb
            continue
        name = names.pop(choose(len(names)))
        lines.append(f"{name}={a}")
        if operation == "assignment":
            inner = f"({name}{sign}{b})", va + s * vb
        else:
            k = 1 + choose(4 * length)
            lines.append(f"for x in range({k}):{name}{sign}={b}")
            inner = name, va + s * k * vb
    lines.append(f"print({inner[0]})")
    return Program("\n".join(lines), inner[1], tuple(used))


def part_of(code: str) -> str:
    """ "valid", "test" or "train": a tenth, a tenth, the rest, fixed by the text itself.

    So a program for testing can never be drawn for training, however often one draws.
    """
    return {0: "valid", 1: "test"}.get(zlib.crc32(code.encode("utf-8")) % 10, "train")


def draw_many(n: int, length: int, nesting: int, rng, part="train", operations=OPERATIONS) -> list:
    """n programs of one part, no two of them alike.

    Raises: ValueError as `generate`; if part is not "train", "valid" or "test"; or if there seem
    to be no n different programs (length 1 and nesting 1 have a few thousand).
    """
    check_sizes(n=n)
    if part not in ("train", "valid", "test"):
        raise ValueError(f"part must be 'train', 'valid' or 'test', got {part!r}")
    found, tries = {}, 0
    while len(found) < n:
        program = generate(length, nesting, rng, operations)
        if part_of(program.code) == part:
            found.setdefault(program.code, program)
        tries += 1
        if tries > 1000 + 200 * n:
            raise ValueError(
                f"found only {len(found)} different programs for {part} with length={length} and "
                f"nesting={nesting}, not n={n}"
            )
    return list(found.values())


# --- Running programs ---------------------------------------------------------------------------


def run(code: str) -> int:
    """The number that a program prints, found with Python's parser; Python never executes it.

    The language: `name = expression`, `name += expression` or `-=`, `for name in range(number):`
    with one such line in it, and at the end one `print(expression)`. An expression is a whole
    number, a name, +, − and * of two expressions, − of one, and `a if b < c else d` (or >).
    Raises: TypeError for anything but text; ValueError that says what is wrong, and in which line.
    """
    if not isinstance(code, str):
        raise TypeError(f"code must be text, got {type(code).__name__}")
    if len(code) > LONGEST:
        raise ValueError(f"the program has {len(code)} characters, more than {LONGEST}")
    try:
        lines = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        where = f"line {line}: " if line else ""
        raise ValueError(f"{where}this is no Python: {getattr(error, 'msg', error)}") from error
    if not lines or not _is_print(lines[-1]):
        raise ValueError("the last line of a program must be print(expression)")
    values = {}
    for line in lines[:-1]:
        _execute(line, values)
    return _small(lines[-1], _value(lines[-1].value.args[0], values))


def _refuse(node, what):
    raise ValueError(f"line {node.lineno}: {what}")


def _small(node, value):
    if abs(value) >= 10**DIGITS:
        _refuse(node, f"a number has more than {DIGITS} digits")
    return value


def _is_print(node):
    return (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name) and node.value.func.id == "print"
        and len(node.value.args) == 1 and not node.value.keywords
    )  # fmt: skip


def _execute(node, values):
    """One line that is not the last."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        values[_name(node.targets[0])] = _value(node.value, values)
    elif isinstance(node, ast.AugAssign) and isinstance(node.op, (ast.Add, ast.Sub)):
        name, sign = _name(node.target), 1 if isinstance(node.op, ast.Add) else -1
        if name not in values:
            _refuse(node, f"{name} has no value yet")
        values[name] = _small(node, values[name] + sign * _value(node.value, values))
    elif isinstance(node, ast.For):
        for value in range(_rounds(node)):
            values[_name(node.target)] = value
            _execute(node.body[0], values)
    else:
        _refuse(node, "only name = …, name += …, name -= … and for … in range(…) stand here")


def _rounds(node):
    """How often a loop runs; a loop holds one line, and no other loop."""
    call, inside = node.iter, node.body
    fits = (
        isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "range"
        and len(call.args) == 1 and isinstance(call.args[0], ast.Constant) and not call.keywords
        and type(call.args[0].value) is int and not node.orelse
    )  # fmt: skip
    if not fits:
        _refuse(node, "a loop runs over range(number)")
    if len(inside) != 1 or isinstance(inside[0], ast.For):
        _refuse(node, "a loop holds exactly one line, and no loop")
    if call.args[0].value > ROUNDS:
        _refuse(node, f"a loop has more than {ROUNDS} rounds")
    return call.args[0].value


def _name(node):
    if not isinstance(node, ast.Name):
        _refuse(node, "only a name can get a value")
    return node.id


def _value(node, values):
    """The value of an expression."""
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return _small(node, node.value)
    if isinstance(node, ast.Name):
        if node.id not in values:
            _refuse(node, f"{node.id} has no value yet")
        return values[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, values)
    if isinstance(node, ast.BinOp) and type(node.op) in (ast.Add, ast.Sub, ast.Mult):
        a, b = _value(node.left, values), _value(node.right, values)
        kind = type(node.op)
        return _small(node, a + b if kind is ast.Add else a - b if kind is ast.Sub else a * b)
    if isinstance(node, ast.IfExp):
        test = node.test
        if not (
            isinstance(test, ast.Compare) and len(test.ops) == 1
            and isinstance(test.ops[0], (ast.Lt, ast.Gt))
        ):  # fmt: skip
            _refuse(node, "a condition is a < b or a > b")
        a, b = _value(test.left, values), _value(test.comparators[0], values)
        yes = a < b if isinstance(test.ops[0], ast.Lt) else a > b
        return _value(node.body if yes else node.orelse, values)
    _refuse(node, "only whole numbers, names, +, -, * and … if … else … stand in an expression")


def encode(code: str, vocab: Vocabulary | None = None) -> np.ndarray:
    """The ids of a program's characters.

    Raises: TypeError for anything but text; ValueError for an empty program or a character that
    no program of ours has.
    """
    if not isinstance(code, str):
        raise TypeError(f"code must be text, got {type(code).__name__}")
    if not code:
        raise ValueError("the program is empty")
    vocab = vocabulary() if vocab is None else vocab
    for at, symbol in enumerate(clean(code)):
        if symbol not in vocab.index:
            raise ValueError(f"{name_symbol(symbol)} at position {at} stands in no program of ours")
    return vocab.encode(code)


# --- Additions, for a closer look ---------------------------------------------------------------

ORDERS = ("plain", "answer reversed", "all reversed")
ADDER_SYMBOLS = "+0123456789"


def adder_vocabulary() -> Vocabulary:
    """The two marks, plus and ten digits."""
    return target_vocabulary(ADDER_SYMBOLS)


def additions(n: int, length: int, rng, part="train") -> np.ndarray:
    """n pairs of numbers of exactly `length` digits each, (n, 2), of one part; repeats may occur.

    A number of one digit may be 0. The part of a pair is fixed by `part_of` of its text.
    Raises: ValueError if a size is not a positive integer, length is above 18, or part is unknown.
    """
    check_sizes(n=n, length=length)
    if length > 17:
        raise ValueError(f"length must be at most 17, got {length}")
    if part not in ("train", "valid", "test"):
        raise ValueError(f"part must be 'train', 'valid' or 'test', got {part!r}")
    low, found = (0 if length == 1 else 10 ** (length - 1)), []
    while len(found) < n:
        for a, b in rng.integers(low, 10**length, (2 * n, 2)).tolist():
            if part_of(f"{a}+{b}") == part:
                found.append((a, b))
    return np.array(found[:n])


def write_addition(a: int, b: int, order: str = "plain") -> tuple:
    """(question, answer) as text: ("47+85", "132"), with digits turned round as `order` says.

    Raises: ValueError for an unknown order or a negative number.
    """
    if order not in ORDERS:
        raise ValueError(f"order must be among {ORDERS}, got {order!r}")
    if a < 0 or b < 0:
        raise ValueError(f"a and b must not be negative, got {a} and {b}")
    question, answer = f"{a}+{b}", str(int(a) + int(b))
    if order == "all reversed":
        question = f"{str(a)[::-1]}+{str(b)[::-1]}"
    return question, answer if order == "plain" else answer[::-1]


def carries(pairs: np.ndarray, length: int) -> np.ndarray:
    """Where a sum carries: (n, length) booleans, column i for the digits that are worth 10^i.

    pairs: (n, 2) integers that are not negative.
    Raises: TypeError or ValueError that names the argument.
    """
    check_sizes(length=length)
    check_shape("pairs", pairs, ("n", 2))
    check_ids("pairs", pairs, 10**18)
    power = 10 ** np.arange(1, length + 1)
    return (pairs[:, :1] % power + pairs[:, 1:] % power) >= power


def longest_chain(carry: np.ndarray) -> np.ndarray:
    """The longest run of places that each get a carry and pass it on, + 1: (n, L) → (n,).

    A chain begins where two digits alone make ten or more; here it is the longest run of carries.
    0 where nothing is carried.
    Raises: ValueError if carry has not the shape (n, L).
    """
    check_shape("carry", carry, ("n", "L"))
    run = best = np.zeros(len(carry), np.int64)
    for column in carry.T:
        run = np.where(column, run + 1, 0)
        best = np.maximum(best, run)
    return best
