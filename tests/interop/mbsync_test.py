"""mbsync keeps a maildir and an account the same in both directions: new mail, flags, deletions, new mailboxes."""

import imaplib
import os
import pathlib
import subprocess
import unittest

import harness
from harness import PASSWORDS, address, message

CONFIG = """
IMAPAccount merpati
Host localhost
Port {port}
User {user}
Pass "{password}"
SSLType IMAPS
CertificateFile {certificate}

IMAPStore far
Account merpati

MaildirStore near
Path {folder}/mail/
Inbox {folder}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
SyncState *
"""


class MbsyncTest(unittest.TestCase):
    def setUp(self):
        self.mbsync = harness.need("mbsync", "isync")
        self.context = harness.running()
        self.daemon = self.context.__enter__()
        self.folder = self.daemon.folder / "mbsync"
        (self.folder / "mail").mkdir(parents=True)
        self.config = self.folder / "mbsyncrc"
        self.config.write_text(CONFIG.format(port=self.daemon.ports["imaps"], user=address("alice"),
                                             password=PASSWORDS["alice"], certificate=self.daemon.certificate,
                                             folder=self.folder))
        self.client = imaplib.IMAP4_SSL("127.0.0.1", self.daemon.ports["imaps"], ssl_context=self.daemon.client_tls())
        self.client.login(address("alice"), PASSWORDS["alice"])

    def tearDown(self):
        self.client.shutdown()
        self.context.__exit__(None, None, None)

    def sync(self):
        done = subprocess.run([self.mbsync, "-c", str(self.config), "-a"], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def near(self, mailbox="INBOX"):
        """Subject to (file, maildir flags)."""
        found = {}
        for folder in ("cur", "new"):
            for file in (self.folder / "mail" / mailbox / folder).glob("*"):
                subject = next(line for line in file.read_text().splitlines() if line.startswith("Subject: "))
                found[subject[9:]] = (file, file.name.partition(":2,")[2])
        return found

    def far(self, mailbox="INBOX"):
        """Subject to (UID, flags)."""
        self.assertEqual(self.client.select(mailbox)[0], "OK")
        found = {}
        for uid in self.client.uid("SEARCH", "ALL")[1][0].split():
            data = self.client.uid("FETCH", uid.decode(), "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
            subject = data[0][1].decode().strip()[9:]
            found[subject] = (uid.decode(), (data[0][0] + data[1]).decode())
        return found

    def append(self, subject, mailbox="INBOX"):
        self.assertEqual(self.client.append(mailbox, None, None, message(subject).encode())[0], "OK")

    def write_near(self, subject, mailbox="INBOX"):
        folder = self.folder / "mail" / mailbox
        for part in ("cur", "new", "tmp"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / "new" / f"1.{os.getpid()}.{subject.replace(' ', '-')}").write_text(message(subject).replace("\r\n", "\n"))

    def test_both_ways(self):
        self.append("from the server")
        self.append("for the archive", "Archive")
        self.sync()
        self.assertEqual(set(self.near()), {"from the server"})
        self.assertEqual(set(self.near("Archive")), {"for the archive"})

        self.write_near("from the maildir")
        self.write_near("in a new mailbox", "Birds")
        self.append("second from the server")
        self.sync()
        everything = {"from the server", "from the maildir", "second from the server"}
        self.assertEqual(set(self.far()), everything)
        self.assertEqual(set(self.near()), everything)
        self.assertEqual(set(self.far("Birds")), {"in a new mailbox"})

        uid = self.far()["from the maildir"][0]
        self.client.uid("STORE", uid, "+FLAGS", r"(\Seen \Answered)")
        file, _ = self.near()["from the server"]
        pathlib.Path(file).rename(file.parent.parent / "cur" / (file.name.partition(":2,")[0] + ":2,F"))
        self.sync()
        self.assertEqual(set(self.near()["from the maildir"][1]), set("RS"))
        self.assertIn(r"\Flagged", self.far()["from the server"][1])

        self.client.select()
        self.client.uid("STORE", uid, "+FLAGS", r"(\Deleted)")
        self.client.expunge()
        self.near()["second from the server"][0].unlink()
        self.sync()
        self.assertEqual(set(self.far()), {"from the server"})
        self.assertEqual(set(self.near()), {"from the server"})

        before = (self.far(), self.near())
        self.sync()
        self.assertEqual((self.far(), self.near()), before)

    def set_near(self, subject, flags):
        file, _ = self.near()[subject]
        file.rename(file.parent.parent / "cur" / (file.name.partition(":2,")[0] + ":2," + flags))

    def change_far(self, subject, flags, expunge=False):
        uid = self.far()[subject][0]
        self.client.uid("STORE", uid, "+FLAGS", f"({flags})")
        if expunge:
            self.assertEqual(self.client.expunge()[0], "OK")

    def test_a_message_changed_on_both_sides(self):
        subjects = ("other flags", "same flag", "gone from both", "gone here, changed there", "changed here, gone there")
        for subject in subjects:
            self.append(subject)
        self.sync()
        self.set_near("other flags", "S")
        self.change_far("other flags", r"\Flagged")
        self.set_near("same flag", "R")
        self.change_far("same flag", r"\Answered")
        self.near()["gone from both"][0].unlink()
        self.change_far("gone from both", r"\Deleted", expunge=True)
        self.near()["gone here, changed there"][0].unlink()
        self.change_far("gone here, changed there", r"\Seen")
        self.set_near("changed here, gone there", "F")
        self.change_far("changed here, gone there", r"\Deleted", expunge=True)
        self.sync()
        far, near = self.far(), self.near()
        self.assertEqual(set(far), {"other flags", "same flag"})
        self.assertEqual(set(near), set(far))
        for flag in (r"\Flagged", r"\Seen"):
            self.assertIn(flag, far["other flags"][1])
        self.assertIn(r"\Answered", far["same flag"][1])
        self.assertEqual({subject: set(flags) for subject, (_, flags) in near.items()}, {"other flags": set("FS"), "same flag": {"R"}})
        self.sync()
        self.assertEqual((self.far(), self.near()), (far, near))

    def test_a_few_hundred_messages(self):
        for number in range(150):
            self.append(f"far {number}")
        for number in range(150):
            self.write_near(f"near {number}")
        self.sync()
        self.assertEqual(len(self.far()), 300)
        self.assertEqual(len(self.near()), 300)


if __name__ == "__main__":
    unittest.main(verbosity=2)
