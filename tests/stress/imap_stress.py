"""Several IMAP sessions on one mailbox at once, each with random commands and a model of what it has been told.

A session's model is its list of messages with UIDs, flags and mod-sequences, made from nothing but the server's responses. Each
response is checked against it when it comes: numbers that fit, UIDs that ascend and never return, EXPUNGE only where it is
allowed, VANISHED only for who enabled QRESYNC, SEARCH that finds exactly what the model has, mod-sequences that grow. In the end
all sessions and a fresh one must have the same mailbox.

    imap_stress.py [--sessions N] [--commands N] [--seed N]      commands of each session
"""

import argparse
import random
import re
import socket
import sys
import threading
import time

import harness
from harness import PASSWORDS, address

FLAGS = ["\\Seen", "\\Flagged", "\\Answered", "\\Deleted", "$Label1", "work"]
MAILBOX, OTHER = "INBOX", "other"


class Wrong(Exception):
    """The server said what it must not."""


def numbers(text):
    out = []
    for part in text.split(","):
        first, _, last = part.partition(":")
        out.extend(range(int(first), int(last or first) + 1))
    return out


class Message:
    def __init__(self, uid=None, flags=None, modseq=0):
        self.uid, self.flags, self.modseq = uid, flags, modseq


class Session:
    def __init__(self, daemon, name, rng, shared):
        self.daemon, self.name, self.rng, self.shared = daemon, name, rng, shared
        self.log = []
        self.qresync = rng.random() < 0.5
        self.connect()

    # The wire

    def connect(self):
        self.socket = socket.create_connection(("127.0.0.1", self.daemon.ports["imap"]), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        self.line()
        self.view, self.command, self.count = [], "", 0
        self.highest = self.validity = 0
        self.run(f"LOGIN {address('alice')} \"{PASSWORDS['alice']}\"")
        if self.qresync:
            self.run("ENABLE QRESYNC")

    def line(self):
        out = b""
        while True:
            part = self.file.readline()
            if not part:
                raise Wrong("the connection ended")
            out += part
            literal = re.search(rb"\{(\d+)\}\r\n$", part)
            if not literal:
                text = out.decode("utf-8", "replace").rstrip("\r\n")
                self.log.append("S: " + text[:300])
                del self.log[:-60]
                return text
            out += self.file.read(int(literal.group(1)))

    def say(self, text):
        self.log.append("C: " + text[:300])
        self.socket.sendall(text.encode() + b"\r\n")

    def run(self, command, allowed=("OK",)):
        """Sends a command and takes its responses; the tagged one."""
        self.count += 1
        tag = f"a{self.count}"
        self.command = command
        self.say(f"{tag} {command}")
        return self.until(tag, allowed)

    def until(self, tag, allowed=("OK",)):
        while True:
            line = self.line()
            if line.startswith("* "):
                self.take(line[2:])
            elif line.startswith(tag + " "):
                status = line.split(" ")[1]
                if status not in allowed:
                    raise Wrong(f"{self.command}: {line}")
                return line
            elif not line.startswith("+"):
                raise Wrong("neither untagged nor the tag: " + line)

    # What the server tells

    def take(self, text):
        if found := re.match(r"(\d+) EXISTS$", text):
            self.exists(int(found[1]))
        elif found := re.match(r"(\d+) EXPUNGE$", text):
            self.expunge(int(found[1]))
        elif found := re.match(r"VANISHED (\(EARLIER\) )?([\d:,]+)$", text):
            self.vanished(numbers(found[2]), bool(found[1]))
        elif found := re.match(r"(\d+) FETCH \((.*)\)$", text, re.DOTALL):
            self.fetched(int(found[1]), found[2])
        elif found := re.match(r"SEARCH ?([\d ]*)(\(MODSEQ \d+\))?$", text):
            self.found = [int(n) for n in found[1].split()]
        elif found := re.search(r"\[UIDVALIDITY (\d+)\]", text):
            self.validity = int(found[1])
        elif found := re.search(r"\[HIGHESTMODSEQ (\d+)\]", text):
            self.highest = max(self.highest, int(found[1]))
        elif text.startswith("BYE"):
            raise Wrong(text)

    def exists(self, count):
        if count < len(self.view):
            raise Wrong(f"EXISTS went from {len(self.view)} to {count}")
        self.view.extend(Message() for _ in range(count - len(self.view)))

    def hears_of_removals(self):
        """RFC 9051 7.5.1: not while FETCH, STORE or SEARCH runs, unless by UID."""
        return not re.match(r"(FETCH|STORE|SEARCH|SORT) ", self.command)

    def may_remove(self):
        if not self.hears_of_removals():
            raise Wrong(f"a removal while {self.command} ran")

    def expunge(self, number):
        self.may_remove()
        if self.qresync:
            raise Wrong("EXPUNGE after ENABLE QRESYNC")
        if not 1 <= number <= len(self.view):
            raise Wrong(f"EXPUNGE of {number} of {len(self.view)}")
        self.gone(self.view.pop(number - 1).uid)

    def vanished(self, uids, earlier):
        self.may_remove()
        if not self.qresync or earlier != ("QRESYNC (" in self.command or "VANISHED" in self.command):
            raise Wrong(f"VANISHED in {self.command}")
        here = {m.uid for m in self.view}
        for uid in uids:
            if not earlier and uid not in here and None not in here:
                raise Wrong(f"VANISHED {uid}, which was not here")
            self.gone(uid)
        self.view = [m for m in self.view if m.uid not in set(uids)]

    def gone(self, uid):
        if uid is not None:
            self.shared.expunged.add(uid)

    def fetched(self, number, text):
        if not 1 <= number <= len(self.view):
            raise Wrong(f"FETCH of {number} of {len(self.view)}")
        message = self.view[number - 1]
        if uid := re.search(r"\bUID (\d+)", text):
            self.learn_uid(number, message, int(uid[1]))
        elif self.qresync:
            raise Wrong("a FETCH without UID after ENABLE QRESYNC")
        if modseq := re.search(r"MODSEQ \((\d+)\)", text):
            if int(modseq[1]) < message.modseq:
                raise Wrong(f"MODSEQ of {number} went back from {message.modseq} to {modseq[1]}")
            message.modseq = int(modseq[1])
            if self.hears_of_removals():  # else one that came before this change may still be untold
                self.highest = max(self.highest, message.modseq)
        if flags := re.search(r"FLAGS \(([^)]*)\)", text):
            message.flags = set(flags[1].split())

    def learn_uid(self, number, message, uid):
        if message.uid not in (None, uid):
            raise Wrong(f"message {number} was UID {message.uid} and is {uid}")
        message.uid = uid
        before = [m.uid for m in self.view[:number - 1] if m.uid is not None]
        behind = [m.uid for m in self.view[number:] if m.uid is not None]
        if (before and before[-1] >= uid) or (behind and behind[0] <= uid):
            raise Wrong(f"UID {uid} of message {number} does not fit between its neighbours")

    # Commands

    def open(self):
        self.view = []
        self.run(f"SELECT {MAILBOX}" + ("" if self.qresync else " (CONDSTORE)"))
        self.learn()

    def learn(self):
        """Everything about messages that are new."""
        while unknown := [i for i, m in enumerate(self.view, 1) if m.uid is None or m.flags is None]:
            self.run(f"FETCH {unknown[0]}:* (UID FLAGS MODSEQ)")

    def some(self, by_uid):
        """A set of messages, and those of the model that it means now."""
        chosen = sorted(self.rng.sample(range(len(self.view)), min(len(self.view), self.rng.randint(1, 4))))
        words = [str(self.view[i].uid if by_uid else i + 1) for i in chosen]
        return ",".join(words), [self.view[i] for i in chosen]

    def store(self):
        by_uid = self.rng.random() < 0.5
        how = self.rng.choice(["+FLAGS", "-FLAGS", "FLAGS"])
        silent = self.rng.random() < 0.4
        flags = set(self.rng.sample(FLAGS, self.rng.randint(1, 2)))
        named, messages = self.some(by_uid)
        if silent:  # what is told meanwhile counts more
            for m in messages:
                m.flags = m.flags | flags if how == "+FLAGS" else m.flags - flags if how == "-FLAGS" else set(flags)
        done = self.run(f"{'UID ' if by_uid else ''}STORE {named} {how}{'.SILENT' if silent else ''} ({' '.join(sorted(flags))})")
        if silent and "EXPUNGEISSUED" in done:  # of which of them is not told
            for m in messages:
                m.flags = None

    def search(self):
        flag, key, no_key = self.rng.choice([("\\Seen", "SEEN", "UNSEEN"), ("\\Flagged", "FLAGGED", "UNFLAGGED"),
                                             ("\\Deleted", "DELETED", "UNDELETED"), ("work", "KEYWORD work", "UNKEYWORD work")])
        wanted = self.rng.random() < 0.5
        expected = [i for i, m in enumerate(self.view, 1) if (flag in m.flags) == wanted]
        self.found = None
        self.run(f"SEARCH {key if wanted else no_key}")
        if self.found != expected:
            raise Wrong(f"SEARCH {key if wanted else no_key} found {self.found}, the model has {expected}")

    def append(self):
        text = f"Subject: {self.name} {self.count}\r\n\r\n{'x' * self.rng.randint(0, 3000)}\r\n"
        self.run(f"APPEND {MAILBOX} (\\Seen) {{{len(text)}+}}\r\n{text}")

    def copy(self):
        by_uid = self.rng.random() < 0.5
        named, _ = self.some(by_uid)
        verb = self.rng.choice(["COPY", "COPY", "MOVE"])
        target = OTHER if verb == "MOVE" else self.rng.choice([MAILBOX, OTHER])
        self.run(f"{'UID ' if by_uid else ''}{verb} {named} {target}", ("OK", "NO"))

    def expunge_some(self):
        if self.rng.random() < 0.5:
            self.run("EXPUNGE")
        else:
            self.run("UID EXPUNGE " + self.some(True)[0])

    def idle(self):
        self.count += 1
        tag = f"a{self.count}"
        self.command = "IDLE"
        self.say(f"{tag} IDLE")
        line = self.line()
        while not line.startswith("+"):
            self.take(line[2:])
            line = self.line()
        self.say("DONE")
        self.until(tag)

    def pipelined(self):
        self.count += 3
        tags = [f"a{self.count - 2}", f"a{self.count - 1}", f"a{self.count}"]
        self.command = "NOOP"
        self.say(f"{tags[0]} NOOP\r\n{tags[1]} UID FETCH 1:* (FLAGS MODSEQ)\r\n{tags[2]} CHECK")
        for tag in tags:
            self.until(tag)

    def come_back(self):
        """Hangs up and comes back with what is known, as a mail program does (RFC 7162 3.2.5)."""
        self.say("z LOGOUT")
        known, highest, validity = self.view, self.highest, self.validity
        self.socket.close()
        self.connect()
        if not self.qresync or not known:
            return self.open()
        # The numbers of what is still there are only known once VANISHED has come: the model is told of UIDs alone.
        mine = {m.uid: m for m in known}
        self.command = f"SELECT {MAILBOX} (QRESYNC ({validity} {highest}))"
        self.count += 1
        self.say(f"a{self.count} {self.command}")
        changed, removed = {}, set()
        while True:
            line = self.line()
            if line.startswith(f"a{self.count} OK"):
                break
            if found := re.match(r"\* VANISHED \(EARLIER\) ([\d:,]+)$", line):
                removed |= set(numbers(found[1]))
            elif found := re.match(r"\* \d+ FETCH \(UID (\d+) FLAGS \(([^)]*)\) MODSEQ \((\d+)\)\)$", line):
                changed[int(found[1])] = Message(int(found[1]), set(found[2].split()), int(found[3]))
            elif line.startswith("* "):
                self.take(line[2:])
            else:
                raise Wrong(line)
        for uid in removed:
            self.gone(uid)
            mine.pop(uid, None)
        mine.update(changed)
        if len(mine) != len(self.view):
            raise Wrong(f"after QRESYNC the model has {sorted(mine)}, the server {len(self.view)} messages")
        self.view = [mine[uid] for uid in sorted(mine)]
        self.run("FETCH 1:* (UID FLAGS MODSEQ)" if self.view else "NOOP")

    def step(self):
        if len(self.view) < 5:
            self.append()
        else:
            self.rng.choices([self.store, self.search, self.append, self.copy, self.expunge_some, self.idle, self.pipelined,
                              lambda: self.run("NOOP"), self.come_back], [30, 15, 8, 8, 8, 6, 6, 15, 4])[0]()
        self.learn()
        alive = [m.uid for m in self.view if m.uid is not None]
        back = self.shared.seen_gone(self, alive)
        if back:
            raise Wrong(f"UIDs that were expunged are here again: {back}")

    def contents(self):
        return [(m.uid, tuple(sorted(m.flags))) for m in self.view]


class Shared:
    def __init__(self):
        self.expunged = set()
        self.failed = None

    def seen_gone(self, session, alive):
        """UIDs that this session itself was told are gone, and has again."""
        mine = session.__dict__.setdefault("removed", set())
        back = mine & set(alive)
        mine |= session.__dict__.get("previous", set()) - set(alive)
        session.previous = set(alive)
        return back


def play(daemon, sessions, commands, seed):
    shared = Shared()
    all_sessions = [Session(daemon, f"s{i}", random.Random(f"{seed}-{i}"), shared) for i in range(sessions)]
    all_sessions[0].run(f"CREATE {OTHER}", ("OK", "NO"))

    def work(session):
        try:
            session.open()
            for _ in range(commands):
                if shared.failed:
                    return
                session.step()
        except (Wrong, OSError, ValueError, AssertionError) as problem:
            shared.failed = shared.failed or (session, problem)

    threads = [threading.Thread(target=work, args=(s,)) for s in all_sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if not shared.failed:
        fresh = Session(daemon, "fresh", random.Random(seed), shared)
        fresh.open()
        for session in all_sessions:
            try:
                session.run("NOOP")
                session.learn()
                if session.contents() != fresh.contents():
                    raise Wrong(f"ends with {session.contents()}\na fresh session has {fresh.contents()}")
            except Wrong as problem:
                shared.failed = shared.failed or (session, problem)
    if shared.failed:
        session, problem = shared.failed
        print(f"FAILED (seed {seed}): session {session.name}{' with QRESYNC' if session.qresync else ''}: {problem}")
        print("\n".join("  " + line for line in session.log[-40:]))
        return 1
    print(f"ok: {sessions} sessions with {commands} commands each, {len(fresh.view)} messages at the end, "
          f"{len(shared.expunged)} were removed")
    return 0


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--sessions", type=int, default=6)
    arguments.add_argument("--commands", type=int, default=300)
    arguments.add_argument("--seed", type=int, default=int(time.time()))
    options = arguments.parse_args()
    print(f"seed {options.seed}")
    daemon = harness.Daemon(plaintext_login=True)
    try:
        daemon.make_users()
        daemon.start()
        status = play(daemon, options.sessions, options.commands, options.seed)
        daemon.stop()
        return status
    finally:
        daemon.remove()


if __name__ == "__main__":
    sys.exit(main())
