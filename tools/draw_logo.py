"""Draw the logo and the favicon of the book as SVG: three steps in time and the loop they unroll.

Run it after a change: `python tools/draw_logo.py`. The files go to book/_assets/.
"""

from pathlib import Path

ASSETS = Path(__file__).resolve().parents[1] / "book" / "_assets"
INK, PAPER, AMBER, PALE = "#17365d", "#ffffff", "#f0a020", "#a9c7f0"
DARK_AMBER = "#c66a00"  # on white, amber needs to be darker to be seen
STEPS = (12, 32, 52)  # where the three nodes stand, from left to right


def emblem(node: str, loop: str, radius: float, stroke: float) -> str:
    """Three linked nodes, and an arrow from the last back over them to the first."""
    y, left, right = 44, STEPS[0], STEPS[-1]
    nodes = "".join(f'<circle cx="{x}" cy="{y}" r="{radius}" fill="{node}"/>' for x in STEPS)
    link = f'<path d="M{left} {y}H{right}" stroke="{node}" stroke-width="{stroke * 0.75}"/>'
    top = y - radius - 2
    arc = (
        f'<path d="M{right} {top}C{right} 8 {left} 8 {left} {top - 7}" fill="none"'
        f' stroke="{loop}" stroke-width="{stroke}" stroke-linecap="round"/>'
    )
    head = f'<path d="M{left - 8} {top - 9}h16l-8 11z" fill="{loop}"/>'
    return link + nodes + arc + head


def svg(content: str, title: str) -> str:
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" role="img">'
        f"<title>{title}</title>{content}</svg>\n"
    )


def draw() -> dict[str, str]:
    title = "Networks That Remember"
    tile = f'<rect width="64" height="64" rx="13" fill="{INK}"/>'
    return {
        "logo_light.svg": svg(emblem(INK, DARK_AMBER, 8, 5), title),
        "logo_dark.svg": svg(emblem(PALE, AMBER, 8, 5), title),
        "favicon.svg": svg(tile + emblem(PAPER, AMBER, 7.5, 6), title),
    }


if __name__ == "__main__":
    ASSETS.mkdir(parents=True, exist_ok=True)
    for name, text in draw().items():
        (ASSETS / name).write_text(text, encoding="utf-8")
        print(f"book/_assets/{name}")
