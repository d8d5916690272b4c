"""Starts a Merpati daemon of its own for one test, with users in it, and ends it again.

A daemon listens on ports that the system chose, keeps its data in a temporary folder and is awaited by the READY=1
that it sends to its service manager: no test sleeps and no two tests can meet. After an ordered stop the log is read,
and a line at error level, a sanitizer's report or an exit status other than 0 fails the test.
"""

import contextlib
import http.client
import imaplib
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

DOMAIN = "example.org"
HOSTNAME = "mail.example.org"
PASSWORDS = {"alice": "correct horse 1", "bob": "battery staple 2"}
START_DEADLINE_S = 60  # a sanitized daemon on a busy machine; a healthy one needs a fraction of a second
STOP_DEADLINE_S = 30  # the daemon promises 10; sanitizers write their reports within this time too
SKIPPED = 77

KINDS = ("smtp", "submission", "submissions", "lmtp", "imap", "imaps", "pop3", "pop3s")

ERROR_LINE = re.compile(
    r"^\S+ (?:\x1b\[[0-9;]*m)?error|AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|terminate called"
)


class Failure(Exception):
    """The daemon did not do what its contract says."""


def daemon_program():
    program = os.environ.get("MERPATI_DAEMON", "")
    if not program or not os.access(program, os.X_OK):
        print(f"SKIPPED: MERPATI_DAEMON names no program ({program!r}); ctest sets it")
        sys.exit(SKIPPED)
    return program


def sanitized():
    return bool(os.environ.get("MERPATI_DAEMON_SANITIZED"))


def need(program, package):
    """Path of a client program, or the end of this test as skipped."""
    found = shutil.which(program)
    if not found:
        print(f"SKIPPED: {program} is not installed (Debian package {package})")
        sys.exit(SKIPPED)
    return found


def no_leak_check():
    """A daemon that stops while peers keep connections open ends those by force, and what CAF still holds of them at the end
    of the process is no leak. All else that sanitizers find counts; the unit tests look for leaks."""
    return {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}


def make_certificate(folder):
    """A self-signed certificate that is its own CA, for the names and addresses that the tests use."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", f"/CN={HOSTNAME}", "-addext", f"subjectAltName=DNS:localhost,DNS:{HOSTNAME},IP:127.0.0.1",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True)
    return certificate, key


class Daemon:
    """One data folder and the daemon processes that run over it, one after the other."""

    def __init__(self, limits=None, preload=(), environment=None, plaintext_login=False, folder=None, extra=""):
        self.program = daemon_program()
        self.owned_folder = folder is None
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="merpati-test-", dir=os.environ.get("MERPATI_TEST_DISK")))
        self.folder.mkdir(exist_ok=True)
        self.data = self.folder / "data"
        self.config = self.folder / "merpati.toml"
        self.log = self.folder / "log.txt"
        self.preload = list(preload)
        self.environment = {**no_leak_check(), **(environment or {})}
        self.process = None
        self.ports = {}
        self.admin = None
        self.expected_errors = []
        self.log_checked_to = 0
        if not (self.folder / "cert.pem").exists():
            make_certificate(self.folder)
        self.certificate = self.folder / "cert.pem"
        self.listeners = []
        self.write_config(limits or {}, plaintext_login, extra)

    def write_config(self, limits, plaintext_login=False, extra=""):
        lines = [f'hostname = "{HOSTNAME}"', 'data_dir = "data"', "[tls]", 'certificate = "cert.pem"', 'key = "key.pem"']
        for kind in KINDS:
            lines += ["[[listener]]", f'kind = "{kind}"', 'address = "127.0.0.1"', "port = 0"]
            if plaintext_login and kind in ("submission", "imap", "pop3"):
                lines.append("plaintext_login = true")
        lines += ["[admin]", 'address = "127.0.0.1"', "port = 0"]
        if limits:
            lines.append("[limits]")
            lines += [f"{name} = {value}" for name, value in limits.items()]
        lines += ["[log]", 'level = "info"']
        self.config.write_text("\n".join(lines) + "\n" + extra)

    # Command line

    def command(self, *arguments, stdin=None, check=True, timeout=120):
        done = subprocess.run([self.program, *arguments], input=stdin, capture_output=True, text=True, timeout=timeout,
                              env={**os.environ, "MERPATI_CONFIG": str(self.config)})
        if check and done.returncode != 0:
            raise Failure(f"merpati {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def make_users(self, names=("alice", "bob"), domain=DOMAIN):
        self.command("domain", "add", domain)
        for name in names:
            password = PASSWORDS.get(name, name + " pass word")
            self.command("user", "add", f"{name}@{domain}", "--password-file", "-", stdin=password + "\n")

    # Life of the process

    def start(self):
        """Starts the daemon and returns the seconds until it was ready."""
        notify_path = str(self.folder / "notify")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(notify_path)
        environment = {**os.environ, **self.environment, "MERPATI_CONFIG": str(self.config), "NOTIFY_SOCKET": notify_path}
        if self.preload:
            environment["LD_PRELOAD"] = ":".join(map(str, self.preload))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, open(self.log, "ab") as log:
            notify.bind(notify_path)
            started = time.monotonic()
            self.process = subprocess.Popen([self.program, "serve"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=environment)
            self._await_ready(notify, started)
            took = time.monotonic() - started
        found = json.loads((self.data / "run" / "ports.json").read_text())
        if found["pid"] != self.process.pid:
            raise Failure(f"ports.json names pid {found['pid']}, the daemon has {self.process.pid}")
        self.listeners = found["listeners"]  # in the order of the file
        self.ports = {}
        for listener in self.listeners:
            self.ports.setdefault(listener["kind"], listener["port"])
        self.admin = found["admin"]["port"]
        return took

    def _await_ready(self, notify, started):
        child = os.pidfd_open(self.process.pid)
        try:
            while True:
                left = START_DEADLINE_S - (time.monotonic() - started)
                ready, _, _ = select.select([notify, child], [], [], max(left, 0))
                if notify in ready and b"READY=1" in notify.recv(4096):
                    return
                if child in ready:
                    raise Failure(f"the daemon ended while starting, status {self.process.wait()}\n{self.log_tail()}")
                if not ready:
                    self.kill()
                    raise Failure(f"the daemon was not ready after {START_DEADLINE_S} s\n{self.log_tail()}")
        finally:
            os.close(child)

    def stop(self):
        """Ends the daemon in order and reads what it logged."""
        process, self.process = self.process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise Failure(f"the daemon still ran {STOP_DEADLINE_S} s after SIGTERM\n{self.log_tail()}") from None
        self.check_log()
        if status != 0:
            raise Failure(f"the daemon ended with status {status} after SIGTERM\n{self.log_tail()}")

    def kill(self):
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.wait()

    def expect_error(self, pattern):
        """Log lines at error level that match are what this test wants to see."""
        self.expected_errors.append(re.compile(pattern))

    def check_log(self):
        with open(self.log, "rb") as log:
            log.seek(self.log_checked_to)
            text = log.read().decode("utf-8", "replace")
            self.log_checked_to = log.tell()
        bad = [line for line in text.splitlines()
               if ERROR_LINE.search(line) and not any(p.search(line) for p in self.expected_errors)]
        if bad:
            raise Failure("the daemon logged errors:\n" + "\n".join(bad[:20]) + "\n...\n" + self.log_tail())

    def log_tail(self, lines=40):
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return "(no log)"

    def remove(self):
        self.kill()
        if self.owned_folder and not os.environ.get("MERPATI_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)

    # What tests look at

    def client_tls(self):
        context = ssl.create_default_context(cafile=str(self.certificate))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    def metrics(self):
        """Lines of /metrics, name with labels -> value."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=30)
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if line and not line.startswith("#")}

    def messages(self, user, mailbox="INBOX"):
        """Octets of all messages of a mailbox."""
        with imaplib.IMAP4_SSL("127.0.0.1", self.ports["imaps"], ssl_context=self.client_tls()) as client:
            client.login(address(user), PASSWORDS[user])
            client.select(mailbox, readonly=True)
            _, found = client.search(None, "ALL")
            return [client.fetch(number, "(BODY.PEEK[])")[1][0][1] for number in found[0].split()]

    def memory_kb(self):
        """Name to value of the memory lines of /proc/PID/status."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return {name: int(value) for name, value in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.M)}

    def http_get(self, path):
        """(status, body) from the admin port."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def fsck(self):
        """Text of `merpati fsck`; raises if it found anything. The daemon must not run."""
        return self.command("fsck", timeout=600).stdout


@contextlib.contextmanager
def running(**options):
    """A started daemon with alice and bob; stopped in order and judged by its log at the end of the block."""
    daemon = Daemon(**options)
    try:
        daemon.make_users()
        daemon.start()
        yield daemon
        daemon.stop()
    finally:
        if daemon.process is not None:
            print("---- log of the daemon ----\n" + daemon.log_tail(), file=sys.stderr)
        daemon.remove()


def address(name):
    return f"{name}@{DOMAIN}"


def message(subject, body="Hello.\r\n", sender="alice", to="bob", extra=""):
    return (f"From: {address(sender)}\r\nTo: {address(to)}\r\nSubject: {subject}\r\n"
            f"Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{subject.replace(' ', '-')}@example.org>\r\n"
            f"{extra}\r\n{body}")
