"""curl as a mail program: sends over submission, reads over IMAP and POP3, each with STARTTLS and with implicit TLS."""

import subprocess
import unittest

import harness
from harness import PASSWORDS, address, message


class CurlTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.curl = harness.need("curl", "curl")
        cls.context = harness.running()
        cls.daemon = cls.context.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.context.__exit__(None, None, None)

    def run_curl(self, user, *arguments, stdin="", status=0):
        done = subprocess.run(
            [self.curl, "--silent", "--show-error", "--max-time", "60", "--ssl-reqd", "--cacert", str(self.daemon.certificate),
             "--user", f"{address(user)}:{PASSWORDS[user]}", *arguments],
            input=stdin, capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout

    def url(self, scheme, kind, path=""):
        return f"{scheme}://127.0.0.1:{self.daemon.ports[kind]}/{path}"

    def send(self, scheme, kind, subject):
        self.run_curl("alice", "--mail-from", address("alice"), "--mail-rcpt", address("bob"), "--upload-file", "-",
                      self.url(scheme, kind, "localhost"), stdin=message(subject, f"text of {subject}\r\n"))

    def test_sends_and_reads_with_starttls(self):
        self.send("smtp", "submission", "by starttls")
        uid = self.run_curl("bob", "--request", 'UID SEARCH SUBJECT "by starttls"', self.url("imap", "imap", "INBOX")).split()[-1]
        self.assertIn("text of by starttls", self.run_curl("bob", self.url("imap", "imap", f"INBOX;UID={uid}")))
        number = self.run_curl("bob", self.url("pop3", "pop3")).split()[-2]
        self.assertIn("text of", self.run_curl("bob", self.url("pop3", "pop3", number)))

    def test_sends_and_reads_with_implicit_tls(self):
        self.send("smtps", "submissions", "by implicit tls")
        uid = self.run_curl("bob", "--request", 'UID SEARCH SUBJECT "by implicit tls"', self.url("imaps", "imaps", "INBOX")).split()[-1]
        self.assertIn("text of by implicit tls", self.run_curl("bob", self.url("imaps", "imaps", f"INBOX;UID={uid}")))
        subject = self.run_curl("bob", self.url("imaps", "imaps", f"INBOX;UID={uid};SECTION=HEADER.FIELDS%20(SUBJECT)"))
        self.assertIn("Subject: by implicit tls", subject)
        number = self.run_curl("bob", self.url("pop3s", "pop3s")).split()[-2]
        self.assertIn("text of", self.run_curl("bob", self.url("pop3s", "pop3s", number)))

    def test_appends_over_imap(self):
        file = self.daemon.folder / "draft.eml"  # curl must know the size of what it appends
        file.write_bytes(message("a draft").encode())
        self.run_curl("alice", "--upload-file", str(file), self.url("imaps", "imaps", "Drafts"))
        self.assertIn("a draft", self.run_curl("alice", self.url("imaps", "imaps", "Drafts;MAILINDEX=1")))

    def test_lists_mailboxes(self):
        listing = self.run_curl("alice", self.url("imaps", "imaps"))
        for name in ("INBOX", "Drafts", "Sent", "Junk", "Trash", "Archive"):
            self.assertIn(name, listing)

    def test_wrong_password_is_curls_login_error(self):
        done = subprocess.run(
            [self.curl, "--silent", "--max-time", "60", "--cacert", str(self.daemon.certificate), "--user",
             f"{address('bob')}:wrong", self.url("imaps", "imaps")], capture_output=True, timeout=120)
        self.assertEqual(done.returncode, 67)


if __name__ == "__main__":
    unittest.main(verbosity=2)
