"""Puts what the last run found into docs/performance.md, between two marks, and its pictures beside it.

    PYTHONPATH=benches python3 -m bench.document
"""

import shutil

from .settings import FOLDER, ROOT

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
PICTURES = {
    "cost.svg": ("performance-cost.svg", "CPU time a request, of each subject"),
    "scale.svg": ("performance-scale.svg", "Requests a second as sessions, rules and hosts grow in number"),
}


def main():
    document = ROOT / "docs" / "performance.md"
    text, tables = document.read_text(), (FOLDER / "tables.md").read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    # A run of some parts alone has not made all of them.
    pictures = {made: about for made, about in PICTURES.items() if (FOLDER / made).exists()}
    shown = "\n\n".join(f"![{words}]({file})" for file, words in pictures.values())
    document.write_text(f"{before}{BEGIN}\n\n{tables.rstrip()}\n\n{shown}\n\n{END}{after}")
    for made, (kept, _) in pictures.items():
        shutil.copyfile(FOLDER / made, ROOT / "docs" / kept)


if __name__ == "__main__":
    main()
