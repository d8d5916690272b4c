"""Reads the log of powerlog.c and rebuilds what a disk could hold after the power failed at one of its moments.

The model is as strict as POSIX lets a file system be. Octets written are on disk for certain once a sync of their file,
begun after the write, has ended (or at once through O_DSYNC); a name is there for certain once its folder was synced.
Of the rest, each write survives or not, perhaps only some of its 512-octet sectors, and names survive in order up to
some moment.
"""

import os
import pathlib
import struct

HEAD = struct.Struct("<cQQI")
SECTOR = 512


def records(log):
    """(kind, first, second, payload, offset of the record's end) until the log ends or its last record is torn."""
    at = 0
    while at + HEAD.size <= len(log):
        kind, first, second, length = HEAD.unpack_from(log, at)
        end = at + HEAD.size + length
        if end > len(log):
            return
        yield kind.decode(), first, second, memoryview(log)[at + HEAD.size : end], end
        at = end


class Node:
    """A file or folder."""

    def __init__(self, base=None, folder=False):
        self.base = base  # path of its octets before the log began
        self.folder = folder
        self.changes = []  # (kind, offset or size, octets, durable at once)
        self.synced = 0  # so many of the changes are on disk


class Disk:
    def __init__(self, root, base):
        """`root`: the folder that was logged; `base`: a copy of it from before the log began."""
        self.root = str(root)
        self.nodes = {self.root: Node(folder=True)}
        for folder, folders, files in os.walk(base):
            at = os.path.join(self.root, os.path.relpath(folder, base)) if folder != str(base) else self.root
            for name in folders:
                self.nodes[os.path.join(at, name)] = Node(folder=True)
            for name in files:
                self.nodes[os.path.join(at, name)] = Node(base=os.path.join(folder, name))
        self.first_names = dict(self.nodes)
        self.inodes = {}
        self.names = []  # [apply(names), folders, durable]
        self.begun = {}

    def replay(self, log, until):
        for kind, first, second, payload, end in records(log):
            if end > until:
                return
            getattr(self, "on_" + kind)(first, second, payload)

    # One method for each kind of record; powerlog.c says what they hold.

    def change_names(self, change, *paths):
        change(self.nodes)
        self.names.append([change, {os.path.dirname(path) for path in paths}, False])

    def on_O(self, inode, _, payload):
        path = bytes(payload).decode()
        if path not in self.nodes:
            made = Node()
            self.change_names(lambda names: names.__setitem__(path, made), path)
        self.inodes[inode] = (self.nodes[path], path)

    def on_D(self, _, __, payload):
        path = bytes(payload).decode()
        made = Node(folder=True)
        self.change_names(lambda names: names.__setitem__(path, made), path)

    def on_W(self, inode, offset, payload):
        if inode in self.inodes:
            self.inodes[inode][0].changes.append(("W", offset, payload, False))

    def on_d(self, inode, offset, payload):
        if inode in self.inodes:
            self.inodes[inode][0].changes.append(("W", offset, payload, True))

    def on_T(self, inode, size, _):
        if inode in self.inodes:
            self.inodes[inode][0].changes.append(("T", size, None, False))

    def on_B(self, inode, token, _):
        if inode in self.inodes:
            node, path = self.inodes[inode]
            self.begun[token] = (node, len(node.changes), path, len(self.names))

    def on_E(self, _, token, __):
        if token not in self.begun:
            return
        node, changes, path, names = self.begun.pop(token)
        node.synced = max(node.synced, changes)
        if node.folder:
            for entry in self.names[:names]:
                if path in entry[1]:
                    entry[2] = True

    def on_R(self, split, _, payload):
        both = bytes(payload).decode()
        before, after = both[:split], both[split:]

        def rename(names):
            for path in [path for path in names if path == before or path.startswith(before + "/")]:
                names[after + path[len(before):]] = names.pop(path)

        self.change_names(rename, before, after)
        self.inodes = {inode: (node, after if path == before else path) for inode, (node, path) in self.inodes.items()}

    def on_L(self, split, _, payload):
        both = bytes(payload).decode()
        before, after = both[:split], both[split:]

        def link(names):
            if before in names:
                names[after] = names[before]

        self.change_names(link, after)

    def on_U(self, _, __, payload):
        path = bytes(payload).decode()
        self.change_names(lambda names: names.pop(path, None), path)

    # The image

    def write_image(self, into, rng):
        """Writes one of the states that the disk may be in into the folder `into`."""
        open_ones = [entry for entry in self.names if not entry[2]]
        surviving = {id(entry) for entry in open_ones[: rng.randint(0, len(open_ones))]}
        names = dict(self.first_names)
        for entry in self.names:
            if entry[2] or id(entry) in surviving:
                entry[0](names)
        survival = rng.choice((0.0, 0.3, 0.7, 1.0))  # of a write that was not synced
        pathlib.Path(into).mkdir(parents=True, exist_ok=True)
        reached = {self.root}
        for path, node in sorted(names.items()):
            target = pathlib.Path(str(into) + path[len(self.root):])
            if path == self.root or os.path.dirname(path) not in reached:
                continue  # what is in a folder that is gone is gone
            if node.folder:
                target.mkdir()
                reached.add(path)
            else:
                self._write_file(node, target, rng, survival)

    @staticmethod
    def _write_file(node, target, rng, survival):
        octets = bytearray(pathlib.Path(node.base).read_bytes() if node.base else b"")
        for number, (kind, at, payload, durable) in enumerate(node.changes):
            certain = durable or number < node.synced
            if not certain and rng.random() >= survival:
                continue
            if kind == "T":
                del octets[at:]
                octets.extend(bytes(at - len(octets)))
                continue
            pieces = [(0, len(payload))]
            if not certain and rng.random() < 0.5:  # torn
                pieces = [(start, min(start + SECTOR, len(payload))) for start in range(0, len(payload), SECTOR)
                          if rng.random() < 0.5]
            for start, end in pieces:
                if len(octets) < at + end:
                    octets.extend(bytes(at + end - len(octets)))
                octets[at + start : at + end] = payload[start:end]
        target.write_bytes(octets)
        target.chmod(0o600)
