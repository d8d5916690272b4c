"""Clients that are slow, silent or loud cost the others nothing: the same honest work, alone and among them."""

import smtplib
import socket
import statistics
import threading
import time
import unittest

import harness
from harness import address, message

MESSAGES = 60
HOSTILE = 40  # below the 50 connections of one address that strangers have; loopback is not counted
# What others may add to a message's time. They share two processors with us here, so the floods cost something; a server
# in which one client waits for another would stand still for seconds.
FACTOR = 6
SLACK_S = 0.3


class FloodTest(unittest.TestCase):
    def setUp(self):
        self.context = harness.running()
        self.daemon = self.context.__enter__()
        self.stop = threading.Event()
        self.threads = []

    def tearDown(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(60)
        self.context.__exit__(None, None, None)

    def honest(self):
        """Seconds for each of some messages over one connection."""
        times = []
        with smtplib.SMTP("127.0.0.1", self.daemon.ports["smtp"], "client.example.net", timeout=60) as client:
            for i in range(MESSAGES):
                began = time.monotonic()
                client.sendmail("carol@example.net", [address("bob")], message(f"honest {i}", sender="carol"))
                times.append(time.monotonic() - began)
        return times

    def attack(self, act):
        def run():
            while not self.stop.is_set():
                try:
                    with socket.create_connection(("127.0.0.1", self.daemon.ports["smtp"]), timeout=5) as connected:
                        act(connected)
                except OSError:
                    pass

        for _ in range(HOSTILE):
            thread = threading.Thread(target=run, daemon=True)
            thread.start()
            self.threads.append(thread)

    def judge(self, act):
        alone = self.honest()
        self.attack(act)
        among = self.honest()
        print(f"median alone {statistics.median(alone) * 1000:.1f} ms, among them {statistics.median(among) * 1000:.1f} ms, "
              f"longest {max(among) * 1000:.0f} ms")
        self.assertLess(statistics.median(among), FACTOR * statistics.median(alone) + SLACK_S)

    def test_silent_clients(self):
        self.judge(lambda connected: self.stop.wait(5))

    def test_a_letter_at_a_time(self):
        def act(connected):
            connected.recv(1000)
            for octet in b"EHLO slow.example.net\r\nMAIL FROM:<x@example.net>\r\n" * 20:
                if self.stop.wait(0.05):
                    return
                connected.sendall(bytes([octet]))

        self.judge(act)

    def test_floods_without_line_ends(self):
        def act(connected):
            connected.settimeout(1)
            for _ in range(50):
                if self.stop.is_set():
                    return
                connected.sendall(b"x" * 65536)

        self.judge(act)

    def test_clients_that_read_nothing(self):
        def act(connected):
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            connected.settimeout(1)
            for _ in range(200):
                if self.stop.is_set():
                    return
                connected.sendall(b"NOOP\r\n" * 100)

        self.judge(act)


if __name__ == "__main__":
    unittest.main()
