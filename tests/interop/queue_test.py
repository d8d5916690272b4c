"""`merpati queue` on a running daemon and on a stopped one."""

import smtplib
import unittest

import harness
from harness import Daemon, PASSWORDS, address
from delivery_test import ScriptedServer, eventually, polite


class QueueTest(unittest.TestCase):
    def setUp(self):
        self.open = False
        self.far = ScriptedServer(self.reply)
        self.addCleanup(self.far.close)
        self.daemon = Daemon(extra=f'[[route]]\ndomain = "*"\nhost = "127.0.0.1"\nport = {self.far.port}\n')
        self.addCleanup(self.daemon.remove)
        self.daemon.make_users()
        self.daemon.start()

    def reply(self, number, line):
        return polite(number, line) if self.open or not line.upper().startswith("MAIL") else b"451 4.7.1 come back later\r\n"

    def send(self, to, options=()):
        with smtplib.SMTP("127.0.0.1", self.daemon.ports["submission"], "localhost", timeout=60) as client:
            client.starttls(context=self.daemon.client_tls())
            client.login(address("alice"), PASSWORDS["alice"])
            client.sendmail(address("alice"), to, f"From: {address('alice')}\r\nSubject: x\r\n\r\nHello\r\n", options)

    def queue(self, *words, check=True):
        return self.daemon.command("queue", *words, check=check)

    def wait_for_answer(self):
        eventually(lambda: "come back later" in self.queue("list").stdout, "the first attempt")

    def test_list_why_and_retry(self):
        self.assertEqual(self.queue("list").stdout, "0 recipients wait\n")
        self.send(["bob@far.example", "eve@other.example"])
        self.wait_for_answer()
        listed = self.queue("list", "--domain", "far.example").stdout.splitlines()
        self.assertEqual(len(listed), 3, listed)
        self.assertIn("<alice@example.org> -> <bob@far.example>: 451 4.7.1 come back later", listed[1])
        self.assertEqual(listed[2], "1 recipient waits")
        row, message = listed[1].split()[:2]
        for name in (row, message, "bob@far.example"):
            why = self.queue("why", name).stdout
            self.assertIn("1 attempt so far.", why)
            self.assertIn("said: 451 4.7.1 come back later", why)
        self.open = True
        self.assertEqual(self.queue("retry", "--to", "BOB@far.example").stdout, "1 recipient\n")
        eventually(lambda: self.far.messages, "the second attempt")
        eventually(lambda: "1 recipient waits" in self.queue("list").stdout, "bob's is gone")
        self.assertNotEqual(self.queue("why", row, check=False).returncode, 0)
        self.daemon.stop()

    def test_hold_release_delete_bounce_also_while_it_is_stopped(self):
        self.send(["bob@far.example", "eve@far.example", "max@far.example"])
        self.wait_for_answer()
        self.assertEqual(self.queue("retry", check=False).returncode, 1)  # nothing was named
        self.assertEqual(self.queue("hold", "bob@far.example").stdout, "1 recipient\n")
        self.assertIn("held", self.queue("list", "bob@far.example").stdout)
        self.open = True
        self.queue("retry", "bob@far.example")
        self.daemon.stop()
        self.assertEqual(self.queue("delete", "max@far.example").stdout, "1 recipient\n")
        self.assertIn("It is held", self.queue("why", "bob@far.example").stdout)
        self.assertEqual(self.queue("bounce", "--said", "COME BACK", "--to", "eve@far.example").stdout, "1 recipient\n")
        self.daemon.start()
        report = eventually(lambda: self.daemon.messages("alice"), "eve's report")[0]
        self.assertIn(b"eve@far.example", report)
        self.assertIn(b"given it up", report)
        self.assertEqual(self.far.messages, [])
        self.queue("release", "--all")
        eventually(lambda: self.far.messages, "bob's")
        eventually(lambda: self.queue("list").stdout == "0 recipients wait\n", "an empty list")
        self.daemon.stop()
        self.assertEqual(len(self.far.messages), 1)

    def test_mail_for_later_waits_also_for_mailboxes_here(self):
        self.send([address("bob")], ["HOLDFOR=3600"])
        self.assertIn("in 59m", self.queue("list").stdout)
        self.assertIn("Its sender wants it to leave at", self.queue("why", address("bob")).stdout)
        self.assertEqual(self.daemon.messages("bob"), [])
        self.queue("retry", address("bob"))
        eventually(lambda: self.daemon.messages("bob"), "bob has it")
        self.assertEqual(self.queue("list").stdout, "0 recipients wait\n")
        self.daemon.stop()


if __name__ == "__main__":
    unittest.main()
