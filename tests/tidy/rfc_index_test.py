"""docs/rfc/index.tsv is honest: what code cites is in it, and what it claims is cited."""

import re

import tree

STATES = ("yes", "partly", "no")
CITED = re.compile(r"\bRFC[ -]?(\d{3,5})\b")

found, index = [], {}
for number, line in enumerate(tree.text("docs/rfc/index.tsv").rstrip("\n").split("\n"), 1):
    columns = line.split("\t")
    if number == 1:
        if columns != ["number", "title", "status", "where"]:
            found.append("docs/rfc/index.tsv:1: the columns are number, title, status, where")
        continue
    if len(columns) != 4 or not columns[0].isdigit() or columns[2] not in STATES:
        found.append(f"docs/rfc/index.tsv:{number}: four columns: a number, a title, one of {STATES}, where")
        continue
    rfc = int(columns[0])
    if rfc in index:
        found.append(f"docs/rfc/index.tsv:{number}: RFC {rfc} is there twice")
    if index and rfc < max(index):
        found.append(f"docs/rfc/index.tsv:{number}: RFC {rfc} is out of order")
    if columns[2] != "no" and columns[3] == "-":
        found.append(f"docs/rfc/index.tsv:{number}: RFC {rfc} is '{columns[2]}' but nothing says where")
    for place in columns[3].split(", "):
        if place != "-" and not (tree.ROOT / place).exists():
            found.append(f"docs/rfc/index.tsv:{number}: {place} does not exist")
    index[rfc] = columns[2]

cited = set()
for path in tree.files(tree.CODE_FOLDERS + ("tests",), {".cpp", ".hpp", ".py", ".toml"}):
    text = tree.text(path)
    for match in CITED.finditer(text):
        rfc = int(match.group(1))
        if path.parts[0] != "tests":
            cited.add(rfc)
        if rfc not in index:
            line = text.count("\n", 0, match.start()) + 1
            found.append(f"{path}:{line}: RFC {rfc} is not in docs/rfc/index.tsv")
for rfc, status in index.items():
    if status == "yes" and rfc not in cited:
        found.append(f"docs/rfc/index.tsv: RFC {rfc} is 'yes' but no line of code cites it")
tree.judge(found, "Add the RFC with its true status, or cite it on the line that enforces it.")
