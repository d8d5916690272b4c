"""What clients were told and what the mailboxes hold, side by side.

Clients note each message before they send it and again when the server has answered for it. After a crash the
mailboxes are read over IMAP and judged:

  - acknowledged: there, exactly once in each of its mailboxes, octet for octet
  - not acknowledged: there or not, at most once, and in all of its mailboxes or in none (one commit)
  - refused: not there
  - a move that was acknowledged: at its new place only; one that was not: at exactly one of the two
  - an expunge that was acknowledged: gone; a flag that was acknowledged: set
  - a UID stands for one message for ever; UIDVALIDITY never changes; UIDNEXT is above every UID that was told
"""

import contextlib
import dataclasses
import hashlib
import imaplib
import re
import threading

import harness

imaplib._MAXLINE = 10_000_000


@dataclasses.dataclass
class Act:
    """Something asked for: when it was asked (mark) and when it was answered, in the ledger's own time."""

    asked: int | None = None
    answered: int | None = None

    def done(self, limit):
        return self.answered is not None and (limit is None or self.answered <= limit)


@dataclasses.dataclass
class Entry:
    token: str
    places: list  # (user, mailbox) of every copy; a move adds none
    way: str
    accept: Act = dataclasses.field(default_factory=Act)
    refused: bool = False
    move: Act = dataclasses.field(default_factory=Act)
    move_to: tuple | None = None
    expunge: Act = dataclasses.field(default_factory=Act)
    flag: Act = dataclasses.field(default_factory=Act)
    uid: tuple | None = None  # (UIDVALIDITY, UID) that APPENDUID told


@dataclasses.dataclass
class Seen:
    token: str
    flags: str


@dataclasses.dataclass
class Box:
    uid_validity: int
    uid_next: int
    messages: dict  # UID -> Seen


class Ledger:
    def __init__(self, mark=lambda: 0):
        self.lock = threading.Lock()
        self.entries = {}
        self.mark = mark
        self.problems = []  # what clients saw that no crash explains

    def note(self, entry):
        with self.lock:
            self.entries[entry.token] = entry
        entry.accept.asked = self.mark()
        return entry

    def answered(self, act):
        act.answered = self.mark()

    def counts(self, limit=None):
        done = sum(entry.accept.done(limit) for entry in self.entries.values())
        return done, len(self.entries) - done


def compose(token, body_octets, sender, to):
    """A message that carries its own token and the digest of its body. Its octets survive SMTP and APPEND as they are."""
    line = f".{token} lines that begin with a dot and lines that do not\r\n"
    cut = (line * (body_octets // len(line) + 1))[: max(body_octets, 2) - 2]
    body = cut.rstrip("\r") + "\r\n"  # no bare CR where the cut went through a line end
    digest = hashlib.sha256(body.encode()).hexdigest()
    return harness.message(token, body, sender, to, f"X-Token: {token}\r\nX-Digest: {digest}\r\n").encode()


def intact(octets):
    head, _, body = octets.partition(b"\r\n\r\n")
    digest = re.search(rb"^X-Digest: (\w+)", head, re.M)
    return digest is not None and hashlib.sha256(body).hexdigest().encode() == digest.group(1)


# ---- reading the mailboxes -------------------------------------------------------------------------------------------


def fetched(data):
    """(attributes as text, literal) of each message in imaplib's answer to a FETCH with one literal in each."""
    found = []
    for item in data:
        if isinstance(item, tuple):
            found.append([item[0].decode("latin-1"), item[1]])
        elif item and found:
            found[-1][0] += item.decode("latin-1")
    return found


class Observer:
    """Reads all mailboxes of the users; octets of each message once, tokens and flags each time."""

    def __init__(self, users=("alice", "bob")):
        self.users = users
        self.verified = {}  # (user, mailbox) -> highest UID whose octets were checked
        self.problems = []

    def observe(self, daemon):
        self.problems = []
        return {(user, name): box for user in self.users for name, box in self._boxes(daemon, user)}

    def _boxes(self, daemon, user):
        client = imaplib.IMAP4_SSL("127.0.0.1", daemon.ports["imaps"], ssl_context=daemon.client_tls(), timeout=120)
        try:
            client.login(harness.address(user), harness.PASSWORDS[user])
            _, listing = client.list()
            names = [re.search(rb'(?:"([^"]*)"|(\S+))$', line) for line in listing]
            for name in [(match.group(1) or match.group(2)).decode() for match in names]:
                yield name, self._box(client, user, name)
            client.logout()
        finally:
            with contextlib.suppress(OSError):  # logged out: closed already
                client.shutdown()

    def _box(self, client, user, name):
        status, data = client.select(f'"{name}"', readonly=True)
        if status != "OK":
            raise harness.Failure(f"EXAMINE {name} as {user}: {status} {data}")
        box = Box(int(client.response("UIDVALIDITY")[1][0]), int(client.response("UIDNEXT")[1][0]), {})
        if int(data[0]) == 0:
            return box
        _, data = client.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (X-TOKEN)])")
        for text, literal in fetched(data):
            uid = int(re.search(r"\bUID (\d+)", text).group(1))
            flags = re.search(r"FLAGS \(([^)]*)\)", text).group(1)
            token = re.search(rb"X-Token: (\S+)", literal, re.I)
            if uid in box.messages:
                self.problems.append(f"{user}/{name}: UID {uid} appears twice")
            box.messages[uid] = Seen(token.group(1).decode() if token else "?", flags)
        first = self.verified.get((user, name), 0) + 1
        if box.messages and max(box.messages) >= first:
            _, data = client.uid("FETCH", f"{first}:*", "(UID BODY.PEEK[])")
            for text, literal in fetched(data):
                if not intact(literal):
                    self.problems.append(f"{user}/{name}: damaged message, {text[:60]}, {len(literal)} octets")
            self.verified[(user, name)] = max(box.messages)
        return box


# ---- judging ---------------------------------------------------------------------------------------------------------


class Judge:
    """Holds observations against a ledger. One judge follows one life of a store through all its crashes."""

    def __init__(self, ledger):
        self.ledger = ledger
        self.boxes = {}  # (user, mailbox) -> Box of the observation before
        self.owners = {}  # (user, mailbox, UID) -> token, ever seen

    def judge(self, observed, limit=None):
        problems = self._uids(observed, limit)
        where = {}
        for place, box in observed.items():
            for uid, seen in box.messages.items():
                where.setdefault(seen.token, []).append((place, uid, seen))
        for token in where.keys() - self.ledger.entries.keys():
            problems.append(f"nobody sent {token}, it is at {where[token]}")
        for entry in self.ledger.entries.values():
            problems += self._entry(entry, where.get(entry.token, []), limit)
        return problems

    def _uids(self, observed, limit):
        problems = []
        for place, box in observed.items():
            before = self.boxes.get(place)
            if before and before.uid_validity != box.uid_validity:
                problems.append(f"{place}: UIDVALIDITY was {before.uid_validity} and is {box.uid_validity}")
            if before and box.uid_next < before.uid_next:
                problems.append(f"{place}: UIDNEXT went back from {before.uid_next} to {box.uid_next}")
            if box.messages and max(box.messages) >= box.uid_next:
                problems.append(f"{place}: UID {max(box.messages)} is not below UIDNEXT {box.uid_next}")
            for uid, seen in box.messages.items():
                owner = self.owners.setdefault((*place, uid), seen.token)
                if owner != seen.token:
                    problems.append(f"{place}: UID {uid} was {owner} and is {seen.token}")
                elif before and uid < before.uid_next and uid not in before.messages:
                    problems.append(f"{place}: UID {uid} came after UIDNEXT {before.uid_next} was told")
        for place in self.boxes.keys() - observed.keys():
            problems.append(f"{place}: the mailbox is gone")
        for entry in self.ledger.entries.values():
            if entry.uid and entry.accept.done(limit) and entry.places[0] in observed:
                box = observed[entry.places[0]]
                owner = self.owners.setdefault((*entry.places[0], entry.uid[1]), entry.token)
                if owner != entry.token:
                    problems.append(f"{entry.places[0]}: UID {entry.uid[1]} was told for {entry.token} and is {owner}")
                if entry.uid[0] != box.uid_validity or entry.uid[1] >= box.uid_next:
                    problems.append(f"{entry.places[0]}: APPENDUID {entry.uid} was told, UIDVALIDITY is "
                                    f"{box.uid_validity}, UIDNEXT {box.uid_next}")
        self.boxes = observed
        return problems

    def _entry(self, entry, found, limit):
        places = sorted(place for place, _, _ in found)
        wanted = sorted(entry.places)
        if entry.refused:
            return [f"{entry.way} {entry.token} was refused and is at {places}"] if found else []
        if entry.expunge.done(limit):
            return [f"{entry.way} {entry.token} was expunged and is at {places}"] if found else []
        allowed = [wanted]
        if entry.move_to:
            allowed = [[entry.move_to]] if entry.move.done(limit) else [wanted, [entry.move_to]]
        if not entry.accept.done(limit) or entry.expunge.asked is not None:
            allowed.append([])
        if places not in allowed:
            state = "acknowledged" if entry.accept.done(limit) else "not acknowledged"
            return [f"{entry.way} {entry.token}, {state}, belongs at one of {allowed} and is at {places}"]
        problems = []
        if found and entry.flag.done(limit) and "\\Flagged" not in found[0][2].flags:
            problems.append(f"{entry.way} {entry.token} lost its flag")
        if found and entry.uid and entry.accept.done(limit) and not entry.move_to and found[0][1] != entry.uid[1]:
            problems.append(f"{entry.way} {entry.token}: UID {entry.uid[1]} was told, it has {found[0][1]}")
        return problems
