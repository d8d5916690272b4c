"""rspamd and OpenDKIM from Debian as filters, and a filter that is not there."""

import contextlib
import pathlib
import shutil
import smtplib
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import harness
from harness import Daemon, PASSWORDS, address, message
from talk import Talk

GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
READY_S = 60


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def await_socket(connect, process):
    """Until somebody listens there, or the process is gone."""
    end = time.monotonic() + READY_S
    while time.monotonic() < end:
        try:
            connect().close()
            return
        except OSError:
            try:
                process.wait(0.1)
                raise harness.Failure(f"the filter ended with {process.returncode}")
            except subprocess.TimeoutExpired:
                pass
    raise harness.Failure("the filter does not listen")


class FilterCase(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="merpati-filter-"))
        self.folder.chmod(0o755)
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def run_filter(self, command, connect):
        log = open(self.folder / "log", "ab")
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        def end():
            process.terminate()
            process.wait(30)
            log.close()

        self.addCleanup(end)
        await_socket(connect, process)

    def site(self, milter, **options):
        daemon = Daemon(extra="[[milter]]\n" + milter, **options)
        self.addCleanup(daemon.remove)
        daemon.make_users()
        daemon.start()
        return daemon

    def mx(self, daemon, text, sender="carol@example.net", to="bob"):
        with smtplib.SMTP("127.0.0.1", daemon.ports["smtp"], "client.example.net", timeout=120) as client:
            client.sendmail(sender, [address(to)], text)

    def submit(self, daemon, text):
        with smtplib.SMTP("127.0.0.1", daemon.ports["submission"], "localhost", timeout=120) as client:
            client.starttls(context=daemon.client_tls())
            client.login(address("alice"), PASSWORDS["alice"])
            client.sendmail(address("alice"), [address("bob")], text)


class ScriptedFilter:
    """A filter of protocol version 6 on a free port that says "go on", or what `replies` has for a command's letter."""

    def __init__(self, replies):
        self.replies, self.heard = replies, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        for _ in range(100):
            try:
                connected, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(connected,), daemon=True).start()

    def talk(self, connected):
        with contextlib.suppress(OSError), connected, connected.makefile("rb") as stream:
            while head := stream.read(4):
                packet = stream.read(struct.unpack("!I", head)[0])
                letter, data = packet[:1].decode(), packet[1:]
                self.heard.append((letter, data))
                if letter == "O":
                    self.say(connected, b"O" + struct.pack("!III", 6, 0x1FF, 0))
                elif letter in "CHMRTULNBE":
                    self.say(connected, self.replies.get(letter, b"c"))

    def say(self, connected, packet):
        connected.sendall(struct.pack("!I", len(packet)) + packet)

    def close(self):
        self.listener.close()


class ScriptedFilterTest(FilterCase):
    def test_each_step_comes_in_order_and_unknown_commands_too(self):
        scripted = ScriptedFilter({"U": b"y" + b"500 5.7.1 No such thing here\0"})
        self.addCleanup(scripted.close)
        daemon = self.site(f'socket = "inet:127.0.0.1:{scripted.port}"\nlisteners = ["smtp"]')
        talk = Talk.connect(self, daemon.ports["smtp"])
        talk.reply()
        talk.say("EHLO client.example.net")
        self.assertEqual(talk.say("XYZZY  now"), ["500 5.7.1 No such thing here"])
        talk.deliver(address("alice"), "filtered")
        self.assertEqual([letter for letter, _ in scripted.heard if letter != "D"], list("OCHUMRTLLNBE"))
        self.assertIn(("U", b"XYZZY  now\0"), scripted.heard)
        self.assertIn(("H", b"client.example.net\0"), scripted.heard)
        self.assertIn(("L", b"Subject\0filtered\0"), [(a, d.replace(b"\0 ", b"\0")) for a, d in scripted.heard])
        daemon.stop()

    def test_unknown_commands_are_refused_as_ever_where_the_filter_says_nothing(self):
        scripted = ScriptedFilter({})
        self.addCleanup(scripted.close)
        daemon = self.site(f'socket = "inet:127.0.0.1:{scripted.port}"\nlisteners = ["smtp"]')
        talk = Talk.connect(self, daemon.ports["smtp"])
        talk.reply()
        self.assertEqual(talk.say("XYZZY"), ["500 5.5.2 Command not recognised"])
        daemon.stop()


class RspamdTest(FilterCase):
    def start(self):
        program = harness.need("rspamd", "rspamd")
        milter, normal, controller = free_port(), free_port(), free_port()
        config = self.folder / "rspamd.conf"
        config.write_text(f"""
options {{
  pidfile = "{self.folder}/pid"; filters = "chartable"; dns {{ nameserver = ["127.0.0.1:9:1"]; timeout = 0.1; retransmits = 1; }}
  cache_file = "{self.folder}/symbols"; history_file = "{self.folder}/history"; hs_cache_dir = "{self.folder}"; local_networks = [];
}}
logging {{ type = "console"; level = "info"; }}
worker "rspamd_proxy" {{ bind_socket = "127.0.0.1:{milter}"; milter = yes; timeout = 60s; count = 1;
  upstream "local" {{ default = yes; self_scan = yes; }} }}
metric "default" {{ actions {{ reject = 15; add_header = 6; }} }}
actions {{ reject = 15; add_header = 6; }}
milter_headers {{ use = ["x-spamd-result"]; extended_spam_headers = true; skip_local = false; skip_authenticated = false; }}
lua = "/usr/share/rspamd/rules/rspamd.lua"
modules {{ path = "/usr/share/rspamd/plugins/milter_headers.lua"; }}
""")
        self.run_filter([program, "-f", "-i", "-c", str(config), "--var", f"DBDIR={self.folder}", "--var", f"RUNDIR={self.folder}"],
                        lambda: socket.create_connection(("127.0.0.1", milter), timeout=5))
        return milter

    def test_spam_is_refused_and_mail_gets_its_header(self):
        port = self.start()
        daemon = self.site(f'name = "rspamd"\nsocket = "inet:127.0.0.1:{port}"\n')
        with self.assertRaises(smtplib.SMTPDataError) as refused:
            self.mx(daemon, message("spam", body=f"{GTUBE}\r\n"))
        self.assertEqual(refused.exception.smtp_code // 100, 5, refused.exception)
        self.mx(daemon, message("ham"))
        stored = daemon.messages("bob")
        self.assertEqual(len(stored), 1)
        self.assertIn(b"Subject: ham", stored[0])
        daemon.stop()


class OpenDkimTest(FilterCase):
    def start(self, mode):
        program = harness.need("opendkim", "opendkim")
        key = self.folder / "key.pem"
        subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
        key.chmod(0o600)
        path = self.folder / "socket"
        config = self.folder / "opendkim.conf"
        config.write_text(f"Mode {mode}\nDomain example.org\nSelector test\nKeyFile {key}\nSocket local:{path}\n"
                          f"Syslog no\nRequireSafeKeys no\nCanonicalization relaxed/simple\nOversignHeaders From\n"
                          f"InternalHosts {self.folder}/internal\nPidFile {self.folder}/pid\nAlwaysAddARHeader yes\n")
        (self.folder / "internal").write_text("127.0.0.1\n" if mode == "s" else "192.0.2.1\n")

        def connect():
            probe = socket.socket(socket.AF_UNIX)
            probe.connect(str(path))
            return probe

        self.run_filter([program, "-f", "-x", str(config)], connect)
        return path

    def test_signs_what_users_send(self):
        daemon = self.site(f'socket = "unix:{self.start("s")}"\n')
        self.submit(daemon, message("signed", body="A body.\r\n" * 30_000))
        self.submit(daemon, message("small"))
        stored = daemon.messages("bob")
        self.assertEqual(len(stored), 2)
        for text in stored:
            header = text.split(b"\r\n\r\n")[0]
            self.assertIn(b"DKIM-Signature: v=1; a=rsa-sha256;", header)
            self.assertLess(header.index(b"Received:"), header.index(b"DKIM-Signature:"))
        self.assertEqual(stored[0].split(b"\r\n\r\n", 1)[1], b"A body.\r\n" * 30_000)
        daemon.stop()

    def test_says_what_it_found(self):
        daemon = self.site(f'socket = "unix:{self.start("v")}"\n')
        self.mx(daemon, message("judged", sender="alice"))
        self.assertIn(b"Authentication-Results:", daemon.messages("bob")[0])
        daemon.stop()


class DownTest(FilterCase):
    def test_mail_is_asked_to_come_later(self):
        daemon = self.site(f'socket = "inet:127.0.0.1:{free_port()}"\n')
        with self.assertRaises(smtplib.SMTPSenderRefused) as refused:
            self.mx(daemon, message("later"))
        self.assertEqual(refused.exception.smtp_code, 451)
        self.assertTrue(refused.exception.smtp_error.startswith(b"4.3.0"))
        daemon.stop()

    def test_or_passes_unfiltered(self):
        daemon = self.site(f'socket = "inet:127.0.0.1:{free_port()}"\nwhen_down = "accept"\n')
        self.mx(daemon, message("unfiltered"))
        self.assertEqual(len(daemon.messages("bob")), 1)
        daemon.stop()

    def test_only_the_listeners_that_are_named_ask(self):
        daemon = self.site(f'socket = "inet:127.0.0.1:{free_port()}"\nlisteners = ["submission"]\n')
        self.mx(daemon, message("from outside"))
        self.assertEqual(len(daemon.messages("bob")), 1)
        daemon.stop()


if __name__ == "__main__":
    unittest.main()
