"""The files of this work tree, for the tests that read them."""

import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
CODE_FOLDERS = ("base", "protocols", "storage", "config", "actors", "main")
ALL_FOLDERS = CODE_FOLDERS + ("tests", "docs", "cmake", "packaging", ".ci")
TEXT_ENDINGS = {".cpp", ".hpp", ".c", ".h", ".py", ".sh", ".md", ".cmake", ".toml", ".tsv", ".txt", ".json", ".service", ".supp"}


def files(folders, endings=None):
    """Paths, relative to the root, below the folders; sorted."""
    found = []
    for folder in folders:
        for at, names, here in os.walk(ROOT / folder):
            names[:] = [name for name in names if name not in ("__pycache__", "corpus")]
            found += [pathlib.Path(at, name).relative_to(ROOT) for name in here]
    return sorted(path for path in found if endings is None or path.suffix in endings)


def text(path):
    return (ROOT / path).read_text(encoding="utf-8")


def judge(problems, remedy):
    """Prints the problems and ends the test."""
    for problem in problems:
        print(problem)
    if problems:
        print(f"\n{len(problems)} problems. {remedy}")
    raise SystemExit(1 if problems else 0)
