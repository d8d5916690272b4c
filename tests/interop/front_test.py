"""Peers that stand between Merpati and its clients: proxies, filters, other mail servers on the same machine."""

import os
import socket
import stat
import struct
import unittest

import harness
from harness import PASSWORDS, address
from talk import Talk

EXTRA = """
[[listener]]
kind = "smtp"
address = "127.0.0.1"
port = 0
proxy_from = ["127.0.0.0/8"]

[[listener]]
kind = "imaps"
address = "127.0.0.1"
port = 0
proxy_from = ["127.0.0.1"]

[[listener]]
kind = "smtp"
address = "127.0.0.1"
port = 0
proxy_from = ["192.0.2.1"]
xclient_from = ["127.0.0.1"]

[[listener]]
kind = "submission"
address = "127.0.0.1"
port = 0
xclient_from = ["127.0.0.1"]

[[listener]]
kind = "lmtp"
address = "unix:lmtp.sock"
socket_mode = "0600"
"""


def v2_header(source, source_port, command=1):
    payload = socket.inet_aton(source) + socket.inet_aton("192.0.2.99") + struct.pack("!HH", source_port, 25)
    return b"\r\n\r\n\x00\r\nQUIT\n" + bytes([0x20 | command, 0x11]) + struct.pack("!H", len(payload)) + payload


class FrontTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.context = harness.running(extra=EXTRA)
        cls.daemon = cls.context.__enter__()
        cls.proxied, cls.proxied_imaps, cls.xclient, cls.xclient_submission, cls.local = cls.daemon.listeners[-5:]

    @classmethod
    def tearDownClass(cls):
        cls.context.__exit__(None, None, None)

    def talk(self, listener):
        return Talk.connect(self, listener["port"])

    def received_of(self, subject):
        found = [text for text in self.daemon.messages("alice") if f"Subject: {subject}".encode() in text]
        self.assertEqual(len(found), 1)
        return found[0].split(b"Received: ", 1)[1].split(b"\r\n\r\n")[0].decode()

    # PROXY

    def test_version_1_names_the_client(self):
        talk = self.talk(self.proxied)
        talk.send(b"PROXY TCP4 192.0.2.44 192.0.2.99 40000 25\r\n")
        self.assertTrue(talk.reply()[0].startswith("220 "))
        talk.deliver(address("alice"), "proxy one")
        self.assertIn("[192.0.2.44]", self.received_of("proxy one"))

    def test_version_2_names_the_client_in_one_piece_with_what_follows(self):
        talk = self.talk(self.proxied)
        header = v2_header("192.0.2.45", 40000)
        for at in range(len(header)):
            talk.send(header[at:at + 1])
        self.assertTrue(talk.reply()[0].startswith("220 "))
        talk.deliver(address("alice"), "proxy two")
        self.assertIn("[192.0.2.45]", self.received_of("proxy two"))

    def test_health_check_of_the_proxy_itself(self):
        talk = self.talk(self.proxied)
        talk.send(v2_header("192.0.2.45", 40000, command=0))
        self.assertTrue(talk.reply()[0].startswith("220 "))

    def test_proxy_without_header_is_sent_away_without_a_word(self):
        for octets in (b"EHLO client.example.net\r\n", b"PROXY TCP4 nonsense\r\n", b"\r\n\r\n\x00\r\nQUIT\n\x31"):
            talk = self.talk(self.proxied)
            talk.send(octets)
            self.assertEqual(talk.reply(), [])

    def test_header_before_tls(self):
        connected = socket.create_connection(("127.0.0.1", self.proxied_imaps["port"]), timeout=60)
        connected.sendall(v2_header("192.0.2.46", 40000))
        with self.daemon.client_tls().wrap_socket(connected, server_hostname="localhost") as tls:
            talk = Talk(tls)
            self.assertIn("* OK", talk.file.readline().decode())

    def test_header_from_others_is_no_command(self):
        talk = self.talk(self.xclient)
        self.assertTrue(talk.reply()[0].startswith("220 "))
        self.assertTrue(talk.say("PROXY TCP4 192.0.2.44 192.0.2.99 40000 25")[0].startswith("500"))

    # XCLIENT

    def test_xclient_names_the_client(self):
        talk = self.talk(self.xclient)
        talk.reply()
        self.assertIn("XCLIENT", "".join(talk.say("EHLO filter.example.net")))
        self.assertTrue(talk.say("XCLIENT NAME=client.example.net ADDR=192.0.2.47 PORT=4")[0].startswith("220 "))
        talk.deliver(address("alice"), "spoken for")
        self.assertIn("client.example.net [192.0.2.47]", self.received_of("spoken for"))

    def test_xclient_login_is_an_account(self):
        talk = self.talk(self.xclient_submission)
        talk.reply()
        talk.say("EHLO filter.example.net")
        self.assertTrue(talk.say("XCLIENT LOGIN=nobody@example.org")[0].startswith("550 5.7.0"))
        self.assertTrue(talk.say("XCLIENT LOGIN=" + address("bob").replace("@", "+40"))[0].startswith("220 "))
        talk.say("EHLO client.example.net")
        self.assertTrue(talk.say(f"MAIL FROM:<{address('alice')}>")[0].startswith("550 5.7.1"))
        self.assertTrue(talk.say(f"MAIL FROM:<{address('bob')}>")[0].startswith("250"))

    def test_xclient_is_no_command_for_others(self):
        talk = Talk(socket.create_connection(("127.0.0.1", self.daemon.ports["smtp"]), timeout=60))
        self.addCleanup(talk.socket.close)
        talk.reply()
        self.assertNotIn("XCLIENT", "".join(talk.say("EHLO filter.example.net")))
        self.assertTrue(talk.say("XCLIENT ADDR=192.0.2.47")[0].startswith("500 5.5.2"))

    # Unix-domain sockets

    def test_lmtp_over_a_socket_of_its_own(self):
        path = self.daemon.folder / "lmtp.sock"
        self.assertEqual(self.local["address"], f"unix:{path}")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        with socket.socket(socket.AF_UNIX) as connected:
            connected.connect(str(path))
            talk = Talk(connected)
            self.assertIn("LMTP", talk.reply()[0])
            self.assertTrue(talk.deliver(address("alice"), "over a socket", "LHLO")[0].startswith("250"))
        self.assertIn("LMTP", self.received_of("over a socket"))


class SocketFileTest(unittest.TestCase):
    def test_socket_file_goes_with_the_daemon_and_a_stale_one_is_replaced(self):
        with harness.running(extra='[[listener]]\nkind = "lmtp"\naddress = "unix:lmtp.sock"\n') as daemon:
            path = daemon.folder / "lmtp.sock"
            daemon.stop()
            self.assertFalse(path.exists())
            with socket.socket(socket.AF_UNIX) as stale:
                stale.bind(str(path))
            daemon.start()
            with socket.socket(socket.AF_UNIX) as connected:
                connected.connect(str(path))
                self.assertIn("LMTP", Talk(connected).reply()[0])


if __name__ == "__main__":
    unittest.main()
