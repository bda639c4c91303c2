"""A lesson plan for every notebook: book/lessons.md, from the notebooks and tools/lessons.toml.

`python tools/lessons.py` writes the page. From the notebook come the minutes of each section, the
answers of the polls, the warm-up exercises, and what is said of each misconception: they are wrong
options of *Check yourself*. Goal, board and the choice of options are written by hand in the TOML
file; a notebook that is missing there gets a plan without a drawing.
"""

import re
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import anatomy
import course

ROOT = Path(__file__).resolve().parents[1]
PAGE, HAND = ROOT / "book" / "lessons.md", ROOT / "tools" / "lessons.toml"
WHOLE, OPENING, POLL, WARM_UP = 90, 5, 2, 15  # minutes: of a session, its parts, one question
HEAD = """\
# Lesson plans

<!-- Written by `python tools/lessons.py`: change tools/lessons.toml or the notebook. -->
"""


class Option(NamedTuple):
    letter: str
    text: str
    right: bool
    why: str


class Question(NamedTuple):
    number: str
    text: str
    options: list


def questions(notebook) -> list[Question]:
    """The questions of Check yourself, with their options."""
    text = anatomy.section_text(notebook, "Check yourself")
    parts = re.split(r"^\*\*(\d+)\. (.+?)\*\*[ ]*$", text, flags=re.DOTALL | re.MULTILINE)[1:]
    return [
        Question(
            number, one_line(question), [option(*o) for o in anatomy.directive(body, "dropdown")]
        )
        for number, question, body in zip(parts[0::3], parts[1::3], parts[2::3])
    ]


def option(title: str, body: str) -> Option:
    letter, _, text = title.partition(". ")
    found = re.search(r"\*\*(Right|No)\.\*\*(.*)", body, re.DOTALL)
    return Option(letter, text, found[1] == "Right", one_line(found[2]))


def one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def from_here(text: str) -> str:
    """Links between notebooks, as they are written on a page of book/."""
    text = re.sub(r"\]\((\d\d[a-z]?_\w+\.ipynb)", r"](../notebooks/\1", text)
    return text.replace("](../book/", "](")


def minutes(notebook) -> list[tuple[str, int]]:
    """(section, minutes) of a session; they add up to ninety."""
    polls = POLL * len(questions(notebook))
    titles = anatomy.headings(notebook)
    own = titles[: titles.index("Summary")]
    sizes = [reading(anatomy.section(notebook, title)) for title in own]
    shares = in_whole_minutes(sizes, WHOLE - OPENING - polls - WARM_UP)
    return [("the question, a first guess", OPENING), *zip(own, shares),
            ("polls", polls), ("a warm-up exercise", WARM_UP)]  # fmt: skip


def reading(cells: list) -> float:
    """Minutes to read some cells, text and open code."""
    text = "\n\n".join(cell.source for _, cell in cells if cell.cell_type == "markdown")
    lines = anatomy.open_lines(anatomy.Notebook("", cells))
    return anatomy.words_to_read(text) / anatomy.WORDS_PER_MINUTE + lines / anatomy.LINES_PER_MINUTE


def in_whole_minutes(sizes: list, total: int) -> list[int]:
    """Whole numbers in proportion to sizes that add up to a total, each at least 1."""
    exact = [total * size / sum(sizes) for size in sizes]
    whole = [max(1, int(share)) for share in exact]
    order = sorted(range(len(sizes)), key=lambda n: whole[n] - exact[n])
    for n in range(total - sum(whole)):
        whole[order[n % len(order)]] += 1
    while sum(whole) > total:
        whole[whole.index(max(whole))] -= 1
    return whole


def goal_of(notebook) -> str:
    """Where none is written: the first of the objectives."""
    box = dict(anatomy.directive(notebook.cells[1][1].source, "admonition"))[anatomy.OPENING[0]]
    first = re.search(r"^[-*] (.+?)(?=^[-*] |\Z)", box, flags=re.DOTALL | re.MULTILINE)[1]
    return f"Students can {first[0].lower()}{one_line(first)[1:]}"


def plan(notebook, hand: dict) -> str:
    """The plan of one notebook.

    Raises: ValueError if an option that is named as a misconception is right, or is not there.
    """
    asked = questions(notebook)
    wrong = {f"{q.number}{o.letter}": (q, o) for q in asked for o in q.options if not o.right}
    names = hand.get("reveals") or [f"{q.number}{o.letter}" for q in asked[:3]
                                    for o in [o for o in q.options if not o.right][:1]]  # fmt: skip
    if unknown := [name for name in names if name not in wrong]:
        raise ValueError(f"{notebook.name}: {', '.join(unknown)}: no wrong option of that name")
    title = notebook.cells[0][1].source.split("\n")[0].removeprefix("# ")
    needs = ", ".join(sorted(course.needed_first(notebook))) or "nothing"
    times = " · ".join(f"{m} {name}" for name, m in minutes(notebook))
    answers = ", ".join(f"{q.number} {o.letter}" for q in asked for o in q.options if o.right)
    warm = re.findall(r"\{exercise\} (.+) · warm-up$", notebook.text, re.MULTILINE)
    lines = [
        f"### [{notebook.number} {title}](../notebooks/{notebook.name}.ipynb)",
        f"**Goal.** {hand.get('goal') or goal_of(notebook)} Needs: {needs}.",
        f"**Minutes.** {times}.",
    ]
    if "board" in hand:
        lines.append(f"**At the board.** {hand['board']}")
    lines.append(f"**Polls.** {answers}. **Warm-up.** {'; '.join(warm) or 'none'}.")
    lines.append("**Misconceptions**, each under the question that reveals it.")
    lines.append("\n".join(misconceptions([wrong[name] for name in names])))
    return from_here("\n\n".join(lines))


def misconceptions(pairs: list):
    """Lines of a list: a question, below it what somebody may say, and what is true."""
    asked = None
    for question, option in pairs:
        if question != asked:
            yield f"- Question {question.number}: {question.text}"
            asked = question
        yield f"  - *“{option.text.rstrip('.')}.”* {option.why}"


def chapter_title(chapter: int) -> str:
    first = (ROOT / "book" / f"chapter{chapter}.md").read_text("utf-8").split("\n", 1)[0]
    return f"Chapter {chapter}: {first.removeprefix('# ')}"


def page() -> str:
    """The whole page. A part that is written for a notebook to come waits in the TOML file."""
    hand = tomllib.loads(HAND.read_text("utf-8"))
    parts = [HEAD.rstrip(), hand.pop("page")["text"].strip()]
    found, places, chapter = course.notebooks(), course.chapters(), None
    for notebook in found:
        if (new := places[notebook.name]) != chapter:
            chapter = new
            parts.append(f"## {chapter_title(chapter) if chapter else 'Before chapter 1'}")
        parts.append(plan(notebook, hand.get(notebook.name, {})))
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    sys.stdout.write(f"{PAGE.name}: {len(course.notebooks())} plans\n")
