"""getmail6 takes mail over POP3 and IMAP: all or what is new, kept or removed."""

import unittest

import harness
from far_account import FarAccount
from harness import message

CONFIG = """
[retriever]
type = Simple%sSSLRetriever
server = localhost
port = {%s}
username = {user}
password = {password}
ca_certs = {certificate}
%s
[destination]
type = MDA_external
path = {folder}/take
unixfrom = false
allow_root_commands = true

[options]
read_all = %s
delete = %s
delivered_to = false
received = false
"""


def setUpModule():
    harness.need("getmail", "getmail6")


class GetmailTest(FarAccount):
    def setUp(self):
        super().setUp()
        self.make_taker()

    def fetch(self, protocol, read_all=False, delete=False, extra=""):
        self.write("getmailrc", CONFIG % (protocol, "pop3s" if protocol == "POP3" else "imaps", extra, read_all, delete))
        return self.run_client(["getmail", "--getmaildir", self.folder, "--rcfile", "getmailrc"])

    def test_pop3(self):
        self.append("one", body="Dots:\r\n.\r\n..\r\n")
        self.append("two")
        self.fetch("POP3")
        self.assertEqual(set(self.taken()), {"one", "two"})
        self.assertEqual(self.taken()["one"], message("one", body="Dots:\r\n.\r\n..\r\n").replace("\r\n", "\n"))
        self.append("three")
        self.fetch("POP3")  # taken() refuses a message that came twice
        self.assertEqual(set(self.taken()), {"one", "two", "three"})
        self.assertEqual(set(self.far()), {"one", "two", "three"})
        self.fetch("POP3", delete=True)
        self.assertEqual(self.far(), {})

    def test_imap(self):
        self.append("one")
        self.append("of the archive", "Archive")
        mailboxes = 'mailboxes = ("INBOX", "Archive")'
        self.fetch("IMAP", extra=mailboxes)
        self.assertEqual(set(self.taken()), {"one", "of the archive"})
        self.append("two")
        self.fetch("IMAP", extra=mailboxes)
        self.assertEqual(set(self.taken()), {"one", "two", "of the archive"})
        self.assertEqual(set(self.far()), {"one", "two"})
        self.fetch("IMAP", delete=True, extra=mailboxes + "\nmove_on_delete = Trash")
        self.assertEqual(self.far(), {})
        self.assertEqual(self.far("Archive"), {})
        self.assertEqual(set(self.far("Trash")), {"one", "two", "of the archive"})

    def test_many(self):
        for number in range(60):
            self.append(f"number {number}")
        self.fetch("POP3", read_all=True, delete=True)
        self.assertEqual(set(self.taken()), {f"number {n}" for n in range(60)})
        self.assertEqual(self.far(), {})


if __name__ == "__main__":
    unittest.main(verbosity=2)
