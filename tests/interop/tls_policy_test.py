"""DANE from DNS to the far end: nsd serves a signed zone, the daemon validates it with the zone's key as trust anchor, and
servers with STARTTLS bear the right certificate, a wrong one or none. All of it in a network namespace of its own."""

import hashlib
import os
import pathlib
import shutil
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest

import harness
from delivery_test import eventually
from harness import Daemon, PASSWORDS, address

INSIDE = "MERPATI_TEST_NAMESPACE"
MX = "192.0.2.25"  # loopback addresses count as the daemon itself
PORT = 2525
DNS_PORT = 5353
ZONE = "far.example"


def enter_namespace():
    """Runs this file once more where the addresses of the test can be given to the loopback interface."""
    if os.environ.get(INSIDE):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        subprocess.run(["ip", "addr", "add", MX + "/32", "dev", "lo"], check=True)
        return
    unshare = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]
    if subprocess.run([*unshare, "true"], capture_output=True).returncode != 0:
        print("SKIPPED: no network namespace can be made here")
        sys.exit(harness.SKIPPED)
    os.environ[INSIDE] = "1"
    os.execvp("unshare", [*unshare, sys.executable, os.path.abspath(__file__), *sys.argv[1:]])


def run(*words, cwd):
    return subprocess.run(words, cwd=cwd, check=True, capture_output=True, text=True).stdout


def make_certificate(folder, name):
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
        f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-keyout", f"{name}.key", "-out", f"{name}.crt", cwd=folder)
    return folder / f"{name}.crt", folder / f"{name}.key"


def key_hash(certificate):
    public = subprocess.run(["openssl", "x509", "-in", certificate, "-pubkey", "-noout"], check=True, capture_output=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=public, check=True, capture_output=True).stdout
    return hashlib.sha256(der).hexdigest()


class MailServer:
    """Takes mail on MX:PORT; with STARTTLS when it has a certificate. Notes the name that clients ask for (SNI)."""

    def __init__(self, certificate=None):
        self.messages, self.names, self.plain_mail = [], [], []
        self.tls = None
        if certificate:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*certificate)
            self.tls.sni_callback = lambda _, name, __: self.names.append(name)
        self.listener = socket.create_server((MX, PORT))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connected, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(connected,), daemon=True).start()

    def talk(self, connected):
        try:
            connected.sendall(b"220 far ESMTP\r\n")
            lines = connected.makefile("rb")
            while line := lines.readline(10_000):
                verb = line.split()[0].upper() if line.split() else b""
                encrypted = isinstance(connected, ssl.SSLSocket)
                if verb == b"EHLO":
                    offer = b"250 STARTTLS\r\n" if self.tls and not encrypted else b"250 OK\r\n"
                    connected.sendall(b"250-far\r\n" + offer)
                elif verb == b"STARTTLS":
                    connected.sendall(b"220 go\r\n")
                    connected = self.tls.wrap_socket(connected, server_side=True)
                    lines = connected.makefile("rb")
                elif verb == b"DATA":
                    connected.sendall(b"354 go\r\n")
                    message = b""
                    while (line := lines.readline(10_000)) not in (b".\r\n", b""):
                        message += line
                    self.messages.append(message)
                    connected.sendall(b"250 2.0.0 taken\r\n")
                else:
                    if verb == b"MAIL" and not encrypted:
                        self.plain_mail.append(line)
                    connected.sendall(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
                    if verb == b"QUIT":
                        break
        except (OSError, ssl.SSLError):
            pass
        finally:
            connected.close()

    def close(self):
        # A thread in accept() keeps a socket that was only closed, and its port with it.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class SignedZone:
    """nsd with far.example, signed; `spoil` changes the signed zone before it is served."""

    def __init__(self, folder, tlsa, spoil=lambda text: text):
        lines = ["$TTL 60", f"{ZONE}. IN SOA ns.{ZONE}. admin.{ZONE}. 1 3600 600 86400 60", f"{ZONE}. IN NS ns.{ZONE}.",
                 f"ns.{ZONE}. IN A 127.0.0.1", f"{ZONE}. IN MX 10 mx.{ZONE}.", f"mx.{ZONE}. IN A {MX}"]
        lines += [f"_{PORT}._tcp.mx.{ZONE}. IN TLSA {record}" for record in tlsa]
        (folder / "zone").write_text("\n".join(lines) + "\n")
        key = run("ldns-keygen", "-k", "-a", "ECDSAP256SHA256", "-r", "/dev/urandom", ZONE, cwd=folder).strip()
        run("ldns-signzone", "-f", "signed", "zone", key, cwd=folder)
        signed = folder / "signed"
        signed.write_text(spoil(signed.read_text()))
        self.anchor = folder / f"{key}.key"
        (folder / "nsd.conf").write_text(
            f"""server:
  ip-address: 127.0.0.1@{DNS_PORT}
  username: ""
  chroot: ""
  zonesdir: "{folder}"
  database: ""
  pidfile: "{folder}/nsd.pid"
  zonelistfile: "{folder}/zone.list"
  xfrdfile: "{folder}/xfrd.state"
  xfrdir: "{folder}"
  server-count: 1
remote-control:
  control-enable: no
zone:
  name: "{ZONE}"
  zonefile: "signed"
""")
        self.process = subprocess.Popen(["nsd", "-d", "-c", str(folder / "nsd.conf")], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        eventually(self.answers, "nsd answers")

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError("nsd ended")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(1)
            asking.connect(("127.0.0.1", DNS_PORT))
            name = b"".join(bytes([len(label)]) + label.encode() for label in ZONE.split(".")) + b"\0"
            try:
                asking.send(b"\x12\x34\0\0\0\1\0\0\0\0\0\0" + name + b"\0\6\0\1")
                return asking.recv(512)
            except OSError:
                return False

    def close(self):
        self.process.terminate()
        self.process.wait()


class DaneTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="merpati-dane-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.certificate = make_certificate(self.folder, f"mx.{ZONE}")
        self.good = "3 1 1 " + key_hash(self.certificate[0])
        self.wrong = "3 1 1 " + "ab" * 32

    def begin(self, tlsa, certificate=None, spoil=lambda text: text, tls=None, authorities=None):
        self.far = MailServer(certificate)
        self.addCleanup(self.far.close)
        zone = SignedZone(self.folder, tlsa, spoil)
        self.addCleanup(zone.close)
        self.daemon = Daemon(extra="[delivery]\n" + f"port = {PORT}\n" + (f'tls = "{tls}"\n' if tls else "")
                             + (f'ca_file = "{authorities}"\n' if authorities else "")
                             + f'[resolver]\nforwarders = ["127.0.0.1@{DNS_PORT}"]\ntrust_anchor = "{zone.anchor}"\n')
        self.addCleanup(self.daemon.remove)
        self.daemon.make_users()
        self.daemon.start()
        with smtplib.SMTP("127.0.0.1", self.daemon.ports["submission"], "localhost", timeout=60) as client:
            client.starttls(context=self.daemon.client_tls())
            client.login(address("alice"), PASSWORDS["alice"])
            client.sendmail(address("alice"), [f"bob@{ZONE}"], f"From: {address('alice')}\r\nSubject: x\r\n\r\nHello\r\n")

    def delivered_with(self, verdict):
        eventually(lambda: self.far.messages, "the message")
        eventually(lambda: self.daemon.command("queue", "list").stdout == "0 recipients wait\n", "an empty list")
        self.daemon.stop()
        self.assertIn(f"(encryption: {verdict})", self.daemon.log.read_text())

    def waits_because(self, *texts):
        why = eventually(lambda: (out := self.daemon.command("queue", "why", f"bob@{ZONE}").stdout) and "1 attempt so far" in out
                         and out, "the first attempt")
        for text in texts:
            self.assertIn(text, why)
        self.daemon.stop()
        self.assertEqual((self.far.messages, self.far.plain_mail), ([], []))

    def test_the_right_certificate(self):
        self.begin([self.good], self.certificate)
        self.delivered_with("TLSv1.3, DANE verified")
        self.assertEqual(self.far.names, [f"mx.{ZONE}"])

    def test_a_wrong_certificate(self):
        self.begin([self.wrong], self.certificate)
        self.waits_because("TLS handshake failed", "Encryption: none: the TLS handshake failed.")

    def test_no_starttls(self):
        self.begin([self.good])
        self.waits_because("the server offers no STARTTLS, which is required here", "Encryption: none: not offered.")

    def test_records_that_can_not_be_used(self):
        self.begin(["1 1 1 " + "ab" * 32], self.certificate)
        self.delivered_with("TLSv1.3, demanded by DANE, certificate not verified")

    def test_no_records(self):
        self.begin([], self.certificate)
        self.delivered_with("TLSv1.3, certificate not verified")

    def test_authorities(self):
        self.begin([], self.certificate, tls="verify", authorities=self.certificate[0])
        self.delivered_with("TLSv1.3, certificate verified")

    def test_a_certificate_that_nobody_asked_for(self):
        self.begin([], self.certificate, authorities=self.certificate[0])
        self.delivered_with("TLSv1.3, certificate trusted")

    def test_the_configuration_may_want_less(self):
        self.begin([self.wrong], self.certificate, tls="may")
        self.delivered_with("TLSv1.3, certificate not verified")

    def test_the_configuration_may_want_more(self):
        self.begin([], self.certificate, tls="dane")
        self.waits_because("has no TLSA record that can be used", "Encryption: none: the host's policy can't be met.")

    def test_forged_records(self):
        self.begin([self.wrong], self.certificate, spoil=lambda text: text.replace("ab" * 32, self.good.split()[3]))
        self.waits_because("DNS does not tell the TLSA records of mx.far.example", "Encryption: none: the host's policy can't be met.")

    def test_a_forged_address_of_the_mail_server(self):
        self.begin([self.good], self.certificate, spoil=lambda text: text.replace(f"MX\t10 mx.{ZONE}", f"MX\t10 ns.{ZONE}"))
        self.waits_because(f"DNS does not tell who takes mail for {ZONE}")


if __name__ == "__main__":
    for program, package in (("nsd", "nsd"), ("ldns-signzone", "ldnsutils"), ("ip", "iproute2"), ("unshare", "util-linux")):
        harness.need(program, package)
    enter_namespace()
    unittest.main()
