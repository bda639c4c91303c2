"""A summary sheet of each chapter to print, from the built pages: A4, two columns, one PDF each.

    make sheets                                    # into _build/sheets
    python tools/sheets.py _build/html _build/sheets

A sheet has, for every notebook of the chapter, its title, the formulas to remember (FORMULAS names
them by a part of their TeX) and its summary; then the questions of *Check yourself*, without the
answers, and the glossary words of the chapter. The browser that the tests use sets and prints it.
"""

import os
import re
import sys
from html import escape
from pathlib import Path

import headless
import paper
from bs4 import Tag
from slides import in_order, inner

# Stem of a notebook → a part of the TeX of each formula, written without spaces.
FORMULAS = {
    "00_primer": (r"p_k=\frac{e^{z_k}}", r"L=-\frac{1}{N}", r"{dz}_{(B,\,V)}"),
    "01_order": (r"s_t=f(x_t,s_{t-1})", r"\text{reach}=1+"),
    "02_counting": (r"=\prod_{t=1}^{N}P(c_t", r"L=-\frac{1}{N}", r"\frac{\max(c(h,w)-d"),
    "03_rnn": (r"\underbrace{h_t}_{(B,\,H)}=\tanh\Big(", r"\tanh(A_t+h_{t-1}W_{hh})"),
    "04_outputs": (r"p_t=\operatorname{softmax}(z_t)", r"=p-\text{onehot(true)}"),
    "05_char_rnn": (r"x_t&=E[\mathrm{id}_t]", r"p_t=\mathrm{softmax}(z_t/\tau)"),
    "06_bptt": (
        r"\boxed{\;\underbrace{\mathrm{d}h_t}",
        r"\boxed{\;\underbrace{\mathrm{d}W_{hh}}",
        r"\boxed{\;\mathrm{d}W_{hy}",
    ),
    "07_training": (r"\boxed{\;\underbrace{\frac{\partialL}", r"m&\leftarrow\beta_1m"),
    "08_truncation": (r"g_k(\theta)\;=\;",),
    "09_vanishing": (r"J_t=\frac{\partialh_t}", r"\le(\sigma_1\gamma)^{T-t}"),
    "10_exploding": (r"h_t=(1-\alpha)", r"J_t=\underbrace{(1-\alpha)\,I}"),
    "11_lstm": (
        r"\[f_t=\sigma(a_f)",
        r"\[g_t=\tanh(a_g)",
        r"\[c_t=f_t\odotc_{t-1}+i_t\odotg_t",
        r"\[o_t=\sigma(a_o)",
    ),
    "12_highway": (r"\mathrm{d}a_i&=\mathrm{d}c_t", r"\mathrm{diag}\bigl(f_T"),
    "13_lstm_text": (r"(1-\alpha)\bigl(-\lnp_t",),
    "14_variants": (r"i=\sigma(a_i+c_{t-1}\odotp_i)",),
    "16_gru": (r"r&=\sigma(x_tW_{xr}", r"\mathrm{d}z=\mathrm{d}h_t\odot(h_{t-1}-n)"),
    "17_lstm_or_gru": (r"\text{LSTM:}",),
    "18_deep": (r"h^1_t=\text{cell}",),
    "19_bidirectional": (r"\overrightarrow{h}_t=",),
    "20_slots": (r"\text{precision}=", r"s(y)=b^{\text{start}}", r"\alpha_{t,j}=e^{z_{t,j}}\sum"),
    "21_translation": (r"m_t&=\mathrm{cell}", r"\text{BLEU}"),
    "22_bottleneck": (r"I(y;c)",),
    "23_attention": (r"e_{tj}=\mathrm{score}", r"\mathrm{d}e_{tj}=\alpha_{tj}"),
    "24_decoding": (r"\haty&=\arg\max", r"\mathrm{score}_\alpha(y)"),
    "24b_sampling": (r"P(\text{found})",),
    "25_captions": (r"W_{img}}+b_{img}",),
    "26_pronunciation": (r"\text{PER}=", r"\exp\sum_mw_m"),
    "27_sentiment": (r"s_{\text{last}}=h_n",),
    "31_frames": (r"\underset{(F)}{z_{rc}}=", r"\text{receptivefield}"),
    "32_speech": (r"p(\ell)=\sum_{\pi:", r"\alpha_t(s)=y_t", r"=y_t[k]-\gamma_t[k]"),
    "33_forecasting": (r"\mathrm{CRPS}(F,y)", r"-\frac{u}{\sigma}"),
    "34_sentences": (r"P(f_1\dotsf_m", r"\text{chrF}="),
    "35_reading": (r"\alpha=\mathrm{softmax}_t",),
    "36_machines": (r"s_t=\mathrm{next}[s_{t-1},x_t]",),
    "37_scan": (r"\underbrace{z_t}_{(B,", r"(a_1,b_1)\bullet(a_2,b_2)", r"g_t=\mathrm{d}h_t+"),
    "38_state_spaces": (r"\underbrace{h_t}_{(B,\,N)}", r"K_j=\operatorname{Re}"),
    "39_selection": (r"\varphi=\frac{\mathrm{e}^{\DeltaA}-1}{A}", r"\underbrace{\Delta_t}"),
    "40_matrix_memory": (r"S_t=S_{t-1}+k_t^\topv_t,", r"e_t=\underbrace{v_t}", r"=\frac{n-1}{d}"),
    "41_filters": (r"p(o_t\mido_1", r"m_{t+1}=m_t\,", r"M_t[i,k]"),
}  # fmt: skip
FITS = 45  # letters and signs of a formula that a column has room for

CSS = """
@page { size: A4; margin: 13mm 12mm 15mm; }
body { margin: 0; font: 8.6pt/1.36 "DejaVu Serif", Georgia, serif; color: #000; }
header { border-bottom: 1.5pt solid #1d4a80; margin-bottom: 3mm; }
h1, h2, h3 { font-family: "DejaVu Sans", Helvetica, sans-serif; line-height: 1.2; color: #17365d;
  break-after: avoid; }
h1 { font-size: 15pt; margin: 0 0 1.5mm; }
h2 { font-size: 10pt; margin: 4mm 0 1mm; } h2:first-child { margin-top: 0; }
main { columns: 2; column-gap: 8mm; }
ul, ol { margin: 1mm 0; padding-left: 4.2mm; }
li { margin-bottom: 0.7mm; orphans: 2; widows: 2; break-inside: avoid; }
div.math { margin: 1mm 0; text-align: center; break-inside: avoid; font-size: 88%; }
p { margin: 1mm 0; }
code { font: 7.6pt "DejaVu Sans Mono", Consolas, monospace; }
"""
MATHJAX = (
    """{"options": {"enableMenu": false}, "loader": {"load": ["input/tex", "output/chtml"]}}"""
)
# A formula that is wider than its column is set smaller until it fits.
FIT = """() => {
  const left = [];
  for (const box of document.querySelectorAll('div.math')) {
    let size = 84;
    for (; size > 52 && wide(box) > box.clientWidth; size -= 4) box.style.fontSize = `${size}%`;
    if (wide(box) > box.clientWidth + 1) left.push(box.textContent.trim().slice(0, 60));
  }
  return left;
  function wide(box) {
    const parts = [...box.querySelectorAll('mjx-math *')].map(p => p.getBoundingClientRect());
    return Math.max(...parts.map(p => p.right)) - Math.min(...parts.map(p => p.left));
  }
}"""


def article_of(path: Path) -> Tag:
    return paper.soup(path.read_text("utf-8")).select_one("article.bd-article")


def without_number(heading: Tag) -> str:
    """The HTML of a page's title, less the number that the book gives it."""
    return re.sub(r'^<span class="section-number">.*?</span>', "", inner(heading))


def formulas(article: Tag, parts: tuple[str, ...]) -> list[Tag]:
    """The displayed formulas that hold the named parts, in the order of the page.

    Raises: ValueError if a part stands in none, or in more than one, outside the exercises.
    """
    shown = [m for m in article.select("div.math") if not m.find_parent(class_=OUTSIDE)]
    found = []
    for part in parts:
        holding = [m for m in shown if part in re.sub(r"\s", "", m.get_text())]
        if len(holding) != 1:
            raise ValueError(f"{part!r} stands in {len(holding)} formulas of the page, not in one")
        found += holding
    return sorted(found, key=shown.index)


def narrow(tex: str) -> str:
    """A wide formula of several parts with each part in a line of its own."""
    if len(re.sub(r"\\[a-zA-Z]+|[{}\s]", "", tex)) <= FITS or "&&" in tex:
        return tex
    if r"\begin" in tex:
        return tex.replace(r"\qquad", r"\\ &\quad") if r"\begin{aligned}" in tex else tex
    inside = tex.strip().removeprefix(r"\[").removesuffix(r"\]")
    lines = re.sub(r"\\qquad(?!\s*\()", r"\\\\", inside)  # a shape in brackets stays where it is
    return rf"\[\begin{{gathered}} {lines} \end{{gathered}}\]"


OUTSIDE = re.compile("^(exercise|solution)$")


def summary(article: Tag) -> str:
    return f"<ul>{inner(article.select_one('section#summary > ul'))}</ul>"


def questions(article: Tag) -> list[str]:
    """The questions of *Check yourself* as HTML, without their numbers."""
    bold = map(inner, article.select("section#check-yourself > p > strong:first-child"))
    return [found[1] for text in bold if (found := re.match(r"\d+\.\s*(.+)", text, re.DOTALL))]


def terms(article: Tag) -> set[str]:
    """The glossary words that a page explains where they stand."""
    return {a["title"].removeprefix("Glossary: ") for a in article.select("a.glossary-term")}


def sheet(chapter: int, title: str, articles: dict[str, Tag], new: set[str], static: str) -> str:
    """The HTML of one sheet. articles: by stem of the notebook; new: words of no earlier chapter.

    `static` leads to the folder _static of the site.
    """
    parts = []
    for stem, article in articles.items():
        shown = formulas(article, FORMULAS.get(stem, ()))
        for formula in shown:
            formula.string = narrow(formula.get_text())
        parts += [f"<h2>{without_number(article.h1)}</h2>", *map(str, shown), summary(article)]
    asked = [question for article in articles.values() for question in questions(article)]
    if asked:
        parts.append("<h2>Can you answer these?</h2>")
        parts.append("<ol>" + "".join(f"<li>{question}</li>" for question in asked) + "</ol>")
    if new:
        listed = " · ".join(escape(word) for word in sorted(new, key=str.lower))
        parts.append(f"<h2>New words (see the glossary)</h2><p>{listed}</p>")
    head = f"Chapter {chapter}: {title}" if chapter else title
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{head}</title>'
        f"<style>{CSS}</style><script>window.MathJax = {MATHJAX}</script>"
        f'<script defer src="{static}/mathjax/startup.js"></script></head>'
        f"<body><header><h1>{head}</h1></header><main>{''.join(parts)}</main></body></html>"
    )


def footer(head: str) -> str:
    return (
        '<div style="width: 100%; font: 7pt sans-serif; text-align: center; color: #555">'
        f'{escape(paper.TITLE)} · {escape(head)} · <span class="pageNumber"></span>/'
        '<span class="totalPages"></span></div>'
    )


def write(site: Path, folder: Path) -> dict[str, str]:
    """The HTML of every sheet in `folder`; name of the file → its title.

    Raises: FileNotFoundError if there is no built book; ValueError for a formula that is not there.
    """
    chapters = in_order(site)
    folder.mkdir(parents=True, exist_ok=True)
    known, made = set(), {}
    static = f"{os.path.relpath(site, folder)}/_static"
    for page, stems in chapters:
        chapter = int(page.removeprefix("chapter") or 0)
        articles = {stem: article_of(site / "notebooks" / f"{stem}.html") for stem in stems}
        source = article_of(site / "book" / f"{page}.html") if page else articles[stems[0]]
        title, words_ = without_number(source.h1), set().union(*map(terms, articles.values()))
        text = sheet(chapter, title, articles, words_ - known, static)
        known |= words_
        name = f"chapter{chapter:02d}" if chapter else "primer"
        (folder / f"{name}.html").write_text(text, "utf-8")
        made[name] = f"chapter {chapter}" if chapter else "primer"
    return made


def make(site: Path, folder: Path) -> dict[str, int]:
    """Print every sheet; name → how many formulas are wider than their column at any size.

    Raises: what `write`, `headless.launched` and `paper.opened` raise.
    """
    wide = {}
    written = write(site, folder)
    with headless.launched() as browser:
        for name, head in written.items():
            page = folder / f"{name}.html"
            with paper.opened(browser, page) as tab:
                tab.emulate_media(media="print")
                wide[name] = len(tab.evaluate(FIT))
                tab.pdf(path=folder / f"{name}.pdf", prefer_css_page_size=True, tagged=True,
                        display_header_footer=True, header_template="<span></span>",
                        footer_template=footer(head))  # fmt: skip
            page.unlink()
    return wide


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python tools/sheets.py SITE FOLDER")
    made = make(Path(sys.argv[1]), Path(sys.argv[2]))
    print(f"{len(made)} sheets in {sys.argv[2]}: {', '.join(made)}")
