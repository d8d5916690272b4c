"""SMTP through Python's smtplib: the MX listener, submission with STARTTLS and AUTH, submissions."""

import base64
import hashlib
import imaplib
import smtplib
import socket
import unittest

import harness
import scram_client
from harness import PASSWORDS, address, message


class SmtpTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.context = harness.running(limits={"message_bytes": 1_000_000})
        cls.daemon = cls.context.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.context.__exit__(None, None, None)

    def mx(self):
        client = smtplib.SMTP("127.0.0.1", self.daemon.ports["smtp"], "client.example.net", timeout=60)
        self.addCleanup(client.close)
        client.ehlo()
        return client

    def submission(self, login=True):
        client = smtplib.SMTP("127.0.0.1", self.daemon.ports["submission"], "localhost", timeout=60)
        self.addCleanup(client.close)
        client.starttls(context=self.daemon.client_tls())
        client.ehlo()
        if login:
            client.login(address("alice"), PASSWORDS["alice"])
        return client

    def assertReply(self, reply, code, text=b""):
        self.assertEqual(reply[0], code, reply)
        self.assertIn(text, reply[1])

    def stored(self, user, subject):
        """Octets of the messages in INBOX with this subject."""
        with imaplib.IMAP4_SSL("127.0.0.1", self.daemon.ports["imaps"], ssl_context=self.daemon.client_tls()) as client:
            client.login(address(user), PASSWORDS[user])
            client.select("INBOX", readonly=True)
            _, found = client.search(None, "SUBJECT", f'"{subject}"')
            return [client.fetch(number, "(BODY.PEEK[])")[1][0][1] for number in found[0].split()]

    # AUTH

    def scram(self, client, user, password, binding=None):
        """The last reply, and whether the server proved itself."""
        exchange = scram_client.Exchange(address(user), password, binding)
        code, text = client.docmd("AUTH", exchange.mechanism + " " + exchange.first())
        if code == 334:
            code, text = client.docmd(exchange.proof(text))
        if code != 334:
            return (code, text), False
        return client.docmd(""), exchange.is_server(text)

    def test_scram_with_and_without_channel_binding(self):
        client = self.submission(login=False)
        self.assertIn("SCRAM-SHA-256-PLUS", client.esmtp_features["auth"].split())
        reply, _ = self.scram(client, "alice", "wrong")
        self.assertReply(reply, 535, b"5.7.8")
        reply, _ = self.scram(client, "nobody", "wrong")
        self.assertReply(reply, 535, b"5.7.8")
        reply, proven = self.scram(client, "alice", PASSWORDS["alice"])
        self.assertReply(reply, 235, b"2.7.0")
        self.assertTrue(proven)
        bound = self.submission(login=False)
        certificate = hashlib.sha256(bound.sock.getpeercert(True)).digest()
        reply, _ = self.scram(bound, "alice", PASSWORDS["alice"], b"another certificate")
        self.assertReply(reply, 535, b"5.7.8")
        reply, proven = self.scram(bound, "alice", PASSWORDS["alice"], certificate)
        self.assertReply(reply, 235, b"2.7.0")
        self.assertTrue(proven)
        bound.sendmail(address("alice"), [address("bob")], message("bound"))

    def test_login_as_smtplib_speaks_it(self):
        client = self.submission(login=False)
        client.user, client.password = address("alice"), PASSWORDS["alice"]
        self.assertReply(client.auth("LOGIN", client.auth_login), 235)

    # LMTP

    def test_lmtp_answers_for_each_recipient(self):
        client = smtplib.LMTP("127.0.0.1", self.daemon.ports["lmtp"], "front.example", timeout=60)
        self.addCleanup(client.close)
        refused = client.sendmail("x@example.net", [address("alice"), "nobody@example.org", address("bob")],
                                  message("through lmtp"))
        self.assertEqual(list(refused), ["nobody@example.org"])
        for user in "alice", "bob":
            self.assertRegex(self.stored(user, "through lmtp")[0], rb"with LMTP")

    # MX

    def test_greeting_and_ehlo_name_us_and_what_we_offer(self):
        client = self.mx()
        self.assertIn(harness.HOSTNAME.encode(), client.ehlo_resp)
        for extension in ("pipelining", "8bitmime", "enhancedstatuscodes", "starttls", "size"):
            self.assertTrue(client.has_extn(extension), extension)
        self.assertEqual(client.esmtp_features["size"], "1000000")
        self.assertFalse(client.has_extn("auth"), "AUTH is not for strangers")

    def test_a_stranger_delivers_to_a_local_user(self):
        sent = message("from a stranger", "Line\r\n..two dots\r\n.\r\nafter the lone dot\r\n")
        self.mx().sendmail("someone@example.net", [address("bob")], sent)
        (octets,) = self.stored("bob", "from a stranger")
        self.assertTrue(octets.endswith(sent.encode()), octets)
        head = octets[: -len(sent)]
        self.assertTrue(head.startswith(b"Return-Path: <someone@example.net>\r\n"), head)
        self.assertIn(b"Received: from client.example.net ", head)
        self.assertRegex(head, rb"\swith ESMTP\s")

    def test_both_recipients_get_it(self):
        self.mx().sendmail("someone@example.net", [address("alice"), address("bob")], message("for both"))
        self.assertEqual(len(self.stored("alice", "for both")), 1)
        self.assertEqual(len(self.stored("bob", "for both")), 1)

    def test_null_sender_is_accepted(self):
        self.mx().sendmail("", [address("bob")], message("a bounce"))
        self.assertTrue(self.stored("bob", "a bounce")[0].startswith(b"Return-Path: <>\r\n"))

    def test_eight_bit_octets_arrive_unchanged(self):
        sent = message("eight bit", "Grüße, 世界\r\n").encode()
        self.mx().sendmail("someone@example.net", [address("bob")], sent, ["BODY=8BITMIME"])
        self.assertTrue(self.stored("bob", "eight bit")[0].endswith(sent))

    def test_unknown_user_and_relay_are_refused(self):
        client = self.mx()
        client.mail("someone@example.net")
        self.assertReply(client.rcpt("nobody@example.org"), 550, b"5.1.1")
        self.assertReply(client.rcpt("someone@elsewhere.example"), 550, b"5.7.1")
        self.assertReply(client.rcpt("postmaster@elsewhere.example"), 550, b"5.7.1")
        self.assertReply(client.docmd("DATA"), 554, b"5.5.1")  # RFC 5321 3.3

    def test_a_refused_recipient_does_not_harm_the_other(self):
        refused = self.mx().sendmail("someone@example.net", [address("bob"), "nobody@example.org"], message("half refused"))
        self.assertEqual(list(refused), ["nobody@example.org"])
        self.assertEqual(len(self.stored("bob", "half refused")), 1)

    def test_order_and_syntax(self):
        client = self.mx()
        self.assertReply(client.docmd("RCPT", "TO:<bob@example.org>"), 503)
        self.assertReply(client.docmd("DATA"), 503)
        self.assertReply(client.docmd("MAIL", "FROM:bob example"), 501)
        self.assertReply(client.docmd("MAIL", "FROM:<a@example.net> NOSUCH=1"), 555)
        self.assertReply(client.docmd("FROB"), 500)
        self.assertReply(client.docmd("VRFY", "bob"), 252)
        self.assertReply(client.noop(), 250)
        self.assertReply(client.mail("a@example.net"), 250)
        self.assertReply(client.docmd("MAIL", "FROM:<b@example.net>"), 503)
        self.assertReply(client.rset(), 250)
        self.assertReply(client.docmd("RCPT", "TO:<bob@example.org>"), 503)
        self.assertReply(client.quit(), 221)

    def test_size_declared_and_actual(self):
        client = self.mx()
        self.assertReply(client.docmd("MAIL", "FROM:<a@example.net> SIZE=1000001"), 552, b"5.3.4")
        client.mail("a@example.net")
        client.rcpt(address("bob"))
        line = "x" * 998 + "\r\n"
        with self.assertRaises(smtplib.SMTPDataError) as refusal:
            code, text = client.data(message("too large", line * 1100))
            raise smtplib.SMTPDataError(code, text)
        self.assertEqual(refusal.exception.smtp_code, 552)
        self.assertIn(b"5.3.4", refusal.exception.smtp_error)
        self.assertEqual(self.stored("bob", "too large"), [])
        self.assertReply(client.noop(), 250)

    def test_bare_line_feed_smuggles_nothing(self):
        with socket.create_connection(("127.0.0.1", self.daemon.ports["smtp"]), timeout=60) as raw, raw.makefile("rb") as lines:
            lines.readline()
            for command in (b"HELO x", b"MAIL FROM:<a@example.net>", b"RCPT TO:<bob@example.org>", b"DATA"):
                raw.sendall(command + b"\r\n")
                lines.readline()
            raw.sendall(b"Subject: smuggler\r\n\r\nfirst\n.\nMAIL FROM:<evil@example.net>\r\n.\r\n")
            self.assertTrue(lines.readline().startswith(b"550 5.5.2"))
        self.assertEqual(self.stored("bob", "smuggler"), [])

    def test_pipelined_transaction(self):
        with socket.create_connection(("127.0.0.1", self.daemon.ports["smtp"]), timeout=60) as raw, raw.makefile("rb") as lines:
            lines.readline()
            raw.sendall(b"EHLO x\r\n")
            while lines.readline()[3:4] == b"-":
                pass
            raw.sendall(b"MAIL FROM:<a@example.net>\r\nRCPT TO:<bob@example.org>\r\nRCPT TO:<nobody@example.org>\r\nDATA\r\n")
            self.assertEqual([lines.readline()[:3] for _ in range(4)], [b"250", b"250", b"550", b"354"])
            raw.sendall(message("pipelined").encode() + b".\r\nNOOP\r\nQUIT\r\n")
            self.assertEqual([lines.readline()[:3] for _ in range(3)], [b"250", b"250", b"221"])
            self.assertEqual(lines.readline(), b"")
        self.assertEqual(len(self.stored("bob", "pipelined")), 1)

    def test_starttls_on_mx(self):
        client = self.mx()
        self.assertReply(client.starttls(context=self.daemon.client_tls()), 220)
        client.ehlo()
        self.assertFalse(client.has_extn("starttls"))
        client.sendmail("someone@example.net", [address("bob")], message("over tls"))
        self.assertRegex(self.stored("bob", "over tls")[0], rb"\swith ESMTPS\s")

    def test_what_was_said_before_tls_is_forgotten(self):
        client = self.mx()
        client.mail("a@example.net")
        client.starttls(context=self.daemon.client_tls())
        client.ehlo()
        self.assertReply(client.docmd("RCPT", "TO:<bob@example.org>"), 503)

    # Submission

    def test_submission_needs_tls_and_authentication(self):
        client = smtplib.SMTP("127.0.0.1", self.daemon.ports["submission"], "localhost", timeout=60)
        self.addCleanup(client.close)
        client.ehlo()
        self.assertFalse(client.has_extn("auth"))
        plain = base64.b64encode(f"\0{address('alice')}\0{PASSWORDS['alice']}".encode()).decode()
        self.assertIn(client.docmd("AUTH", "PLAIN " + plain)[0], (538, 530))
        self.assertReply(client.mail(address("alice")), 530)
        secure = self.submission(login=False)
        self.assertTrue(secure.has_extn("auth"))
        self.assertReply(secure.mail(address("alice")), 530, b"5.7.0")

    def test_wrong_password(self):
        client = self.submission(login=False)
        for user, password in ((address("alice"), "wrong"), ("nobody@example.org", "wrong")):
            with self.assertRaises(smtplib.SMTPAuthenticationError) as refusal:
                client.login(user, password)
            self.assertEqual(refusal.exception.smtp_code, 535)
            self.assertIn(b"5.7.8", refusal.exception.smtp_error)

    def test_alice_writes_to_bob(self):
        client = self.submission()
        client.sendmail(address("alice"), [address("bob")], message("submitted"))
        self.assertRegex(self.stored("bob", "submitted")[0], rb"\swith ESMTPSA\s")

    def test_users_may_send_elsewhere_under_their_own_address_only(self):
        client = self.submission()
        self.assertReply(client.mail(address("bob")), 550, b"5.7.1")
        client.sendmail(address("alice"), ["someone@elsewhere.example", address("bob")], message("going out"))
        self.assertEqual(len(self.stored("bob", "going out")), 1)
        client.mail(address("alice"))
        client.rcpt(address("bob"))
        self.assertReply(client.data(message("forged", sender="bob")), 550, b"5.7.1")

    def test_what_an_alias_leads_to_and_is_gone_is_in_the_log(self):
        self.daemon.command("alias", "set", address("both"), address("bob"), address("gone"))
        self.mx().sendmail("outside@example.net", [address("both")], message("one of two is gone"))
        self.assertEqual(len(self.stored("bob", "one of two is gone")), 1)
        lines = [line for line in self.daemon.log.read_text().splitlines() if address("gone") in line]
        self.assertEqual(len(lines), 1, lines)
        self.assertRegex(lines[0], r" info smtp: message \w+ was not sent to what does not exist any more: "
                                   rf"{address('gone')} of {address('both')};")

    def test_many_messages_in_one_session(self):
        client = self.submission()
        for number in range(20):
            client.sendmail(address("alice"), [address("bob")], message(f"one of many {number}"))
        self.assertEqual(len(self.stored("bob", "one of many")), 20)

    def test_submissions_is_tls_from_the_first_octet(self):
        with smtplib.SMTP_SSL("127.0.0.1", self.daemon.ports["submissions"], "localhost", timeout=60,
                              context=self.daemon.client_tls()) as client:
            client.login(address("bob"), PASSWORDS["bob"])
            client.sendmail(address("bob"), [address("alice")], message("implicit", sender="bob", to="alice"))
        self.assertEqual(len(self.stored("alice", "implicit")), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
