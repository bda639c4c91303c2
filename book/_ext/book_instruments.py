"""Instruments: small programs on a page that a reader plays with, `:::{instrument} name`.

What stands inside the directive is the first state of the instrument in words and numbers. It is
what a page without JavaScript shows, and what JupyterLab or VS Code show; where scripts run,
book/_assets/instruments/name.js takes its place. Only pages with an instrument load its script, and
what that needs (NEEDS).
"""

from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

NEEDS = {
    "attention_date": ["date_reader"],
    "beam_search": ["date_reader"],
}  # scripts that they share
SCRIPTS = Path(__file__).resolve().parents[1] / "_assets" / "instruments"


class instrument(nodes.container):
    pass


class InstrumentDirective(Directive):
    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        if not (SCRIPTS / f"{name}.js").exists():
            raise self.error(f"there is no instrument {name!r} in book/_assets/instruments")
        node = instrument(name=name)
        self.state.nested_parse(self.content, self.content_offset, node)
        return [node]


def visit_html(self, node: instrument) -> None:
    self.body.append(f'<div class="instrument" data-instrument="{node["name"]}">\n')


def depart_html(self, node: instrument) -> None:
    self.body.append("</div>\n")


def visit_other(self, node: instrument) -> None:
    pass


def add_scripts(app: Sphinx, pagename, templatename, context, doctree) -> None:
    if doctree is None:
        return
    names = sorted({node["name"] for node in doctree.findall(instrument)})
    needed = sorted({script for name in names for script in NEEDS.get(name, [])})
    for name in ["base", *needed, *names] if names else []:
        app.add_js_file(f"instruments/{name}.js", loading_method="defer")


def setup(app: Sphinx) -> dict:
    others = {kind: (visit_other, visit_other) for kind in ("latex", "text", "man", "texinfo")}
    app.add_node(instrument, html=(visit_html, depart_html), **others)
    app.add_directive("instrument", InstrumentDirective)
    app.connect("html-page-context", add_scripts)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
