"""What a running program has cost so far, read from /proc: CPU time and memory of all of its processes."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
# proc(5): "5" sets the peak resident set size back to what is resident now.
_RESET_PEAK = "5"


@dataclass(frozen=True)
class Cpu:
    """CPU time in seconds."""

    user: float
    system: float

    @property
    def total(self) -> float:
        return self.user + self.system

    def __add__(self, other: "Cpu") -> "Cpu":
        return Cpu(self.user + other.user, self.system + other.system)

    def __sub__(self, other: "Cpu") -> "Cpu":
        return Cpu(self.user - other.user, self.system - other.system)


def parse_stat(text: str, ticks: int = _TICKS) -> tuple[int, Cpu]:
    """The parent's pid, and the CPU time with that of children already waited for, from /proc/PID/stat."""
    # The second field is the name in parentheses, and a name may hold spaces and parentheses itself.
    fields = text.rpartition(")")[2].split()
    utime, stime, cutime, cstime = (int(field) / ticks for field in fields[11:15])
    return int(fields[1]), Cpu(utime + cutime, stime + cstime)


def parse_status(text: str, name: str) -> int:
    """One size of /proc/PID/status in KiB; 0 where the kernel does not tell."""
    for line in text.splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    return 0


def family(pid: int) -> list[int]:
    """A process and all of its living descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent, _ = parse_stat((entry / "stat").read_text("utf-8", "replace"))
                children.setdefault(parent, []).append(int(entry.name))
    members = [pid]
    for member in members:
        members.extend(children.get(member, ()))
    return members


class Meter:
    """Reads one program; the list of its processes is taken once, when nothing starts or ends any more."""

    def __init__(self, pid: int) -> None:
        self._directories = [Path(f"/proc/{member}") for member in family(pid)]

    def cpu(self) -> Cpu:
        """CPU time of all processes since their start."""
        total = Cpu(0.0, 0.0)
        for directory in self._directories:
            total += parse_stat((directory / "stat").read_text("utf-8", "replace"))[1]
        return total

    def rss_kib(self) -> int:
        """Resident memory now, in KiB; pages that processes share count once for each."""
        return self._sum("VmRSS")

    def peak_rss_kib(self) -> int:
        """The most that was resident since `reset_peak`, in KiB."""
        return self._sum("VmHWM")

    def reset_peak(self) -> None:
        """Forget the peak so far, where the kernel allows it (else it counts from the start of the program)."""
        for directory in self._directories:
            with contextlib.suppress(OSError):
                (directory / "clear_refs").write_text(_RESET_PEAK)

    def _sum(self, name: str) -> int:
        return sum(parse_status((directory / "status").read_text(), name) for directory in self._directories)
