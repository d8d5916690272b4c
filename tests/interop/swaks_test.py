"""swaks as a sender: MX and submission, with and without TLS, pipelined and not."""

import subprocess
import unittest

import harness
from harness import PASSWORDS, address


class SwaksTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.swaks = harness.need("swaks", "swaks")
        cls.context = harness.running()
        cls.daemon = cls.context.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.context.__exit__(None, None, None)

    def run_swaks(self, kind, *arguments, status=0):
        done = subprocess.run(
            [self.swaks, "--server", "127.0.0.1", "--port", str(self.daemon.ports[kind]), "--helo", "client.example.net",
             "--timeout", "60", *arguments], capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout

    def to_bob(self, *arguments):
        return ["--from", "x@example.net", "--to", address("bob"), *arguments]

    def auth(self, user="alice", password=None):
        return ["--from", address(user), "--to", address("bob"), "--auth", "PLAIN", "--auth-user", address(user),
                "--auth-password", password or PASSWORDS[user]]

    def test_mx(self):
        self.run_swaks("smtp", *self.to_bob())

    def test_mx_pipelined_over_tls(self):
        self.run_swaks("smtp", *self.to_bob("--tls", "--pipeline"))

    def test_mx_refuses_relay_and_unknown_users(self):
        self.assertIn("550 5.7.1", self.run_swaks("smtp", "--from", "x@example.net", "--to", "y@elsewhere.example", status=24))
        self.assertIn("550 5.1.1", self.run_swaks("smtp", "--from", "x@example.net", "--to", "nobody@example.org", status=24))

    def test_submission(self):
        self.run_swaks("submission", "--tls", *self.auth())

    def test_login_mechanism(self):
        arguments = self.auth()
        arguments[arguments.index("PLAIN")] = "LOGIN"
        self.run_swaks("submission", "--tls", *arguments)

    def test_submissions(self):
        self.run_swaks("submissions", "--tls-on-connect", "--pipeline", *self.auth())

    def test_submission_without_tls_offers_no_authentication(self):
        self.run_swaks("submission", *self.auth(), status=28)

    def test_wrong_password(self):
        self.assertIn("535 5.7.8", self.run_swaks("submission", "--tls", *self.auth(password="wrong"), status=28))

    def test_attachment(self):
        self.run_swaks("smtp", *self.to_bob("--attach-type", "application/octet-stream", "--attach",
                                            "@" + str(self.daemon.certificate)))


if __name__ == "__main__":
    unittest.main(verbosity=2)
