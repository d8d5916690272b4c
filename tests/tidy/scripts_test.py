"""Shell scripts pass shellcheck, Python files compile, and nothing in them names the machine of whoever wrote them."""

import ast
import re
import shutil
import subprocess
import sys

import tree

found = []
scripts = ["dev", ".ci/run"] + [str(path) for path in tree.files(("tests", "packaging", "docs")) if path.suffix in (".sh", ".bash") or
                                (not path.suffix and tree.text(path).startswith(("#!/bin/sh", "#!/usr/bin/env bash", "#!/bin/bash")))]
shellcheck = shutil.which("shellcheck")
if shellcheck:
    done = subprocess.run([shellcheck, *scripts], capture_output=True, text=True, cwd=tree.ROOT)
    found += done.stdout.splitlines() if done.returncode else []
else:
    print("shellcheck is not installed: shell scripts are not checked")
for path in tree.files(("tests", "docs"), {".py"}):
    try:
        ast.parse(tree.text(path), str(path))
    except SyntaxError as problem:
        found.append(f"{path}: {problem}")
for path in tree.files(tree.ALL_FOLDERS, tree.TEXT_ENDINGS):
    if re.search(r"/(home|root|work)/\w", tree.text(path)) and path.parts[:2] != ("tests", "tidy"):
        found.append(f"{path}: names a folder of one machine")
tree.judge(found, "shellcheck's wiki explains each number.")
