"""Rows of the table: ours, the peer's, their ratio, and whether that is the goal."""

import dataclasses
import statistics


@dataclasses.dataclass
class Row:
    """One comparison. `ours` and `theirs` are the runs of each side; their medians count."""

    number: int
    what: str
    peer: str
    unit: str
    ours: list
    theirs: list
    relation: str = ""  # ">=" or "<=" of ratio and goal; none = for information only
    goal: float = 0
    note: str = ""
    runs: dict = dataclasses.field(default_factory=dict)
    most: float | None = None  # what ours must not exceed besides
    least: float | None = None  # what ours must reach besides
    cpu_wait_share: float = 0
    timed: bool = True  # figures that a busy machine makes worthless
    # An answer that rests on the peer's work cannot beat it: then either side is measured wrongly.
    cannot_beat_peer: bool = False

    def median(self, side):
        return statistics.median(side) if side else None

    @property
    def ratio(self):
        return self.median(self.ours) / self.median(self.theirs) if self.ours and self.theirs else None

    def goal_text(self):
        if not self.relation:
            return "-"
        texts = [f"{self.relation} {self.goal}"] if self.goal not in (0, float("inf")) else []
        texts += [f"<= {self.most:g} {self.unit}"] if self.most is not None else []
        texts += [f">= {self.least:,.0f} {self.unit}"] if self.least is not None else []
        return ", ".join(texts)

    def verdict(self, busy_from):
        if not self.relation:
            return "no goal"
        if self.timed and self.cpu_wait_share > busy_from:
            return "busy machine"
        if self.cannot_beat_peer and self.ratio < 1:
            return "implausible"
        met = self.ratio >= self.goal if self.relation == ">=" else self.ratio <= self.goal
        if self.most is not None and self.median(self.ours) > self.most:
            met = False
        if self.least is not None and self.median(self.ours) < self.least:
            met = False
        return "met" if met else "missed"

    def as_json(self, busy_from):
        return {"row": self.number, "what": self.what, "peer": self.peer, "unit": self.unit,
                "ours": self.median(self.ours), "theirs": self.median(self.theirs), "ratio": self.ratio,
                "goal": self.goal_text(), "verdict": self.verdict(busy_from), "note": self.note,
                "cpu_wait_share": self.cpu_wait_share, "all_ours": self.ours, "all_theirs": self.theirs,
                "runs": self.runs}


def number(value, unit=""):
    if value is None:
        return "-"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 3
    return f"{value:,.{digits}f} {unit}".rstrip()


def print_rows(rows, busy_from):
    header = ["row", "what", "ours", "peer", "", "ratio", "goal", ""]
    lines = [[str(r.number), r.what, number(r.median(r.ours), r.unit), number(r.median(r.theirs)), r.peer,
              "-" if r.ratio is None else f"{r.ratio:.2f}", r.goal_text(), r.verdict(busy_from)] for r in rows]
    widths = [max(len(line[i]) for line in [header, *lines]) for i in range(len(header))]
    right = {2, 3, 5}
    for line in [header, *lines]:
        print("  ".join(c.rjust(w) if i in right else c.ljust(w)
                        for i, (c, w) in enumerate(zip(line, widths))).rstrip())
    for r in rows:
        if r.note:
            print(f"row {r.number}, {r.what}, {r.peer}: {r.note}")
