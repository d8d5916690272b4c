"""A message to a list of ten thousand members, with SIGKILL in the middle: each member has exactly as many copies as every
other one, none of an acknowledged message is missing, and one message is one body.

In each round a message goes to the list and the daemon is killed at a random instant behind the final dot, or not at all.
Mailboxes are counted by list_site while no daemon runs, then fsck reads all of it.
"""

import argparse
import os
import random
import signal
import smtplib
import subprocess
import sys
import threading
import time

import harness

LIMIT_S = 1.0  # a whole list, from the final dot to the reply


def send(daemon, number, kill_after):
    """Seconds until the reply, or None when there was none."""
    process = daemon.process
    timer = threading.Timer(kill_after or 0, lambda: os.kill(process.pid, signal.SIGKILL))
    client = smtplib.SMTP("127.0.0.1", daemon.ports["smtp"], "client.example.net", timeout=120)
    try:
        client.ehlo()
        client.mail("carol@example.net")
        assert client.rcpt("all@example.org")[0] == 250
        client.putcmd("data")
        assert client.getreply()[0] == 354
        if kill_after is not None:
            timer.start()
        began = time.monotonic()
        client.send(f"From: carol@example.net\r\nSubject: round {number}\r\n\r\n{'x' * 4000}\r\n.\r\n".encode())
        code, _ = client.getreply()
        took = time.monotonic() - began
        return took if code == 250 else None
    except (smtplib.SMTPServerDisconnected, OSError):
        return None
    finally:
        timer.cancel()
        if timer.ident:
            timer.join()
        client.close()


def play(daemon, site, members, rounds, rng):
    store = daemon.data / "shards" / "0"
    store.parent.mkdir(parents=True)
    subprocess.run([site, "make", store, str(members)], check=True)
    acknowledged = sent = 0
    fastest = None
    for number in range(1, rounds + 1):
        daemon.start()
        kill_after = None if number % 3 == 1 else rng.uniform(0.0, 0.6 * (fastest or 1.0) + 0.1)
        took = send(daemon, number, kill_after)
        daemon.kill()
        sent += 1
        if took is not None:
            acknowledged += 1
            fastest = min(fastest or took, took)
        counted = subprocess.run([site, "count", store], check=True, capture_output=True, text=True).stdout.split("\n")
        groups = [tuple(map(int, line.split())) for line in counted if line]
        killed = "not killed" if kill_after is None else f"killed after {kill_after * 1000:.0f} ms"
        print(f"round {number}: {killed}, {'no reply' if took is None else f'250 after {took * 1000:.0f} ms'}; "
              f"{', '.join(f'{n} members have {c} messages' for c, n in groups)}", flush=True)
        if len(groups) != 1 or groups[0][1] != members or not acknowledged <= groups[0][0] <= sent:
            print(f"FAILED: {acknowledged} messages were acknowledged, {sent} sent")
            return 1
        acknowledged = sent = groups[0][0]
    print(f"fsck: {daemon.fsck().strip().splitlines()[-1]}")
    bodies = sum(f.stat().st_size for f in (store / "segments").iterdir())
    print(f"ok: {acknowledged} messages to {members} members each, the fastest in {fastest * 1000:.0f} ms, "
          f"{bodies} octets of bodies on disk")
    if bodies > 16 * 2**20 + acknowledged * 100_000:
        print("FAILED: a message is stored more than once")
        return 1
    if fastest > LIMIT_S and not harness.sanitized():
        print(f"FAILED: no list was done within {LIMIT_S} s")
        return 1
    return 0


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--site", required=True, help="the program list_site")
    arguments.add_argument("--members", type=int, default=10_000)
    arguments.add_argument("--rounds", type=int, default=6)
    arguments.add_argument("--seed", type=int, default=int(time.time()))
    options = arguments.parse_args()
    print(f"seed {options.seed}")
    daemon = harness.Daemon()
    try:
        return play(daemon, options.site, options.members, options.rounds, random.Random(options.seed))
    finally:
        daemon.remove()


if __name__ == "__main__":
    sys.exit(main())
