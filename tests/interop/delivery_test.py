"""Mail on its way out: to another Merpati, to servers that refuse, wait, lie or break off, through a restart by SIGKILL."""

import base64
import contextlib
import email
import select
import smtplib
import socket
import threading
import time
import unittest

import harness
from harness import Daemon, PASSWORDS, address

DEADLINE_S = 60


def eventually(condition, what):
    """Asks until it holds; other processes and the network need their time."""
    end = time.monotonic() + DEADLINE_S
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {DEADLINE_S} s: {what}")
        select.select([], [], [], 0.05)


class ScriptedServer:
    """A server on a free port that answers each line by a function: reply(connection number, line) -> octets, or None to
    hang up. Lines of a message come as one: everything up to the dot."""

    def __init__(self, reply, greeting=b"220 scripted ESMTP\r\n", hangs_up=lambda word: False):
        self.hangs_up = hangs_up  # after the reply to what was said
        self.reply, self.greeting = reply, greeting
        self.heard = []
        self.messages = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        for number in range(1000):
            try:
                connected, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(number, connected), daemon=True).start()

    def talk(self, number, connected):
        with contextlib.suppress(OSError), connected, connected.makefile("rb") as lines:
            connected.sendall(self.greeting)
            in_data = False
            message = b""
            while line := lines.readline(10_000):
                if in_data and line != b".\r\n":
                    message += line
                    continue
                word = b"DOT" if in_data else line.strip()
                self.heard.append((number, word.decode("ascii", "replace")))
                answer = self.reply(number, word.decode("ascii", "replace"))
                if answer is None:
                    return
                if in_data and answer.startswith(b"2") and message:  # a dot alone answers a needless 354
                    self.messages.append(message)
                in_data = word.upper() == b"DATA" and answer.startswith(b"354")
                message = b""
                connected.sendall(answer)
                if self.hangs_up(word):
                    return

    def close(self):
        self.listener.close()


def polite(number, line):
    verb = line.split(" ")[0].upper()
    return {"EHLO": b"250-scripted\r\n250 PIPELINING\r\n", "DATA": b"354 go\r\n", "QUIT": b"221 bye\r\n"}.get(verb, b"250 ok\r\n")


class DeliveryTest(unittest.TestCase):
    def server(self, reply, **options):
        made = ScriptedServer(reply, **options)
        self.addCleanup(made.close)
        return made

    def site(self, routes, settings="first_retry_seconds = 1\nlongest_retry_seconds = 1"):
        """A daemon for near.example with carol, and routes domain -> port."""
        extra = "[delivery]\n" + settings + "\n"
        for domain, port in routes.items():
            extra += f'[[route]]\ndomain = "{domain}"\nhost = "127.0.0.1"\nport = {port}\n'
        daemon = Daemon(extra=extra)
        self.addCleanup(daemon.remove)
        daemon.make_users()
        daemon.start()
        return daemon

    def send(self, daemon, to, subject="hello", options=(), rcpt_options=(), text=None):
        with smtplib.SMTP("127.0.0.1", daemon.ports["submission"], "localhost", timeout=60) as client:
            client.starttls(context=daemon.client_tls())
            client.login(address("alice"), PASSWORDS["alice"])
            text = text or f"From: {address('alice')}\r\nSubject: {subject}\r\n\r\nHello\r\n.dot\r\n"
            client.sendmail(address("alice"), to, text, options, rcpt_options)

    def test_success_in_a_mailbox_here_is_told_to_who_asked(self):
        daemon = self.site({})
        self.send(daemon, [address("bob")], rcpt_options=["NOTIFY=SUCCESS", "ORCPT=rfc822;" + address("bob")])
        self.assertEqual(len(eventually(lambda: daemon.messages("bob"), "bob has it")), 1)
        report = eventually(lambda: daemon.messages("alice"), "alice has a report")[0].decode()
        self.assertIn("Return-Path: <>", report)
        self.assertIn(f"Original-Recipient: rfc822; {address('bob')}\r\n"
                      f"Final-Recipient: rfc822; {address('bob')}\r\nAction: delivered\r\nStatus: 2.0.0\r\n", report)
        daemon.stop()
        self.assertEqual(len(daemon.command("queue", "list").stdout.splitlines()), 1)

    def test_to_another_server_and_what_it_refuses_comes_back(self):
        with harness.running() as far:
            daemon = self.site({"far.example": far.ports["smtp"]})
            far.command("domain", "add", "far.example")
            far.command("alias", "set", "bob@far.example", address("bob"))
            self.send(daemon, ["bob@far.example", "nobody@far.example"])
            got = eventually(lambda: far.messages("bob"), "bob has it")
            self.assertEqual(len(got), 1)
            self.assertIn(b"\r\nHello\r\n.dot\r\n", got[0])
            self.assertEqual(got[0].count(b"Received:"), 2)
            report = eventually(lambda: daemon.messages("alice"), "alice has a report")[0].decode()
            self.assertIn("Return-Path: <>", report)
            self.assertIn("Final-Recipient: rfc822; nobody@far.example\r\nAction: failed\r\nStatus: 5.1.1", report)
            self.assertNotIn("bob@far.example", report.split("message/delivery-status")[1])
            self.assertIn("Subject: hello", report)
            told = eventually(lambda: (m := daemon.metrics())['merpati_delivery_results_total{result="failed"}'] and m,
                              "the failure is counted")
            self.assertEqual(told['merpati_delivery_results_total{result="delivered"}'], 1)
            self.assertEqual(told['merpati_delivery_destination_results_total{destination="far.example",result="failed"}'], 1)
            self.assertEqual(told['merpati_delivery_recipients'], 0)
            daemon.stop()

    def test_a_refusal_for_now_is_tried_again(self):
        times = {"RCPT": 0}

        def reply(number, line):
            if line.upper().startswith("RCPT"):
                times["RCPT"] += 1
                if times["RCPT"] == 1:
                    return b"451 4.7.1 greylisted\r\n"
            if line.upper() == "DATA" and times["RCPT"] == 1:
                return b"503 5.5.1 no recipients\r\n"
            return polite(number, line)

        far = self.server(reply)
        daemon = self.site({"far.example": far.port})
        self.send(daemon, ["bob@far.example"])
        eventually(lambda: far.messages, "the second attempt")
        self.assertEqual(times["RCPT"], 2)
        daemon.stop()
        self.assertEqual(len(far.messages), 1)

    def test_servers_that_lie_or_break_off_get_it_later(self):
        attempts = {"n": 0}
        broken = [None, b"hello there\r\n", b"250-" + b"x" * 5000 + b"\r\n", b"99\r\n", b"250-a\r\n" * 500, b"\x00\xff\r\n"]

        def reply(number, line):
            if number < len(broken):
                if line.upper().startswith("MAIL"):
                    attempts["n"] += 1
                    return broken[number]
            return polite(number, line)

        far = self.server(reply)
        daemon = self.site({"far.example": far.port})
        self.send(daemon, ["bob@far.example"])
        eventually(lambda: far.messages, "the attempt that is answered well")
        self.assertEqual(attempts["n"], len(broken))
        daemon.stop()
        self.assertEqual(len(far.messages), 1)

    def test_where_tls_fails_mail_goes_without(self):
        def reply(number, line):
            if line.upper().startswith("EHLO"):
                return b"250-scripted\r\n250 STARTTLS\r\n"
            if line.upper() == "STARTTLS":
                return b"220 go\r\n" if number == 0 else b"454 no\r\n"
            return b"this is no TLS\r\n" if number == 0 else polite(number, line)

        far = self.server(reply)
        daemon = self.site({"far.example": far.port}, "first_retry_seconds = 3600")
        self.send(daemon, ["bob@far.example"])
        eventually(lambda: far.messages, "the attempt without TLS")
        self.assertNotIn("STARTTLS", [line for number, line in far.heard if number == 1])
        daemon.stop()

    def test_a_message_whose_reply_is_lost_is_sent_again(self):
        def reply(number, line):
            return None if line == "DOT" and number == 0 else polite(number, line)

        far = self.server(reply)
        daemon = self.site({"far.example": far.port})
        self.send(daemon, ["bob@far.example"])
        eventually(lambda: far.messages, "the repetition")
        daemon.stop()
        self.assertIn("may reach <bob@far.example> twice", daemon.log.read_text())

    def test_a_server_that_takes_the_message_and_hangs_up_has_it_once(self):
        far = self.server(polite, hangs_up=lambda word: word == b"DOT")
        daemon = self.site({"far.example": far.port})
        for i in range(20):
            self.send(daemon, ["bob@far.example"], subject=f"number {i}")
        eventually(lambda: daemon.command("queue", "list").stdout == "0 recipients wait\n", "an empty list")
        daemon.stop()
        self.assertEqual(sorted(m.split(b"Subject: ")[1].split(b"\r\n")[0] for m in far.messages),
                         sorted(f"number {i}".encode() for i in range(20)))

    def test_a_dead_destination_delays_no_other(self):
        dead = self.server(lambda number, line: b"", greeting=b"")  # takes connections and says nothing
        far = self.server(polite)
        daemon = self.site({"dead.example": dead.port, "far.example": far.port})
        for i in range(10):
            self.send(daemon, ["x@dead.example"])
        self.send(daemon, ["bob@far.example"])
        eventually(lambda: far.messages, "mail for the other one")
        daemon.kill()

    def test_mail_survives_sigkill_and_is_delivered_once(self):
        open_now = threading.Event()

        def reply(number, line):
            return polite(number, line) if open_now.is_set() else None

        far = self.server(reply)
        daemon = self.site({"far.example": far.port})
        for i in range(5):
            self.send(daemon, [f"bob{i}@far.example"], subject=f"number {i}")
        daemon.kill()
        open_now.set()
        daemon.start()
        eventually(lambda: len(far.messages) == 5, "all five")
        daemon.stop()
        self.assertEqual(sorted(m.split(b"Subject: ")[1].split(b"\r\n")[0] for m in far.messages),
                         [f"number {i}".encode() for i in range(5)])

    def test_what_waits_too_long_goes_back(self):
        far = self.server(lambda number, line: b"451 4.3.0 never\r\n" if line.upper().startswith("MAIL") else polite(number, line))
        daemon = self.site({"far.example": far.port},
                           "first_retry_seconds = 1\nlongest_retry_seconds = 1\nexpiry_seconds = 3\ndelay_warning_seconds = 1")
        self.send(daemon, ["bob@far.example"])
        reports = eventually(lambda: (got := daemon.messages("alice")) and len(got) == 2 and got, "a warning and the end")
        self.assertIn(b"Action: delayed", reports[0])
        self.assertIn(b"Will-Retry-Until:", reports[0])
        self.assertIn(b"Action: failed\r\nStatus: 4.4.7", reports[1])
        daemon.stop()

    def test_nobody_is_told_who_wants_no_reports(self):
        far = self.server(lambda number, line: b"550 5.1.1 no\r\n" if line.upper().startswith("RCPT") else polite(number, line))
        daemon = self.site({"far.example": far.port})
        self.send(daemon, ["bob@far.example"], rcpt_options=["NOTIFY=NEVER"])
        self.send(daemon, ["eve@far.example"])
        self.assertEqual(len(eventually(lambda: daemon.messages("alice"), "one report")), 1)
        self.assertIn(b"eve@far.example", daemon.messages("alice")[0])
        daemon.stop()

    def test_connections_are_used_again(self):
        far = self.server(polite)
        daemon = self.site({"far.example": far.port}, "connections_per_destination = 1")
        for i in range(5):
            self.send(daemon, ["bob@far.example"])
        eventually(lambda: len(far.messages) == 5, "all five")
        self.assertEqual({number for number, line in far.heard}, {0})
        daemon.stop()

    def test_a_server_without_8bitmime_gets_7_bits(self):
        far = self.server(polite)
        daemon = self.site({"far.example": far.port})
        picture = bytes(range(256)) * 10
        parts = [("text/plain; charset=utf-8", "8bit", "Grüße aus der Ferne, und sonst nichts weiter\r\n".encode()),
                 ("text/plain", "7bit", b"plain = plain\r\n"),
                 ("text/html; charset=koi8-r", "8bit", "привет\r\n".encode("koi8-r") * 5_000)]
        text = f"From: {address('alice')}\r\nSubject: parts\r\nMIME-Version: 1.0\r\n".encode()
        text += b"Content-Type: multipart/mixed; boundary=outer\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        for kind, encoding, body in parts:
            text += f"--outer\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode() + body + b"\r\n"
        text += b"--outer\r\nContent-Type: image/x-dot\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        text += base64.encodebytes(picture).replace(b"\n", b"\r\n") + b"--outer--\r\n"
        self.send(daemon, ["bob@far.example"], options=["BODY=8BITMIME"], text=text)
        eventually(lambda: far.messages, "the message")
        got = far.messages[0]
        self.assertTrue(got.isascii())
        self.assertLessEqual(max(map(len, got.split(b"\r\n"))), 998)
        self.assertFalse([line for _, line in far.heard if "8BITMIME" in line])
        leaves = email.message_from_bytes(got).get_payload()
        self.assertEqual([leaf["Content-Transfer-Encoding"] for leaf in leaves],
                         ["quoted-printable", "7bit", "base64", "base64"])
        # Of a body at the end of a part Python keeps the line end of its own only.
        self.assertEqual([leaf.get_payload(decode=True) for leaf in leaves[:3]], [body for _, _, body in parts])
        self.assertEqual(leaves[3].get_payload(decode=True), picture)
        daemon.stop()

    def test_a_header_of_8_bits_comes_back_where_smtputf8_is_not_offered(self):
        far = self.server(polite)
        daemon = self.site({"far.example": far.port})
        text = f"From: {address('alice')}\r\nSubject: Grüße\r\n\r\nHello\r\n".encode()
        self.send(daemon, ["bob@far.example"], options=["BODY=8BITMIME"], text=text)
        report = eventually(lambda: daemon.messages("alice"), "alice has a report")[0]
        self.assertIn(b"Status: 5.6.7", report)
        self.assertEqual(far.messages, [])
        daemon.stop()


if __name__ == "__main__":
    unittest.main()
