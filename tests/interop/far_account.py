"""An account on a daemon of its own, filled and looked at by imaplib, for tests that let a mail program work on it."""

import imaplib
import os
import pathlib
import subprocess
import unittest

import harness
from harness import PASSWORDS, address, message


class FarAccount(unittest.TestCase):
    """alice's mailboxes, and a folder for what the program keeps on its side."""

    user = "alice"

    def setUp(self):
        self.context = harness.running()
        self.daemon = self.context.__enter__()
        self.folder = self.daemon.folder / "client"
        self.folder.mkdir()
        self.client = imaplib.IMAP4_SSL("127.0.0.1", self.daemon.ports["imaps"], ssl_context=self.daemon.client_tls(), timeout=60)
        self.client.login(address(self.user), PASSWORDS[self.user])

    def tearDown(self):
        self.client.shutdown()
        self.context.__exit__(None, None, None)

    def ok(self, answer):
        self.assertEqual(answer[0], "OK", answer)
        return answer[1]

    def words(self):
        """What configurations of mail programs need to know."""
        return {"imaps": self.daemon.ports["imaps"], "imap": self.daemon.ports["imap"], "pop3s": self.daemon.ports["pop3s"],
                "submission": self.daemon.ports["submission"], "user": address(self.user), "password": PASSWORDS[self.user],
                "certificate": self.daemon.certificate, "folder": self.folder}

    def write(self, name, text, mode=0o600):
        """A file in the program's folder, with `{word}`s of words() in it replaced."""
        file = self.folder / name
        file.write_text(text.format(**self.words()))
        file.chmod(mode)
        return file

    def run_client(self, command, allowed=(0,), environment=None, stdin=None):
        """What the program printed; its exit status must be one of those allowed."""
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120, cwd=self.folder, input=stdin,
                              env={**os.environ, "HOME": str(self.folder), "LC_ALL": "C.UTF-8", **(environment or {})})
        self.assertIn(done.returncode, allowed, f"{command}\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    # The server's side

    def append(self, subject, mailbox="INBOX", flags=None, **parts):
        self.ok(self.client.append(mailbox, flags, None, message(subject, **parts).encode()))

    def far(self, mailbox="INBOX"):
        """Subject to the set of flags, \\Recent apart, of all messages of a mailbox as it is now."""
        self.ok(self.client.select(mailbox, readonly=True))
        found = {}
        for uid in self.ok(self.client.uid("SEARCH", "ALL"))[0].split():
            data = self.ok(self.client.uid("FETCH", uid.decode(), "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))
            subject = data[0][1].decode().strip().partition(": ")[2]
            line = b"".join(part if isinstance(part, bytes) else part[0] for part in data)
            self.assertNotIn(subject, found, "two messages of one subject")
            found[subject] = {flag.decode() for flag in imaplib.ParseFlags(line)} - {"\\Recent"}
        self.ok(self.client.unselect())
        return found

    def octets(self, subject, mailbox="INBOX"):
        """The message of a subject, as the server has it."""
        self.ok(self.client.select(mailbox, readonly=True))
        number = self.ok(self.client.search(None, "SUBJECT", f'"{subject}"'))[0].decode()
        return self.ok(self.client.fetch(number, "(BODY.PEEK[])"))[0][1]

    def store(self, subject, how, flags, mailbox="INBOX"):
        self.ok(self.client.select(mailbox))
        number = self.ok(self.client.search(None, "SUBJECT", f'"{subject}"'))[0].decode()
        self.ok(self.client.store(number, how, f"({flags})"))
        self.ok(self.client.unselect())

    def expunge(self, subject, mailbox="INBOX"):
        self.store(subject, "+FLAGS", "\\Deleted", mailbox)
        self.ok(self.client.select(mailbox))
        self.ok(self.client.expunge())
        self.ok(self.client.unselect())

    # The program's side

    def make_taker(self):
        """A program that puts each message from its standard input into a file of its own, for those that hand mail on."""
        (self.folder / "out").mkdir()
        return self.write("take", "#!/bin/sh\ncat >{folder}/out/$(ls {folder}/out | wc -l)\n", 0o700)

    def taken(self):
        """Subject to text, without the trace fields that were put before it."""
        found = {}
        for file in (self.folder / "out").iterdir():
            text = file.read_text()
            subject = text.partition("\nSubject: ")[2].partition("\n")[0]
            self.assertNotIn(subject, found, "taken twice")
            found[subject] = text[text.index("From: alice@"):]
        return found

    def near(self, path):
        """Subject to (file, flags of its maildir name) in a maildir."""
        found = {}
        for part in ("cur", "new"):
            for file in (pathlib.Path(path) / part).glob("*"):
                subject = next(line for line in file.read_text().splitlines() if line.startswith("Subject: "))[9:]
                self.assertNotIn(subject, found, "two messages of one subject")
                found[subject] = (file, file.name.partition(":2,")[2])
        return found

    def write_near(self, path, subject, flags=""):
        for part in ("cur", "new", "tmp"):
            (pathlib.Path(path) / part).mkdir(parents=True, exist_ok=True)
        name = f"1700000000.{subject.replace(' ', '-')}.localhost"
        (pathlib.Path(path) / "cur" / f"{name}:2,{flags}").write_text(message(subject).replace("\r\n", "\n"))

    def set_near(self, path, subject, flags):
        """Gives a message of a maildir other flags, as a mail program does: by another name."""
        file, _ = self.near(path)[subject]
        file.rename(file.parent.parent / "cur" / (file.name.partition(":2,")[0] + ":2," + flags))
