"""Who may include whom: the dependency table of docs/architecture.md."""

import re

import tree

# Folder -> folders of ours that it may include. Tests may include everything.
ALLOWED = {
    "base": {"base"},
    "protocols": {"base", "protocols"},
    "storage": {"base", "storage"},
    "config": {"base", "config"},
    "actors": {"base", "protocols", "storage", "config", "actors"},
    "main": {"base", "protocols", "storage", "config", "actors", "main"},
}
# What a folder must not take from outside, with the reason that is printed.
FORBIDDEN = {
    "base": [(r"caf/|lmdb\.h|sys/socket\.h|netinet/", "base is vocabulary: no actors, no LMDB, no sockets")],
    "protocols": [
        (r"caf/|lmdb\.h|sys/socket\.h|netinet/|thread$|mutex$|condition_variable$|future$|fstream$|filesystem$|spdlog/",
         "protocols are sans-I/O: no actors, LMDB, sockets, threads, files or logging"),
        (r"base/log\.hpp", "protocols do not log: they return values"),
    ],
    "storage": [(r"caf/", "storage is synchronous and knows no actors")],
    "config": [(r"caf/|lmdb\.h|sys/socket\.h|netinet/", "config is values")],
    "actors": [(r"lmdb\.h", "the index is storage's")],
    "main": [(r"lmdb\.h", "the index is storage's")],
}
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.M)


def problems_of(path, folder, source):
    for match in INCLUDE.finditer(source):
        ours, outside = match.group(1), match.group(2)
        line = source.count("\n", 0, match.start()) + 1
        name = ours or outside
        if ours:
            first = ours.split("/")[0]
            if first not in ALLOWED and first != "tests":
                yield f'{path}:{line}: "{ours}" is not given from the root of the tree'
            elif first not in ALLOWED[folder]:
                yield f"{path}:{line}: {folder} may not include {ours}"
        for pattern, reason in FORBIDDEN[folder]:
            if re.match(pattern, name):
                yield f"{path}:{line}: includes {name}; {reason}"
        # The format library that comes with spdlog is no logging.
        if outside and outside.startswith("spdlog/") and not outside.startswith("spdlog/fmt/") and not str(path).startswith("base/log"):
            yield f"{path}:{line}: includes {name}; base/log is the only door to spdlog"


found = []
for folder in tree.CODE_FOLDERS:
    for path in tree.files([folder], {".cpp", ".hpp"}):
        found += problems_of(path, folder, tree.text(path))
tree.judge(found, "The table is in docs/architecture.md; move what both sides need down into base.")
