"""SIGKILL at random instants under SMTP and IMAP load: nothing that was acknowledged is lost or doubled.

Each round: load from several clients, SIGKILL, now and then another one while the daemon starts again, restart (timed),
all mailboxes read and judged (ledger.py), ordered stop, fsck.
"""

import argparse
import os
import random
import signal
import sys
import threading
import time

import harness
import ledger as ledgers
import load

RESTART_LIMIT_S = 2.0  # promise P6


def kill_while_starting(daemon, rng):
    """Starts the daemon and kills it before, or just after, it is ready."""
    timer = threading.Timer(rng.uniform(0.001, 0.08), lambda: daemon.process and os.kill(daemon.process.pid, signal.SIGKILL))
    timer.start()
    try:
        daemon.start()
    except (harness.Failure, FileNotFoundError):
        pass
    finally:
        timer.join()
        daemon.kill()


def play(daemon, rounds, seed):
    rng = random.Random(seed)
    ledger = ledgers.Ledger()
    judge, observer = ledgers.Judge(ledger), ledgers.Observer()
    daemon.make_users()
    slowest = 0.0
    for number in range(1, rounds + 1):
        daemon.start()
        before = ledger.counts()[0]
        clients = load.Load(daemon, ledger, f"r{number}", f"{seed}-{number}")
        threading.Event().wait(rng.uniform(0.15, 1.2))  # the instant is what this test varies
        daemon.kill()
        clients.join()
        if rng.random() < 0.3:
            kill_while_starting(daemon, rng)
        took = daemon.start()
        slowest = max(slowest, took)
        problems = judge.judge(observer.observe(daemon)) + observer.problems + ledger.problems
        if took > RESTART_LIMIT_S and not harness.sanitized():
            problems.append(f"the restart took {took:.2f} s")
        daemon.stop()
        report = daemon.fsck()
        done, open_ones = ledger.counts()
        print(f"round {number}: {done - before} acknowledged ({done} in all, {open_ones} cut off), restart {took:.2f} s, "
              f"fsck: {report.strip().splitlines()[-1] if report.strip() else 'clean'}", flush=True)
        if problems:
            print(f"FAILED in round {number} (seed {seed}):")
            print("\n".join("  " + problem for problem in problems[:30]))
            return 1
    done, open_ones = ledger.counts()
    if done < 10 * rounds:
        print(f"FAILED: only {done} messages were acknowledged, this proves nothing")
        return 1
    print(f"ok: {rounds} rounds, {done} acknowledged, {open_ones} cut off, none lost or doubled, slowest restart {slowest:.2f} s")
    return 0


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seed", type=int, default=int(time.time()))
    options = arguments.parse_args()
    print(f"seed {options.seed}")
    daemon = harness.Daemon()
    try:
        status = play(daemon, options.rounds, options.seed)
        if status:
            print("---- log ----\n" + daemon.log_tail())
    finally:
        daemon.remove()
    return status


if __name__ == "__main__":
    sys.exit(main())
