"""IMAP through Python's imaplib: every command of the server once for real, over TLS, with two clients where it matters."""

import base64
import hashlib
import imaplib
import re
import smtplib
import unittest
import zlib

import harness
import scram_client
from harness import PASSWORDS, address, message

MULTIPART = (
    "From: Alice <alice@example.org>\r\nTo: bob@example.org, Carol <carol@example.com>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
    "Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <multi@example.org>\r\nMIME-Version: 1.0\r\n"
    'Content-Type: multipart/mixed; boundary="b1"\r\n\r\n--b1\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHello there\r\n'
    '--b1\r\nContent-Type: application/octet-stream; name="a.bin"\r\nContent-Transfer-Encoding: base64\r\n\r\nAAECAw==\r\n--b1--\r\n'
).encode()


class CompressedStream:
    """What imaplib reads and sends through once COMPRESS=DEFLATE is on (RFC 4978)."""

    def __init__(self, connected):
        self.socket, self.received, self.plain = connected, 0, b""
        self.deflate = zlib.compressobj(wbits=-15)
        self.inflate = zlib.decompressobj(-15)

    def send(self, data):
        self.socket.sendall(self.deflate.compress(data) + self.deflate.flush(zlib.Z_SYNC_FLUSH))

    def fill(self):
        data = self.socket.recv(65536)
        self.received += len(data)
        self.plain += self.inflate.decompress(data)
        return bool(data)

    def read(self, size):
        while len(self.plain) < size and self.fill():
            pass
        out, self.plain = self.plain[:size], self.plain[size:]
        return out

    def readline(self, limit=-1):
        while b"\n" not in self.plain and self.fill():
            pass
        return self.read(self.plain.find(b"\n") + 1 or len(self.plain))

    def close(self):
        pass


class ImapTest(unittest.TestCase):
    def setUp(self):
        self.context = harness.running()
        self.daemon = self.context.__enter__()

    def tearDown(self):
        self.context.__exit__(None, None, None)

    def login(self, user="alice", mailbox=None):
        client = imaplib.IMAP4_SSL("127.0.0.1", self.daemon.ports["imaps"], ssl_context=self.daemon.client_tls(), timeout=60)
        self.addCleanup(client.shutdown)
        client.login(address(user), PASSWORDS[user])
        if mailbox:
            self.ok(client.select(mailbox))
        return client

    def ok(self, answer):
        self.assertEqual(answer[0], "OK", answer)
        return answer[1]

    def no(self, answer, code=""):
        self.assertEqual(answer[0], "NO", answer)
        self.assertIn(code, answer[1][0].decode())

    def fill(self, client, mailbox, count, flags=None):
        """Appends messages; returns their UIDs as told."""
        uids = []
        for number in range(1, count + 1):
            data = self.ok(client.append(mailbox, flags, '"23-Nov-2026 10:00:00 +0000"', message(f"number {number}").encode()))
            uids.append(int(re.search(rb"APPENDUID \d+ (\d+)", data[0]).group(1)))
        return uids

    # Before a mailbox is open

    def test_compressed_connection(self):
        for implicit_tls in (True, False):
            with self.subTest(implicit_tls=implicit_tls):
                if implicit_tls:
                    client = self.login()
                else:
                    client = imaplib.IMAP4("127.0.0.1", self.daemon.ports["imap"], timeout=60)
                    self.addCleanup(client.shutdown)
                    client.starttls(self.daemon.client_tls())
                    client.login(address("alice"), PASSWORDS["alice"])
                self.ok(client.xatom("COMPRESS", "DEFLATE"))
                wire = CompressedStream(client.sock)
                client.file, client.send = wire, wire.send
                self.no(client.xatom("COMPRESS", "DEFLATE"), "COMPRESSIONACTIVE")
                body = b"Subject: large\r\n\r\n" + b"the same line again and again\r\n" * 50_000
                self.ok(client.append("INBOX", None, None, body))
                self.ok(client.select("INBOX"))
                number = self.ok(client.search(None, "ALL"))[0].split()[-1].decode()
                before = wire.received
                fetched = self.ok(client.fetch(number, "BODY.PEEK[]"))[0][1]
                self.assertEqual(fetched, body)
                self.assertLess((wire.received - before) * 50, len(body))

    def test_compressed_nonsense_ends_the_connection(self):
        client = self.login()
        self.ok(client.xatom("COMPRESS", "DEFLATE"))
        client.sock.sendall(b"a NOOP\r\n" * 100)
        self.assertEqual(client.sock.recv(4096), b"")

    def test_scram_with_and_without_channel_binding(self):
        for bound in (False, True):
            with self.subTest(bound=bound):
                client = imaplib.IMAP4_SSL("127.0.0.1", self.daemon.ports["imaps"], ssl_context=self.daemon.client_tls(), timeout=60)
                self.addCleanup(client.shutdown)
                self.assertIn("AUTH=SCRAM-SHA-256-PLUS", client.capabilities)
                binding = hashlib.sha256(client.sock.getpeercert(True)).digest() if bound else None
                exchange = scram_client.Exchange(address("alice"), PASSWORDS["alice"], binding)
                proofs = []

                def answer(challenge):  # imaplib does base64 by itself
                    if not challenge:
                        return base64.b64decode(exchange.first())
                    if exchange.server_proof is None:
                        return base64.b64decode(exchange.proof(base64.b64encode(challenge)))
                    proofs.append(exchange.is_server(base64.b64encode(challenge)))
                    return b""

                self.ok(client.authenticate(exchange.mechanism, answer))
                self.assertEqual(proofs, [True])
                self.ok(client.select("INBOX"))

    def test_login(self):
        client = imaplib.IMAP4_SSL("127.0.0.1", self.daemon.ports["imaps"], ssl_context=self.daemon.client_tls(), timeout=60)
        self.assertIn("IMAP4REV1", client.capabilities)
        with self.assertRaisesRegex(imaplib.IMAP4.error, "AUTHENTICATIONFAILED"):
            client.login(address("alice"), "wrong")
        with self.assertRaisesRegex(imaplib.IMAP4.error, "AUTHENTICATIONFAILED"):
            client.login("nobody@example.org", "wrong")
        self.ok(client.login(address("alice"), PASSWORDS["alice"]))
        self.assertEqual(client.logout()[0], "BYE")

    def test_authenticate_plain(self):
        client = imaplib.IMAP4_SSL("127.0.0.1", self.daemon.ports["imaps"], ssl_context=self.daemon.client_tls(), timeout=60)
        self.addCleanup(client.shutdown)
        secret = f"\0{address('alice')}\0{PASSWORDS['alice']}".encode()
        self.ok(client.authenticate("PLAIN", lambda _: secret))
        self.ok(client.select())

    def test_starttls(self):
        client = imaplib.IMAP4("127.0.0.1", self.daemon.ports["imap"], timeout=60)
        self.addCleanup(client.shutdown)
        self.assertIn("STARTTLS", client.capabilities)
        self.assertIn("LOGINDISABLED", client.capabilities)
        with self.assertRaisesRegex(imaplib.IMAP4.error, "PRIVACYREQUIRED"):
            client.login(address("alice"), PASSWORDS["alice"])
        self.ok(client.starttls(self.daemon.client_tls()))
        self.assertNotIn("LOGINDISABLED", client.capabilities)
        self.ok(client.login(address("alice"), PASSWORDS["alice"]))

    def test_mailboxes_of_a_new_account(self):
        client = self.login()
        listing = b"\n".join(self.ok(client.list())).decode()
        for name, use in (("Drafts", r"\Drafts"), ("Sent", r"\Sent"), ("Junk", r"\Junk"), ("Trash", r"\Trash"), ("Archive", r"\Archive")):
            line = next(line for line in listing.splitlines() if line.rstrip('"').endswith(name))
            self.assertIn(use.lower(), line.lower())
        self.assertIn("INBOX", listing)
        self.assertEqual(len(self.ok(client.lsub())), 6)
        self.assertIn(b'"/"', self.ok(client.namespace())[0])

    def test_create_rename_delete_subscribe(self):
        client = self.login()
        self.ok(client.create("Projects/Pigeon"))
        self.no(client.create("Projects/Pigeon"), "ALREADYEXISTS")
        self.fill(client, "Projects/Pigeon", 2)
        self.ok(client.rename("Projects", "Work"))
        names = b" ".join(self.ok(client.list('""', "Work*")))
        self.assertIn(b"Work/Pigeon", names)
        self.assertEqual(self.ok(client.list('""', "Projects*")), [None])
        self.assertEqual(int(self.ok(client.select("Work/Pigeon"))[0]), 2)
        self.ok(client.close())
        self.ok(client.subscribe("Work/Pigeon"))
        self.assertIn(b"Work/Pigeon", b" ".join(self.ok(client.lsub())))
        self.ok(client.unsubscribe("Work/Pigeon"))
        self.assertNotIn(b"Work/Pigeon", b" ".join(self.ok(client.lsub())))
        self.ok(client.delete("Work/Pigeon"))
        self.no(client.select("Work/Pigeon"), "NONEXISTENT")
        self.no(client.delete("Work/Pigeon"), "NONEXISTENT")
        self.no(client.delete("INBOX"))

    def test_append_to_a_missing_mailbox(self):
        self.no(self.login().append("Nowhere", None, None, message("x").encode()), "TRYCREATE")

    def test_status(self):
        client = self.login()
        self.fill(client, "Drafts", 3)
        (line,) = self.ok(client.status("Drafts", "(MESSAGES UNSEEN UIDNEXT UIDVALIDITY)"))
        self.assertIn(b"MESSAGES 3", line)
        self.assertIn(b"UNSEEN 3", line)

    # In a mailbox

    def test_fetch(self):
        client = self.login()
        self.ok(client.append("INBOX", r"(\Flagged $Forwarded)", '"01-Feb-2026 03:04:05 +0100"', MULTIPART))
        self.ok(client.select())
        text = self.ok(client.fetch("1", "(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)"))[0].decode()
        self.assertIn(f"RFC822.SIZE {len(MULTIPART)}", text)
        self.assertIn(r"\Flagged", text)
        self.assertIn("$Forwarded", text)
        self.assertIn('INTERNALDATE "01-Feb-2026 ', text)
        self.assertIn('"=?utf-8?q?Gr=C3=BC=C3=9Fe?="', text)
        self.assertIn('(("Alice" NIL "alice" "example.org"))', text)
        self.assertIn('((NIL NIL "bob" "example.org")("Carol" NIL "carol" "example.com"))', text)
        self.assertRegex(text, r'(?i)BODYSTRUCTURE \(\("text" "plain" \("charset" "utf-8"\) NIL NIL "7BIT" 1[13] [01]')
        self.assertRegex(text, r'(?i)\("application" "octet-stream" \("name" "a\.bin"\) NIL NIL "base64" \d+')

        def section(what):
            data = self.ok(client.fetch("1", f"(BODY.PEEK[{what}])"))
            return data[0][1]

        self.assertEqual(section(""), MULTIPART)
        head, body = MULTIPART.split(b"\r\n\r\n", 1)
        self.assertEqual(section("HEADER"), head + b"\r\n\r\n")
        self.assertEqual(section("TEXT"), body)
        self.assertEqual(section("1"), b"Hello there")
        self.assertEqual(section("2"), b"AAECAw==")
        self.assertEqual(section("2.MIME").split(b"\r\n")[0], b'Content-Type: application/octet-stream; name="a.bin"')
        self.assertEqual(section("HEADER.FIELDS (MESSAGE-ID)"), b"Message-ID: <multi@example.org>\r\n\r\n")
        self.assertNotIn(b"Message-ID", section("HEADER.FIELDS.NOT (MESSAGE-ID)"))
        self.assertEqual(self.ok(client.fetch("1", "(BODY.PEEK[]<6.5>)"))[0][1], MULTIPART[6:11])
        self.assertNotIn(b"Seen", self.ok(client.fetch("1", "(FLAGS)"))[0])
        self.ok(client.fetch("1", "(BODY[TEXT])"))
        self.assertIn(b"\\Seen", self.ok(client.fetch("1", "(FLAGS)"))[0])
        for macro in ("ALL", "FAST", "FULL", "(RFC822.HEADER)", "(RFC822)", "(RFC822.TEXT)"):
            self.ok(client.fetch("1", macro))

    def test_store_and_search(self):
        client = self.login()
        uids = self.fill(client, "INBOX", 5)
        self.ok(client.select())
        self.ok(client.store("2:3", "+FLAGS", r"(\Seen)"))
        self.ok(client.store("3", "FLAGS", r"(\Answered pigeon)"))
        self.ok(client.uid("STORE", str(uids[4]), "+FLAGS.SILENT", r"(\Deleted)"))
        self.ok(client.store("2", "-FLAGS", r"(\Seen)"))

        def search(*keys):
            return [int(number) for number in self.ok(client.search(None, *keys))[0].split()]

        self.assertEqual(search("ALL"), [1, 2, 3, 4, 5])
        self.assertEqual(search("SEEN"), [])
        self.assertEqual(search("ANSWERED", "KEYWORD", "pigeon"), [3])
        self.assertEqual(search("DELETED"), [5])
        self.assertEqual(search("NOT", "DELETED", "UNANSWERED"), [1, 2, 4])
        self.assertEqual(search("OR", "SUBJECT", '"number 1"', "SUBJECT", '"NUMBER 4"'), [1, 4])
        self.assertEqual(search("FROM", "alice@", "TO", "bob", "BODY", "hello", "LARGER", "10", "SMALLER", "5000"), [1, 2, 3, 4, 5])
        self.assertEqual(search("TEXT", "nowhere-to-be-found"), [])
        self.assertEqual(search("ON", "23-Nov-2026", "SENTSINCE", "23-Nov-2026"), [1, 2, 3, 4, 5])
        self.assertEqual(search("BEFORE", "23-Nov-2026"), [])
        self.assertEqual(search("HEADER", "Message-ID", "number-2"), [2])
        self.assertEqual(search("UID", f"{uids[1]}:{uids[2]}"), [2, 3])
        self.assertEqual(search("4:*"), [4, 5])
        found = self.ok(client.uid("SEARCH", "ANSWERED"))[0]
        self.assertEqual(found, str(uids[2]).encode())

    def test_expunge_close_unselect(self):
        client = self.login()
        uids = self.fill(client, "INBOX", 6)
        self.ok(client.select())
        self.ok(client.store("1,3,5", "+FLAGS", r"(\Deleted)"))
        client.response("EXPUNGE")
        self.ok(client.uid("EXPUNGE", str(uids[2])))
        self.assertEqual(client.response("EXPUNGE")[1], [b"3"])
        left = [uids[0], uids[1], uids[3], uids[4], uids[5]]
        for number in self.ok(client.expunge()):
            del left[int(number) - 1]  # each number counts what is left after the ones before it
        self.assertEqual(left, [uids[1], uids[3], uids[5]])
        self.assertEqual([int(u) for u in self.ok(client.uid("SEARCH", "ALL"))[0].split()], [uids[1], uids[3], uids[5]])
        self.ok(client.store("1", "+FLAGS", r"(\Deleted)"))
        self.ok(client.unselect())
        self.assertEqual(int(self.ok(client.select())[0]), 3)
        self.ok(client.close())
        self.assertEqual(int(self.ok(client.select())[0]), 2)

    def test_copy_and_move(self):
        client = self.login()
        uids = self.fill(client, "INBOX", 3, r"(\Flagged)")
        self.ok(client.select())
        self.assertIn(b"COPYUID", self.ok(client.copy("1:2", "Archive"))[0])
        self.assertEqual(client.uid("COPY", str(uids[2]), "Nowhere")[0], "NO")
        self.ok(client.uid("MOVE", f"{uids[0]}:{uids[1]}", "Trash"))
        self.assertEqual(len(self.ok(client.search(None, "ALL"))[0].split()), 1)
        self.assertEqual(int(self.ok(client.select("Archive"))[0]), 2)
        self.assertIn(b"\\Flagged", self.ok(client.fetch("1", "(FLAGS)"))[0])
        self.assertEqual(int(self.ok(client.select("Trash"))[0]), 2)

    def test_examine_changes_nothing(self):
        client = self.login()
        self.fill(client, "INBOX", 1)
        self.ok(client.select("INBOX", readonly=True))
        self.ok(client.fetch("1", "(BODY[])"))
        self.assertNotIn(b"Seen", self.ok(client.fetch("1", "(FLAGS)"))[0])
        self.assertEqual(client.store("1", "+FLAGS", r"(\Seen)")[0], "NO")

    def test_small_commands(self):
        client = self.login()
        self.ok(client.noop())
        self.ok(client.enable("IMAP4rev2"))
        self.ok(client.select())
        self.ok(client.check())
        imaplib.Commands.setdefault("ID", ("NONAUTH", "AUTH", "SELECTED"))
        self.ok(client._simple_command("ID", "NIL"))
        with self.assertRaisesRegex(imaplib.IMAP4.error, "BAD"):
            client._simple_command("NOOP", "extra")

    # Two clients

    def test_idle_tells_of_a_new_message_and_a_flag(self):
        watcher = self.login(mailbox="INBOX")
        other = self.login(mailbox="INBOX")
        watcher.send(b"I1 IDLE\r\n")
        self.assertTrue(watcher.readline().startswith(b"+"))
        with smtplib.SMTP("127.0.0.1", self.daemon.ports["smtp"], "localhost", timeout=60) as sender:
            sender.sendmail("x@example.net", [address("alice")], message("wake up"))
        self.assertIn(b"1 EXISTS", self.line_with(watcher, b"EXISTS"))
        self.ok(other.noop())
        self.ok(other.store("1", "+FLAGS", r"(\Flagged)"))
        self.assertIn(b"\\Flagged", self.line_with(watcher, b"FETCH"))
        self.ok(other.store("1", "+FLAGS", r"(\Deleted)"))
        self.ok(other.expunge())
        self.assertIn(b"1 EXPUNGE", self.line_with(watcher, b"EXPUNGE"))
        watcher.send(b"DONE\r\n")
        self.assertTrue(self.line_with(watcher, b"I1 ").startswith(b"I1 OK"))

    def line_with(self, client, text):
        while True:
            line = client.readline()
            self.assertTrue(line, f"the connection ended before {text}")
            if text in line:
                return line

    def test_sequence_numbers_stand_still_until_the_client_may_know(self):
        first = self.login()
        uids = self.fill(first, "INBOX", 3)
        self.ok(first.select())
        second = self.login(mailbox="INBOX")
        self.ok(second.uid("STORE", str(uids[0]), "+FLAGS.SILENT", r"(\Deleted)"))
        self.ok(second.expunge())
        data = self.ok(first.fetch("3", "(UID)"))
        self.assertIn(f"3 (UID {uids[2]})".encode(), b" ".join(data))
        self.ok(first.noop())
        self.assertIn(f"2 (UID {uids[2]})".encode(), b" ".join(self.ok(first.fetch("2", "(UID)"))))

    def test_others_mailboxes_are_out_of_reach(self):
        alice = self.login("alice")
        self.fill(alice, "INBOX", 1)
        bob = self.login("bob", "INBOX")
        self.assertEqual(self.ok(bob.search(None, "ALL"))[0], b"")


if __name__ == "__main__":
    unittest.main(verbosity=2)
