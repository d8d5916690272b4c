"""POP3 through Python's poplib: STLS and implicit TLS, all of RFC 1939 and UIDL, the lock, deletion at QUIT only."""

import hashlib
import poplib
import smtplib
import unittest

import harness
import scram_client
from harness import PASSWORDS, address, message


class Pop3Test(unittest.TestCase):
    def setUp(self):
        self.context = harness.running()
        self.daemon = self.context.__enter__()
        with smtplib.SMTP("127.0.0.1", self.daemon.ports["smtp"], "localhost", timeout=60) as client:
            for number in (1, 2, 3):
                client.sendmail("x@example.net", [address("bob")], message(f"number {number}", f"Body {number}\r\n.dot\r\n" * number))

    def tearDown(self):
        self.context.__exit__(None, None, None)

    def login(self, user="bob"):
        client = poplib.POP3_SSL("127.0.0.1", self.daemon.ports["pop3s"], timeout=60, context=self.daemon.client_tls())
        self.addCleanup(client.close)
        client.user(address(user))
        client.pass_(PASSWORDS[user])
        return client

    def test_whole_session(self):
        client = self.login()
        count, octets = client.stat()
        self.assertEqual(count, 3)
        listed = [tuple(map(int, line.split())) for line in client.list()[1]]
        self.assertEqual(sum(size for _, size in listed), octets)
        self.assertEqual(client.list(2).decode().split()[-2:], [str(part) for part in listed[1]])
        for number, size in listed:
            lines = client.retr(number)[1]
            self.assertEqual(sum(len(line) + 2 for line in lines), size)
            self.assertEqual(lines[-2:], [f"Body {number}".encode(), b".dot"])
        top = client.top(3, 1)[1]
        self.assertEqual(top[-1], b"Body 3")
        self.assertIn(b"Subject: number 3", top)
        self.assertEqual(client.top(3, 0)[1][-1], b"")
        identifiers = [line.split()[1] for line in client.uidl()[1]]
        self.assertEqual(len(set(identifiers)), 3)
        self.assertEqual(client.uidl(1).split()[-1], identifiers[0])
        self.assertTrue(client.noop().startswith(b"+OK"))
        with self.assertRaises(poplib.error_proto):
            client.retr(4)
        client.dele(2)
        with self.assertRaises(poplib.error_proto):
            client.retr(2)
        self.assertEqual(client.stat()[0], 2)
        client.rset()
        self.assertEqual(client.stat()[0], 3)
        client.dele(1)
        self.assertTrue(client.quit().startswith(b"+OK"))
        again = self.login()
        self.assertEqual([line.split()[1] for line in again.uidl()[1]], identifiers[1:])

    def test_nothing_is_deleted_without_quit(self):
        client = self.login()
        client.dele(1)
        client.close()
        self.assertEqual(self.reopened().stat()[0], 3)

    def reopened(self):
        """The lock of a connection that just broke is held until the daemon has seen the end of it."""
        for _ in range(200):
            try:
                return self.login()
            except poplib.error_proto as refusal:
                if b"IN-USE" not in refusal.args[0]:
                    raise
        self.fail("the mailbox stays locked after its connection is gone")

    def test_the_mailbox_is_for_one_at_a_time(self):
        self.login()
        with self.assertRaisesRegex(poplib.error_proto, "IN-USE"):
            self.login()

    def test_scram(self):
        client = poplib.POP3_SSL("127.0.0.1", self.daemon.ports["pop3s"], timeout=60, context=self.daemon.client_tls())
        self.addCleanup(client.close)
        self.assertIn("SCRAM-SHA-256-PLUS", client.capa()["SASL"])
        exchange = scram_client.Exchange(address("bob"), PASSWORDS["bob"], hashlib.sha256(client.sock.getpeercert(True)).digest())

        def say(line):
            client._putcmd(line)
            return client._getline()[0].decode()

        challenge = say(f"AUTH {exchange.mechanism} {exchange.first()}")
        final = say(exchange.proof(challenge.removeprefix("+ ")))
        self.assertTrue(exchange.is_server(final.removeprefix("+ ")))
        self.assertTrue(say("").startswith("+OK 3 messages"))

    def test_wrong_password(self):
        client = poplib.POP3_SSL("127.0.0.1", self.daemon.ports["pop3s"], timeout=60, context=self.daemon.client_tls())
        self.addCleanup(client.close)
        client.user(address("bob"))
        with self.assertRaisesRegex(poplib.error_proto, "AUTH"):
            client.pass_("wrong")

    def test_stls(self):
        client = poplib.POP3("127.0.0.1", self.daemon.ports["pop3"], timeout=60)
        self.addCleanup(client.close)
        self.assertIn("STLS", client.capa())
        with self.assertRaises(poplib.error_proto):
            client.user(address("bob"))
            client.pass_(PASSWORDS["bob"])
        client.stls(context=self.daemon.client_tls())
        capabilities = client.capa()
        for name in ("UIDL", "TOP", "USER", "RESP-CODES", "PIPELINING"):
            self.assertIn(name, capabilities)
        self.assertNotIn("STLS", capabilities)
        client.user(address("bob"))
        client.pass_(PASSWORDS["bob"])
        self.assertEqual(client.stat()[0], 3)


if __name__ == "__main__":
    unittest.main(verbosity=2)
