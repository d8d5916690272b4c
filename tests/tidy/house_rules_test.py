"""Small rules that a reader would otherwise have to watch: CONTRIBUTING.md says why."""

import re

import tree

LINES_WORTH_A_LOOK = 500
LINES_AT_MOST = 800
# Words that mark what is not finished; finished work or an issue takes their place.
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b|(?i:\b(?:for now|placeholder|not implemented yet)\b)")
WARNINGS = []


def text_problems(path, text):
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if UNFINISHED.search(line):
            yield f"{path}:{number}: {UNFINISHED.search(line).group(0)!r}: finish it or open an issue"
        if line.endswith((" ", "\t", "\r")) and path.suffix not in (".txt", ".md"):
            yield f"{path}:{number}: white space at the end of the line"
    if text and not text.endswith("\n"):
        yield f"{path}: no line end at the end"


def code_problems(path, text):
    lines = text.count("\n")
    if lines > LINES_AT_MOST:
        yield f"{path}: {lines} lines; split it by what it is about (at most {LINES_AT_MOST})"
    elif lines > LINES_WORTH_A_LOOK:
        WARNINGS.append(f"{path}: {lines} lines; perhaps two things live in it")
    if path.suffix == ".hpp" and "\n#pragma once\n" not in "\n" + text:
        yield f"{path}: no #pragma once"
    if re.search(r"^\s*using namespace std;", text, re.M):
        yield f"{path}: using namespace std"
    if path.suffix == ".hpp" and re.search(r"^using namespace ", text, re.M):
        yield f"{path}: a header opens a namespace for everyone who includes it"
    if re.search(r"[A-Z]", path.stem) or "-" in path.stem:
        yield f"{path}: names are snake_case"


found = []
for path in tree.files(tree.ALL_FOLDERS, tree.TEXT_ENDINGS):
    if path.parts[:2] in (("tests", "tidy"), ("tests", "transcripts")):
        continue
    text = tree.text(path)
    found += text_problems(path, text)
    if path.suffix in (".cpp", ".hpp"):
        found += code_problems(path, text)
for path in tree.files(("tests",), {".cpp", ".py"}):
    # A test that sleeps is slow when it passes and wrong when the machine is busy.
    if path.parts[:2] != ("tests", "tidy") and re.search(r"sleep_for\(|sleep_until\(|\busleep\(|\btime\.sleep\(", tree.text(path)):
        if path.parts[1] != "bench":
            found.append(f"{path}: a test sleeps")
print("\n".join(WARNINGS))
tree.judge(found, "CONTRIBUTING.md has the rules.")
