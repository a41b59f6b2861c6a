"""Tables, for the terminal and for documents, and the parts they belong to."""

from dataclasses import dataclass, field


@dataclass
class Table:
    """The first column is named on the left, the others are figures."""

    title: str
    headings: list
    rows: list
    # What the reader has to know; a sentence or two.
    note: str = ""

    def text(self):
        rows = [self.headings, *self.rows]
        widths = [max(len(str(row[column])) for row in rows) for column in range(len(self.headings))]
        lines = [
            "  ".join(str(cell).ljust(width) if not column else str(cell).rjust(width)
                      for column, (cell, width) in enumerate(zip(row, widths)))
            for row in rows
        ]
        return "\n".join([f"\n{self.title}", "", *lines, *([self.note] if self.note else [])])

    def markdown(self):
        def line(cells):
            return "| " + " | ".join(str(cell) for cell in cells) + " |"

        rule = "| " + " | ".join(["---", *["---:"] * (len(self.headings) - 1)]) + " |"
        rows = "\n".join([line(self.headings), rule, *map(line, self.rows)])
        return f"### {self.title}\n\n{rows}\n" + (f"\n{self.note}\n" if self.note else "")


@dataclass
class Part:
    """What was found: tables for people, data for programs."""

    tables: list
    data: dict
    pictures: dict = field(default_factory=dict)
