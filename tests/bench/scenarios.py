"""What is measured: one function per kind of load, each for one server and one round, giving figures as a dictionary."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import process_stats
from server_support import DOMAIN, PASSWORD, BenchError


@dataclass
class Sizes:
    """How much of each load; the reference gets fewer messages where it takes as long for them."""

    rounds: int = 3
    smtp_users: int = 64
    smtp_messages: dict = None
    messages_per_session: int = 10
    fetch_messages: int = 20_000
    fetch_rounds: int = 5
    idle_sessions: int = 1000
    idle_users: int = 200
    idle_mailbox: int = 10

    @staticmethod
    def full():
        return Sizes(smtp_messages={("reference", 64): 2000, ("merpati", 64): 15_000, ("reference", 1): 400, ("merpati", 1): 2000})

    @staticmethod
    def quick():
        return Sizes(rounds=1, smtp_users=16, fetch_messages=2000, idle_sessions=100, idle_users=20,
                     smtp_messages={("reference", 64): 800, ("merpati", 64): 4000, ("reference", 1): 100, ("merpati", 1): 500})


def accounts(sizes):
    """Names of all accounts that the loads use."""
    yield from (f"user{i:04d}@{DOMAIN}" for i in range(sizes.smtp_users))
    yield from (f"idle{i:04d}@{DOMAIN}" for i in range(sizes.idle_users))
    yield f"fetch0000@{DOMAIN}"


class LoadRun:
    """One run of the load generator: its events one after the other, each answered when the next may come."""

    def __init__(self, program, *words):
        words = [*map(str, words), "--domain", DOMAIN, "--password", PASSWORD]
        self._process = subprocess.Popen([program, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_failure):
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            pipe.close()

    def expect(self, event):
        line = self._process.stdout.readline()
        if not line:
            raise BenchError(self._process.stderr.read().strip() or "the load generator ended without a word")
        figures = json.loads(line)
        if figures.pop("event") != event:
            raise BenchError(f"the load generator said {line.strip()!r} instead of {event}")
        return figures

    def go_on(self):
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def finish(self):
        self._process.stdin.close()
        if self._process.wait() != 0:
            raise BenchError(self._process.stderr.read().strip())


class Scenarios:
    def __init__(self, load_generator, sizes):
        self.load_generator = Path(load_generator).resolve()
        self.sizes = sizes
        self._runs = 0

    def _load(self, *words):
        return LoadRun(self.load_generator, *words)

    def smtp(self, server, sessions, *extra):
        """Messages of 4 KB until all are in their mailboxes."""
        messages = self.sizes.smtp_messages[server.name, sessions]
        self._runs += 1
        os.sync()
        with self._load("smtp", "--smtp-port", server.smtp_port, "--imap-port", server.imap_port, "--sessions", sessions,
                        "--messages", messages, "--messages-per-session", self.sizes.messages_per_session,
                        "--users", self.sizes.smtp_users, "--run", f"run{self._runs}", *extra) as run:
            run.expect("ready")
            before = process_stats.usage(server.roots())
            run.go_on()
            figures = run.expect("done")
            after = process_stats.usage(server.roots())
            run.finish()
        figures["server_cpu_ms_per_message"] = (after.cpu_s - before.cpu_s) * 1000 / messages
        figures["client_cpu_ms_per_message"] = figures.pop("client_cpu_s") * 1000 / messages
        figures["written_bytes_per_message"] = (after.written_bytes - before.written_bytes) / messages
        return figures

    def fill(self, server):
        """The mailbox for FETCH; the same messages in each server."""
        with self._load("fill", "--imap-port", server.imap_port, "--user-prefix", "fetch",
                        "--messages", self.sizes.fetch_messages) as run:
            figures = run.expect("done")
            run.finish()
        return figures

    def fetch(self, server, items):
        """FETCH 1:* of some items, best of several."""
        with self._load("fetch", "--imap-port", server.imap_port, "--user-prefix", "fetch", "--items", items,
                        "--messages", self.sizes.fetch_messages, "--rounds", self.sizes.fetch_rounds) as run:
            run.expect("ready")
            before = process_stats.usage(server.roots())
            run.go_on()
            figures = run.expect("done")
            after = process_stats.usage(server.roots())
            run.finish()
        figures["server_cpu_ms"] = (after.cpu_s - before.cpu_s) * 1000 / self.sizes.fetch_rounds
        figures["client_cpu_ms"] = figures.pop("client_cpu_s") * 1000 / self.sizes.fetch_rounds
        return figures

    def fill_idle_mailboxes(self, server):
        """A few messages for each account of the idle sessions."""
        with self._load("smtp", "--smtp-port", server.smtp_port, "--imap-port", server.imap_port, "--sessions", 16,
                        "--messages", self.sizes.idle_users * self.sizes.idle_mailbox, "--users", self.sizes.idle_users,
                        "--user-prefix", "idle", "--run", "idle") as run:
            run.expect("ready")
            run.go_on()
            run.expect("done")
            run.finish()

    def idle(self, server):
        """Memory per idle TLS session. The server is started anew, so that nothing freed earlier hides the growth."""
        server.stop()
        server.start()
        with self._load("idle", "--imaps-port", server.imaps_port, "--sessions", self.sizes.idle_sessions,
                        "--users", self.sizes.idle_users, "--user-prefix", "idle") as run:
            run.expect("ready")
            first = process_stats.usage(server.roots(), memory=True)
            run.go_on()
            half_count = run.expect("open")["sessions"]
            half = process_stats.usage(server.roots(), memory=True)
            run.go_on()
            count = run.expect("open")["sessions"]
            full = process_stats.usage(server.roots(), memory=True)
            run.go_on()
            run.expect("closed")
            run.finish()
        return {"sessions": count,
                "kb_per_session": (full.pss_kb - first.pss_kb) / count,
                "anon_kb_per_session": (full.rss_anon_kb - first.rss_anon_kb) / count,
                "second_half_kb_per_session": (full.pss_kb - half.pss_kb) / (count - half_count),
                "pss_before_kb": first.pss_kb, "pss_after_kb": full.pss_kb,
                "processes": full.processes,
                "login_cpu_ms_per_session": (full.cpu_s - first.cpu_s) * 1000 / count}
