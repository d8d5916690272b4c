"""Every actor's header opens with five lines: owns, receives, sends, dies when, supervised by. docs/actors.md is made of them."""

import subprocess
import sys

import tree

sys.path.insert(0, str(tree.ROOT / "docs"))
import generate_actors

found = []
for path in tree.files(["actors"], {".hpp"}):
    head = generate_actors.read_head(tree.ROOT / path)
    if not head.fields and not path.name.endswith("_actor.hpp"):
        continue
    for field in generate_actors.FIELDS:
        if not head.fields.get(field):
            found.append(f"{path}: the head does not say '{field}:'")
if not found:
    page = subprocess.run([sys.executable, str(tree.ROOT / "docs/generate_actors.py")], capture_output=True, text=True)
    if page.returncode != 0 or "## " not in page.stdout:
        found.append(f"docs/generate_actors.py fails: {page.stderr}")
tree.judge(found, "docs/generate_actors.py shows how heads are read; actors/store/writer_actor.hpp is an example.")
