"""Simulated power cuts of the whole daemon under load: what was acknowledged is in every state the disk may be in.

The daemon runs with powerlog.c loaded, which logs its writes and syncs, while clients put load on it. Each client notes
how long the log was when an answer arrived; a cut at a later place of the log must keep what was answered. Images of
the disk are rebuilt for cuts at random places and right at answers, a daemon is started over each, and its mailboxes
are judged. Then all of it once more with nosync.c loaded too, which makes syncing do nothing: the test must find a loss.
"""

import argparse
import pathlib
import random
import shutil
import sys
import threading
import time

import disk_image
import harness
import ledger as ledgers
import load


def record_load(folder, preload, seconds, seed):
    """Runs a daemon under load until it is killed; returns its ledger, its log and the copy from before."""
    log_file = folder / "power.log"
    daemon = harness.Daemon(folder=folder / "live", preload=preload,
                            environment={"POWERLOG_FOLDER": str((folder / "live" / "data").resolve()),
                                         "POWERLOG_FILE": str(log_file)})
    try:
        daemon.make_users()
        shutil.copytree(daemon.data, folder / "base", ignore=lambda _, names: [n for n in names if n == "admin.sock"])
        daemon.start()
        ledger = ledgers.Ledger(mark=lambda: log_file.stat().st_size)
        clients = load.Load(daemon, ledger, "load", seed)
        threading.Event().wait(seconds)
        daemon.kill()
        clients.join()
    finally:
        daemon.remove()
    if ledger.problems:
        raise harness.Failure("\n".join(ledger.problems))
    return daemon, ledger, log_file.read_bytes()


def moments(ledger, log, count, rng):
    """Places of the log to cut at: the end, places right at an answer (the hardest ones), and any others."""
    answers = sorted(entry.accept.answered for entry in ledger.entries.values() if entry.accept.answered is not None)
    first = answers[0]
    at = [len(log)] + [rng.choice(answers) for _ in range(count // 2)]
    return (at + [rng.randint(first, len(log)) for _ in range(count)])[:count]


def judge_cut(folder, recorded, until, rng):
    """Problems that a daemon over one image of the disk shows."""
    daemon, ledger, log = recorded
    disk = disk_image.Disk(daemon.data.resolve(), folder / "base")
    disk.replay(log, until)
    with_image = folder / "cut"
    shutil.rmtree(with_image, ignore_errors=True)
    shutil.copytree(daemon.folder, with_image, ignore=shutil.ignore_patterns("data", "log.txt", "notify"))
    disk.write_image(with_image / "data", rng)
    (with_image / "data").chmod(0o700)
    again = harness.Daemon(folder=with_image)
    try:
        again.start()
        observer = ledgers.Observer()
        problems = ledgers.Judge(ledger).judge(observer.observe(again), limit=until) + observer.problems
        again.stop()
        again.fsck()
        return problems
    except Exception as failure:  # whatever a damaged store makes of an answer is a loss, not an accident of this test
        status = again.process.poll() if again.process else None
        ended = f"the daemon ended by itself, status {status}: " if status is not None else ""
        return [f"{ended}{type(failure).__name__}: {failure}"]
    finally:
        again.kill()


def campaign(folder, preload, options, name):
    """Records one load and cuts it; returns the problems of each cut."""
    folder = folder / name
    folder.mkdir()
    rng = random.Random(f"{options.seed}-{name}")
    recorded = record_load(folder, preload, options.seconds, options.seed)
    done, open_ones = recorded[1].counts()
    print(f"{name}: {done} acknowledged, {open_ones} cut off, log of {len(recorded[2]) >> 10} KiB", flush=True)
    if done < 50:
        raise harness.Failure("too little load to prove anything")
    for number, until in enumerate(moments(recorded[1], recorded[2], options.cuts, rng), 1):
        problems = judge_cut(folder, recorded, until, rng)
        kept = recorded[1].counts(until)[0]
        print(f"{name}: cut {number} at {until} with {kept} acknowledged: "
              f"{'all there' if not problems else problems[0].splitlines()[0][:150]}", flush=True)
        yield until, problems


def play(folder, options):
    for until, problems in campaign(folder, [options.powerlog], options, "synced"):
        if problems:
            print(f"FAILED: a power cut at {until} (seed {options.seed}):")
            print("\n".join("  " + problem for problem in problems[:30]))
            return 1
    for _, problems in campaign(folder, [options.nosync, options.powerlog], options, "not synced"):
        if problems:
            print("ok: nothing is lost in a power cut, and without syncing the loss is seen")
            return 0
    print("FAILED: nothing was lost although nothing was synced, so this test sees no loss")
    return 1


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--nosync", required=True, type=lambda path: pathlib.Path(path).resolve())
    arguments.add_argument("--powerlog", required=True, type=lambda path: pathlib.Path(path).resolve())
    arguments.add_argument("--cuts", type=int, default=10)
    arguments.add_argument("--seconds", type=float, default=1.5, help="of load")
    arguments.add_argument("--seed", type=int, default=int(time.time()))
    options = arguments.parse_args()
    print(f"seed {options.seed}")
    if harness.sanitized():
        print("SKIPPED: a sanitizer's runtime must be loaded first; needs a daemon without (MERPATI_RELEASE_DAEMON)")
        return harness.SKIPPED
    holder = harness.Daemon()  # its folder holds everything
    try:
        return play(holder.folder, options)
    finally:
        holder.remove()


if __name__ == "__main__":
    sys.exit(main())
