"""The server under test: the release build with a private configuration, as a child process."""

import json
import shutil
import subprocess
import time
from pathlib import Path

from server_support import DOMAIN, PASSWORD, BenchError, make_certificate, stop_process

# Only limits that would refuse a load from one single address are raised; everything else is as it comes.
CONFIG = """
hostname = "merpati.bench.example"
data_dir = "data"

[tls]
certificate = "cert.pem"
key = "key.pem"

[[listener]]
kind = "smtp"
address = "127.0.0.1"
port = 0

[[listener]]
kind = "imap"
address = "127.0.0.1"
port = 0
plaintext_login = true

[[listener]]
kind = "imaps"
address = "127.0.0.1"
port = 0

[admin]
address = "127.0.0.1"
port = 0

[limits]
connections_per_address = 20000
"""


class MerpatiServer:
    name = "merpati"
    title = "Merpati"

    def __init__(self, root, program):
        self.root = Path(root).resolve()
        self.program = Path(program).resolve()
        self.config = self.root / "merpati.toml"
        self.process = None
        self._users = []
        self.smtp_port = self.imap_port = self.imaps_port = 0

    def prepare(self, users):
        """Fresh folders and configuration; the accounts are made at the first start."""
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir(parents=True)
        make_certificate(self.root)
        self.config.write_text(CONFIG)
        (self.root / "password").write_text(PASSWORD)
        (self.root / "password").chmod(0o600)
        self._users = users

    def start(self):
        ports_file = self.root / "data" / "run" / "ports.json"
        ports_file.unlink(missing_ok=True)
        log = open(self.root / "merpati.log", "ab")
        self.process = subprocess.Popen([self.program, "serve", "--config", self.config], stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while not ports_file.exists():
            if self.process.poll() is not None:
                raise BenchError(f"Merpati ended with status {self.process.returncode}; see {self.root}/merpati.log")
            if time.monotonic() > deadline:
                self.stop()
                raise BenchError(f"Merpati was not ready in time; see {self.root}/merpati.log")
            time.sleep(0.02)
        listeners = {each["kind"]: each["port"] for each in json.loads(ports_file.read_text())["listeners"]}
        self.smtp_port, self.imap_port, self.imaps_port = (listeners[kind] for kind in ("smtp", "imap", "imaps"))
        if self._users:
            self._command("domain", "add", DOMAIN)
        for user in self._users:
            self._command("user", "add", user, "--password-file", self.root / "password")
        self._users = []

    def stop(self):
        if self.process is not None:
            stop_process(self.process)
        self.process = None

    def roots(self):
        return [self.process.pid]

    def _command(self, *words):
        done = subprocess.run([self.program, *words, "--config", self.config], capture_output=True, text=True)
        if done.returncode != 0:
            raise BenchError(f"merpati {' '.join(map(str, words))}: {done.stdout}{done.stderr}".strip())
