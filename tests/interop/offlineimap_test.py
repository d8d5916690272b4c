"""offlineimap keeps a maildir and an account the same in both directions: new mail, flags, deletions, new mailboxes."""

import unittest

import harness
from far_account import FarAccount
from harness import message

CONFIG = """
[general]
metadata = {folder}/state
accounts = all
maxsyncaccounts = 1
ui = basic

[Account all]
localrepository = near
remoterepository = far

[Repository near]
type = Maildir
localfolders = {folder}/mail
sync_deletes = yes

[Repository far]
type = IMAP
remotehost = localhost
remoteport = {imaps}
remoteuser = {user}
remotepass = {password}
ssl = yes
sslcacertfile = {certificate}
ssl_version = tls1_2
maxconnections = 2
expunge = yes
createfolders = yes
"""


def setUpModule():
    harness.need("offlineimap", "offlineimap3")


class OfflineimapTest(FarAccount):
    def setUp(self):
        super().setUp()
        self.mail = self.folder / "mail"
        self.config = self.write("offlineimaprc", CONFIG)

    def sync(self):
        self.run_client(["offlineimap", "-c", self.config, "-o"])

    def test_both_ways(self):
        self.append("from the server", flags="\\Flagged")
        self.append("for the archive", "Archive")
        self.ok(self.client.create("Birds/Pigeons"))
        self.append("homing", "Birds/Pigeons")
        self.sync()
        inbox = self.mail / "INBOX"
        self.assertEqual({s: set(flags) for s, (_, flags) in self.near(inbox).items()}, {"from the server": {"F"}})
        self.assertEqual(set(self.near(self.mail / "Archive")), {"for the archive"})
        self.assertEqual(set(self.near(self.mail / "Birds.Pigeons")), {"homing"})
        # offlineimap adds a field of its own to what it uploads, and none to what it downloads.
        self.assertEqual(self.near(inbox)["from the server"][0].read_text(), message("from the server").replace("\r\n", "\n"))

        self.write_near(inbox, "from the maildir", "S")
        self.write_near(self.mail / "Fresh", "in a new mailbox")
        self.append("second from the server")
        self.sync()
        everything = {"from the server", "from the maildir", "second from the server"}
        self.assertEqual(set(self.far()), everything)
        self.assertEqual(self.far()["from the maildir"], {"\\Seen"})
        self.assertEqual(set(self.near(inbox)), everything)
        self.assertEqual(set(self.far("Fresh")), {"in a new mailbox"})

        self.store("from the maildir", "+FLAGS", "\\Answered \\Flagged")
        self.set_near(inbox, "from the server", "RS")
        self.sync()
        self.assertEqual(set(self.near(inbox)["from the maildir"][1]), set("FRS"))
        self.assertEqual(self.far()["from the server"], {"\\Answered", "\\Seen"})

        self.expunge("from the maildir")
        self.near(inbox)["second from the server"][0].unlink()
        self.sync()
        self.assertEqual(set(self.far()), {"from the server"})
        self.assertEqual(set(self.near(inbox)), {"from the server"})

        before = (self.far(), self.near(inbox))
        self.sync()
        self.assertEqual((self.far(), self.near(inbox)), before)

    def test_a_message_changed_on_both_sides(self):
        for subject in ("flags", "gone here", "gone there", "gone from both"):
            self.append(subject)
        self.sync()
        inbox = self.mail / "INBOX"
        self.store("flags", "+FLAGS", "\\Flagged")
        self.set_near(inbox, "flags", "S")
        self.store("gone here", "+FLAGS", "\\Seen")
        self.near(inbox)["gone here"][0].unlink()
        self.set_near(inbox, "gone there", "F")
        self.expunge("gone there")
        self.near(inbox)["gone from both"][0].unlink()
        self.expunge("gone from both")
        self.sync()
        self.sync()
        far, near = self.far(), self.near(inbox)
        self.assertEqual(set(far), {"flags"})
        self.assertEqual(set(near), {"flags"})
        self.assertEqual(far["flags"], {"\\Flagged", "\\Seen"})
        self.assertEqual(set(near["flags"][1]), set("FS"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
