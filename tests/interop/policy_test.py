"""What strangers have to bear, with a zone on a name server of the test: lists of addresses, reverse names, and what a dead
resolver changes. Clients get their addresses by a PROXY header."""

import unittest

import harness
import name_server
from harness import address
from talk import Talk

CONFIG = """
[[listener]]
kind = "smtp"
address = "127.0.0.1"
port = 0
proxy_from = ["127.0.0.1"]

[policy]
greet_pause_ms = 0

[[policy.dnsbl]]
zone = "bad.example"
answers = ["127.0.0.2"]

[[policy.dnswl]]
zone = "good.example"

[resolver]
forwarders = ["{place}"]
timeout_ms = 10000
"""

RECORDS = [
    ("66.2.0.192.bad.example", name_server.A, name_server.address("127.0.0.2")),
    ("67.2.0.192.bad.example", name_server.A, name_server.address("127.0.0.9")),  # another answer than the one that counts
    ("68.2.0.192.bad.example", name_server.A, name_server.address("127.0.0.2")),
    ("68.2.0.192.good.example", name_server.A, name_server.address("127.0.0.1")),
    ("44.2.0.192.in-addr.arpa", name_server.PTR, name_server.name("mail.friend.example")),
    ("mail.friend.example", name_server.A, name_server.address("192.0.2.44")),
    ("45.2.0.192.in-addr.arpa", name_server.PTR, name_server.name("mail.bank.example")),  # claims a name that is not its own
    ("mail.bank.example", name_server.A, name_server.address("192.0.2.99")),
]


class PolicyTest(unittest.TestCase):
    def site(self, records=RECORDS, failing=()):
        server = name_server.NameServer(records, failing)
        self.addCleanup(server.close)
        context = harness.running(extra=CONFIG.format(place=server.place))
        self.daemon = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return server

    def client(self, source):
        talk = Talk.connect(self, self.daemon.listeners[-1]["port"])
        talk.send(f"PROXY TCP4 {source} 192.0.2.1 40000 25\r\n".encode())
        self.assertTrue(talk.reply()[0].startswith("220 "))
        self.assertTrue(talk.say("EHLO client.example")[0].startswith("250"))
        self.assertEqual(talk.say("MAIL FROM:<carol@example.net>"), ["250 2.1.0 Ok"])
        return talk

    def rcpt(self, source, to="alice"):
        return self.client(source).say(f"RCPT TO:<{address(to)}>")[0]

    def test_lists_refuse_and_welcome(self):
        self.site()
        refused = "550 5.7.1 Client address is listed at bad.example"
        self.assertEqual(self.rcpt("192.0.2.66"), refused)
        self.assertEqual(self.rcpt("192.0.2.66", "postmaster")[:3], "250")
        self.assertEqual(self.rcpt("192.0.2.67")[:3], "250")
        self.assertEqual(self.rcpt("192.0.2.68")[:3], "250")
        self.assertEqual(self.rcpt("192.0.2.69")[:3], "250")
        self.assertEqual(self.daemon.metrics()['merpati_policy_refused_total{reason="listed"}'], 2)

    def test_only_confirmed_names_are_told(self):
        self.site()
        for source, told in (("192.0.2.44", "mail.friend.example [192.0.2.44]"), ("192.0.2.45", "[192.0.2.45]")):
            with self.subTest(source):
                talk = self.client(source)
                talk.say(f"RCPT TO:<{address('bob')}>")
                talk.say("DATA")
                self.assertTrue(talk.say(f"Subject: from {source}\r\n\r\nHello\r\n.")[0].startswith("250"))
                mail = next(text for text in self.daemon.messages("bob") if source.encode() in text.split(b"\r\n\r\n")[0])
                received = mail.split(b"Received: ", 1)[1].split(b"\r\n\tby")[0].decode()
                self.assertIn(told, received)
                self.assertNotIn("bank", received)

    def test_lists_that_fail_cost_no_mail(self):
        server = self.site(failing=["bad.example", "good.example", "in-addr.arpa"])
        self.assertEqual(self.rcpt("192.0.2.66")[:3], "250")
        self.assertIn(("66.2.0.192.bad.example", name_server.A), server.asked)


if __name__ == "__main__":
    unittest.main()
