"""fetchmail takes mail away over POP3 and IMAP: once only, kept or removed, and word for word."""

import unittest

import harness
from far_account import FarAccount
from harness import message

# fetchmail looks at the name in the certificate, and `localhost` is one of them.
CONFIG = """
set idfile "{folder}/ids"
set no bouncemail
poll localhost with proto %s port {%s} uidl
  user "{user}" password "{password}" ssl sslproto "TLS1.2+" sslcertck sslcertfile "{certificate}"
  %s %s mda "{folder}/take"
"""


def setUpModule():
    harness.need("fetchmail", "fetchmail")


class FetchmailTest(FarAccount):
    def setUp(self):
        super().setUp()
        self.make_taker()

    def fetch(self, protocol, keep, folder="", allowed=(0,), options=()):
        text = CONFIG % (protocol, "pop3s" if protocol == "pop3" else "imaps", f"folder {folder}" if folder else "",
                         "keep" if keep else "nokeep")
        if protocol == "imap":
            text = text.replace(" uidl", "")
        return self.run_client(["fetchmail", "-f", self.write("fetchmailrc", text), "--nodetach", "--nosyslog", "--pidfile",
                                self.folder / "pid", *options], allowed, {"FETCHMAILHOME": str(self.folder)})

    def test_pop3_takes_what_is_new_and_leaves_it(self):
        self.append("one")
        self.append("two", body=".\r\n..two\r\n.\r\n\r\n")
        self.fetch("pop3", keep=True)
        self.assertEqual(self.taken()["two"], message("two", body=".\r\n..two\r\n.\r\n\r\n").replace("\r\n", "\n"))
        self.assertEqual(set(self.taken()), {"one", "two"})
        self.assertEqual(set(self.far()), {"one", "two"})
        self.fetch("pop3", keep=True, allowed=(1,))  # 1: no new mail
        self.append("three")
        self.fetch("pop3", keep=True)
        self.assertEqual(set(self.taken()), {"one", "two", "three"})
        self.assertEqual(set(self.far()), {"one", "two", "three"})

    def test_pop3_takes_and_removes(self):
        for number in range(25):
            self.append(f"number {number}")
        self.fetch("pop3", keep=False)
        self.assertEqual(set(self.taken()), {f"number {n}" for n in range(25)})
        self.assertEqual(self.far(), {})
        self.fetch("pop3", keep=False, allowed=(1,))

    def test_pop3_limit_leaves_the_large(self):
        self.append("small")
        self.append("large", body="0123456789\r\n" * 2000)
        self.fetch("pop3", keep=False, allowed=(0, 13), options=("--limit", "10000"))  # 13: some were too large
        self.assertEqual(set(self.taken()), {"small"})
        self.assertEqual(set(self.far()), {"large"})

    def test_imap_takes_the_unseen(self):
        self.append("old", flags="\\Seen")
        self.append("new")
        self.fetch("imap", keep=True)
        self.assertEqual(set(self.taken()), {"new"})
        self.assertEqual(self.far(), {"old": {"\\Seen"}, "new": {"\\Seen"}})
        self.assertEqual(self.taken()["new"], message("new").replace("\r\n", "\n"))
        self.fetch("imap", keep=True, allowed=(1,))

    def test_imap_takes_another_mailbox_and_removes(self):
        self.append("stays")
        self.append("goes", "Archive")
        self.append("goes too", "Archive")
        self.fetch("imap", keep=False, folder="Archive")
        self.assertEqual(set(self.taken()), {"goes", "goes too"})
        self.assertEqual(self.far("Archive"), {})
        self.assertEqual(self.far(), {"stays": set()})

    def test_wrong_password(self):
        self.append("stays")
        for protocol in ("pop3", "imap"):
            text = CONFIG % (protocol, "pop3s" if protocol == "pop3" else "imaps", "", "nokeep")
            rc = self.write("fetchmailrc", text.replace("{password}", "wrong"))
            said = self.run_client(["fetchmail", "-f", rc, "--nodetach", "--nosyslog", "--pidfile", self.folder / "pid"], (3,),
                                   {"FETCHMAILHOME": str(self.folder)})  # 3: user authentication failed
            self.assertIn("uthorization failure", said)
        self.assertEqual(set(self.far()), {"stays"})


if __name__ == "__main__":
    unittest.main(verbosity=2)
