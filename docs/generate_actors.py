#!/usr/bin/env python3
"""Writes the page of all actors, made of the heads of their headers, to standard output. `./dev docs` keeps it in build/docs."""

import dataclasses
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
FIELDS = ("owns", "receives", "sends", "dies when", "supervised by")
FIELD = re.compile(rf"^({'|'.join(FIELDS)}): *(.*)$")


@dataclasses.dataclass
class Head:
    name: str
    path: pathlib.Path
    summary: str = ""
    fields: dict = dataclasses.field(default_factory=dict)


def read_head(path):
    """The comment at the top of a header, taken apart; without fields if it is not that of an actor."""
    head = Head(path.stem, path.relative_to(ROOT))
    field, summary = None, []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("//"):
            break
        words = line[2:].strip()
        match = FIELD.match(words)
        if match:
            field = match.group(1)
            head.fields[field] = match.group(2).strip()
        elif not words:
            field = None
        elif field:
            head.fields[field] += " " + words
        else:
            summary.append(words)
    head.summary = " ".join(summary)
    return head


def page(heads):
    lines = ["# Actors", "", "Made of the heads of the headers in `actors/` by `docs/generate_actors.py`. How they work",
             "together: `docs/architecture.md`."]
    folder = None
    for head in heads:
        if head.path.parent != folder:
            folder = head.path.parent
            lines += ["", f"## {folder}"]
        lines += ["", f"### {head.name}", "", f"{head.summary}" if head.summary else f"`{head.path}`", ""]
        lines += ["| | |", "|---|---|"]
        lines += [f"| {field} | {head.fields.get(field, '')} |".replace("<", "&lt;") for field in FIELDS]
    return "\n".join(lines) + "\n"


def main():
    heads = [read_head(path) for path in sorted((ROOT / "actors").rglob("*.hpp"))]
    sys.stdout.write(page([head for head in heads if head.fields]))


if __name__ == "__main__":
    main()
