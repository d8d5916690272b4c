"""What a server's processes use: processor time, memory, octets written. A server is one process and all below it."""

import os
from dataclasses import dataclass

CLOCK_TICK = os.sysconf("SC_CLK_TCK")


def descendants(roots):
    """The given processes and everything below them, as process ids."""
    children = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        fields = _stat_fields(int(name))
        if fields:
            children.setdefault(int(fields[1]), []).append(int(name))
    found, todo = [], list(roots)
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo.extend(children.get(pid, []))
    return found


@dataclass
class Usage:
    """Sums over the processes. CPU and octets written include processes that ended and were waited for."""

    cpu_s: float = 0.0
    written_bytes: int = 0
    pss_kb: int = 0
    pss_anon_kb: int = 0
    rss_anon_kb: int = 0
    processes: int = 0


def usage(roots, memory=False):
    """The usage of the trees under `roots` now; memory only when asked, since reading it walks page tables."""
    total = Usage()
    for pid in descendants(roots):
        fields = _stat_fields(pid)
        if not fields:
            continue
        total.processes += 1
        # utime, stime, cutime, cstime: fields 14 to 17 of proc(5), of which the first two are cut off.
        total.cpu_s += sum(int(fields[i]) for i in range(11, 15)) / CLOCK_TICK
        total.written_bytes += _value(f"/proc/{pid}/io", "write_bytes")
        if memory:
            rollup = f"/proc/{pid}/smaps_rollup"
            total.pss_kb += _value(rollup, "Pss")
            total.pss_anon_kb += _value(rollup, "Pss_Anon")
            total.rss_anon_kb += _value(f"/proc/{pid}/status", "RssAnon")
    return total


def _stat_fields(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            # The program's name stands in parentheses and may hold spaces.
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None


def _value(path, key):
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith(key + ":"):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0
