"""Is an answer right? The asserts of the solution, asked one by one about what a reader wrote.

The solution's statements run in order. Where the reader's cell makes the same name, the reader's
stays; what the solution computes from it is computed from the reader's. An assert counts if it
reads something that is the reader's, or was computed from it; the others say nothing about the
answer. Whatever is printed, drawn or changed on the way is the caller's to keep away.
"""

import ast

WORDS = {
    ast.Eq: "equal",
    ast.NotEq: "differ from",
    ast.Lt: "be below",
    ast.LtE: "be at most",
    ast.Gt: "be above",
    ast.GtE: "be at least",
    ast.In: "be in",
    ast.NotIn: "not be in",
    ast.Is: "be",
    ast.IsNot: "not be",
}
CLOSE = {"allclose", "isclose", "array_equal", "array_equiv"}
LONGEST = 90


class Names(ast.NodeVisitor):
    """Names that a piece of code reads, and names that it makes at its own level."""

    def __init__(self, node):
        self.read, self.made = set(), set()
        self.visit(node)

    def visit_Name(self, node):
        (self.read if isinstance(node.ctx, ast.Load) else self.made).add(node.id)

    def visit_FunctionDef(self, node):
        self.made.add(node.name)
        inside = [n for part in node.body for n in ast.walk(part)]
        local = {n.id for n in inside if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        local |= {n.arg for n in ast.walk(node.args) if isinstance(n, ast.arg)}
        self.read |= {n.id for n in inside if isinstance(n, ast.Name)} - local
        for default in (*node.args.defaults, *node.args.kw_defaults, *node.decorator_list):
            if default is not None:
                self.visit(default)

    def visit_ClassDef(self, node):
        self.made.add(node.name)
        self.read |= {n.id for part in node.body for n in ast.walk(part) if isinstance(n, ast.Name)}

    def visit_Import(self, node):
        self.made |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}

    visit_ImportFrom = visit_Import

    def visit_AugAssign(self, node):
        self.generic_visit(node)
        if isinstance(node.target, ast.Name):
            self.read.add(node.target.id)

    def visit_comprehension_scope(self, node):
        inner = Names.__new__(Names)
        inner.read, inner.made = set(), set()
        inner.generic_visit(node)
        self.read |= inner.read - inner.made

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_comprehension_scope


def has_assert(code):
    return any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(code)))


def looked_at(solutions):
    """The names that a solution makes and its asserts read: what an answer should be called."""
    made, read, functions = [], set(), set()
    for statement in (s for code in solutions for s in ast.parse(code).body):
        names = Names(statement)
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            functions.add(statement.name)
        made += [name for name in sorted(names.made) if name not in made]
        for node in ast.walk(statement):
            if isinstance(node, ast.Assert):
                read |= Names(node.test).read
    wanted = [n for n in made if n in functions]
    return wanted or [n for n in made if n in read]


def check(answer, solutions, names):
    """{"right": True, False or None, "lines": what to tell the reader, a sentence a line}.

    answer: the reader's code. solutions: the code cells of the solution. names: those of the page,
    which are changed. None: nothing could be judged.
    """
    asserts = sum(has_assert(code) for code in solutions)
    if not asserts:
        return told(None, "This exercise has no check: compare your answer with the solution.")
    wanted = looked_at(solutions)
    looks = f"The check looks at {listed(wanted)}." if wanted else ""
    try:
        tree = ast.parse(answer, "your answer")
    except SyntaxError as error:
        return told(False, f"Line {error.lineno} of your cell is not Python: {error.msg}.")
    if not tree.body:
        return told(None, "Your cell is empty.", looks)
    yours = set().union(*(Names(statement).made for statement in tree.body))
    try:
        exec(compile(tree, "your answer", "exec"), names)
    except Exception as error:
        first = "Have the cells above run? “Run to here” runs them."
        above = first if isinstance(error, NameError) else ""
        return told(False, f"Your cell stops with {said(error)}{where(error)}", above)
    made = set().union(*(Names(s).made for code in solutions for s in ast.parse(code).body))
    if not yours & made:
        return told(None, "Your cell makes none of the names that the check knows.", looks)
    return judged(solutions, yours, names)


def judged(solutions, yours, names):
    statements = [s for code in solutions for s in ast.parse(code).body]
    good, failed, silent, mine = 0, [], 0, set(yours)
    for n, statement in enumerate(statements):
        asserts = [node for node in ast.walk(statement) if isinstance(node, ast.Assert)]
        seen = Names(statement)
        if not asserts and (done_by_reader(statement, yours) or seen.made and seen.made <= yours):
            continue
        # A name that the solution makes again below has its last value in the reader's cell.
        later = set().union(*(Names(s).made for s in statements[n + 1 :]))
        touched = bool(seen.read & mine) and not (seen.read & yours & later)
        kept = {name: names[name] for name in seen.made & yours if name in names}
        try:
            if isinstance(statement, ast.Assert):
                code = ast.Expression(statement.test)
                holds = eval(compile(code, "the check", "eval"), names)
                if not touched:
                    silent += 1
                elif holds:
                    good += 1
                else:
                    failed.append(in_words(statement, names))
            else:
                module = ast.Module([statement], [])
                exec(compile(module, "the check", "exec"), names)
                good += len(asserts) if touched else 0
                silent += 0 if touched else len(asserts)
        except AssertionError as error:
            if touched:
                failed.append(str(error) or in_words(asserts[0], names))
        except Exception as error:
            if touched:
                failed.append(f"`{short(ast.unparse(statement))}` stops with {said(error)}")
                if seen.made - yours:
                    break  # what comes next needs it
        names.update(kept)
        if seen.read & mine:
            mine |= seen.made
    total = good + len(failed)
    if not total:
        return told(None, "The check looks at nothing that your cell makes.",
                    f"It looks at {listed(looked_at(solutions))}.")  # fmt: skip
    rest = ""
    if silent:
        checks = "check looks" if silent == 1 else "checks look"
        rest = f"{silent} more {checks} at names that your cell does not make."
    if failed:
        first = "the check does not hold" if total == 1 else f"{good} of {total} checks hold"
        return told(False, f"Not yet: {first}.", *failed, rest)
    return told(
        True, "Right: the check holds." if total == 1 else f"Right: all {total} checks hold.", rest
    )


def done_by_reader(statement, yours):
    """Whether a statement acts on what the reader made: then the reader's cell has done that.

    A call for its effect (training, printing) with an argument of the reader's; an item or an
    attribute that is set, or a sum that grows, in something of the reader's.
    """
    if isinstance(statement, ast.Expr):
        call = statement.value
        if not isinstance(call, ast.Call):
            return True
        given = [*call.args, *(keyword.value for keyword in call.keywords)]
        if isinstance(call.func, ast.Attribute):  # made.append(…)
            given.append(call.func.value)
        return any(Names(part).read & yours for part in given)
    targets = getattr(statement, "targets", None) or [getattr(statement, "target", None)]
    for target in targets:
        while isinstance(target, ast.Subscript | ast.Attribute):
            target = target.value
            if isinstance(target, ast.Name) and target.id in yours:
                return True
    return False


def told(right, *lines):
    return {"right": right, "lines": [line for line in lines if line]}


def listed(names):
    quoted = [f"`{name}`" for name in names]
    return " and ".join(filter(None, (", ".join(quoted[:-1]), quoted[-1]))) if quoted else "nothing"


def short(text):
    text = " ".join(str(text).split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def said(error):
    return f"{type(error).__name__}: {short(error)}" if str(error) else type(error).__name__


def where(error):
    lines, frame = [], error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == "your answer":
            lines.append(frame.tb_lineno)
        frame = frame.tb_next
    return f", in line {lines[-1]}." if lines else "."


def value_of(node, names):
    """What an expression comes to, in short; None if it cannot be said."""
    if isinstance(node, ast.Constant):
        return None
    try:
        return short(repr(eval(compile(ast.Expression(node), "the check", "eval"), names)))
    except Exception:
        return None


def in_words(statement, names):
    """A failed assert as a sentence, with the value that it found."""
    test = statement.test
    if statement.msg is not None:
        try:
            code = compile(ast.Expression(statement.msg), "the check", "eval")
            return str(eval(code, names))
        except Exception:
            pass
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        for part in test.values:  # the first half that does not hold
            try:
                if not eval(compile(ast.Expression(part), "the check", "eval"), names):
                    return in_words(ast.Assert(part, None), names)
            except Exception:
                break
    if isinstance(test, ast.Compare):
        left = test.left
        for op, right in zip(test.ops, test.comparators):
            one = ast.Compare(left, [op], [right])
            try:
                holds = eval(
                    compile(ast.fix_missing_locations(ast.Expression(one)), "c", "eval"), names
                )
            except Exception:
                break
            if not holds:
                return compared(left, op, right, names)
            left = right
    if isinstance(test, ast.Call) and name_of(test.func) in CLOSE and len(test.args) >= 2:
        verb = "equal" if name_of(test.func).startswith("array") else "be close to"
        first, second = (short(ast.unparse(arg)) for arg in test.args[:2])
        is_ = value_of(test.args[0], names)
        return f"`{first}` should {verb} `{second}`" + (f", and is {is_}." if is_ else ".")
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return f"`{short(ast.unparse(test.operand))}` should not hold, but does."
    return f"`{short(ast.unparse(test))}` should hold, and does not."


def name_of(function):
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def compared(left, op, right, names):
    a, b = short(ast.unparse(left)), short(ast.unparse(right))
    is_, other = value_of(left, names), value_of(right, names)
    if is_ is None and other is not None:  # 2.85 < bits: the interesting side is the right one
        turned = {ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE}
        return compared(right, turned.get(type(op), type(op))(), left, names)
    sentence = f"`{a}` should {WORDS[type(op)]} `{b}`"
    if other is not None and other != b:
        sentence += f" ({other})"
    return sentence + (f", and is {is_}." if is_ is not None and is_ != a else ".")
