"""Mail programs of others as senders: msmtp, and Postfix's smtp-source with many connections at a time."""

import os
import shutil
import subprocess
import unittest

import harness
from harness import PASSWORDS, address, message


class MsmtpTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.program = harness.need("msmtp", "msmtp")
        cls.context = harness.running()
        cls.daemon = cls.context.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.context.__exit__(None, None, None)

    def send(self, subject, *options, kind="submission", password=PASSWORDS["alice"]):
        command = [self.program, "--host=localhost", f"--port={self.daemon.ports[kind]}", "--tls=on",
                   f"--tls-trust-file={self.daemon.certificate}", f"--user={address('alice')}",
                   f"--from={address('alice')}", f"--passwordeval=printf '%s' '{password}'", "--file=/dev/null", *options,
                   address("bob")]
        if kind == "submission":
            command.insert(1, "--tls-starttls=on")
        else:
            command.insert(1, "--tls-starttls=off")
        return subprocess.run(command, input=message(subject).replace("\r\n", "\n"), text=True, capture_output=True,
                              timeout=120)

    def arrived(self, subject):
        return [text for text in self.daemon.messages("bob") if f"Subject: {subject}\r\n".encode() in text]

    def test_login_by_each_mechanism(self):
        for mechanism in ("plain", "login", "scram-sha-256", "scram-sha-256-plus"):
            done = self.send(f"by {mechanism}", f"--auth={mechanism}")
            if "not supported by" in done.stderr or "unsupported" in done.stderr or "invalid" in done.stderr:
                print(f"SKIPPED: this msmtp has no {mechanism}: {done.stderr.strip()}")
                continue
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(len(self.arrived(f"by {mechanism}")), 1)

    def test_implicit_tls(self):
        done = self.send("implicit", "--auth=plain", kind="submissions")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(self.arrived("implicit")), 1)

    def test_wrong_password(self):
        done = self.send("never", "--auth=plain", password="wrong")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("535", done.stderr)

    def test_wish_for_a_report(self):
        done = self.send("noted", "--auth=plain", "--dsn-notify=failure,delay", "--dsn-return=headers")
        self.assertEqual(done.returncode, 0, done.stderr)


class SmtpSourceTest(unittest.TestCase):
    def test_many_connections_at_a_time(self):
        program = shutil.which("smtp-source", path=os.environ.get("PATH", "") + ":/usr/sbin")
        if not program:
            print("SKIPPED: smtp-source is not installed (Debian package postfix)")
            raise unittest.SkipTest("no smtp-source")
        for options in (["-s", "20", "-m", "200"], ["-s", "20", "-m", "200", "-d"]):
            with harness.running() as daemon:
                done = subprocess.run([program, "-4", *options, "-l", "4000", "-f", "carol@example.net",
                                       "-t", address("alice"), f"127.0.0.1:{daemon.ports['smtp']}"],
                                      capture_output=True, text=True, timeout=240, cwd="/tmp")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(len(daemon.messages("alice")), 200)


if __name__ == "__main__":
    unittest.main()
