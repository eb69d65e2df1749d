"""What the clients of a soak were told is stored, and whether it is. An event's id names its writer and its number, and
those two give its content, so that the ledger is one byte an event."""

import json
import random

ACKNOWLEDGED, READ_BACK = 1, 2


def event_id(writer, number):
    return f"{writer:08x}-0000-7000-8000-{number:012x}"


def event(writer, number):
    """The same whenever it is asked for: the server compares repeats byte by byte."""
    rolled = random.Random(writer << 40 | number)
    aggregate = f"{('mission', 'order', 'src/file', 'größe')[rolled.randrange(4)]}-{rolled.randrange(500)}"
    return {
        "eventId": event_id(writer, number), "eventType": f"Soak{rolled.randrange(8)}", "aggregateId": aggregate,
        "correlationId": f"soak-{writer}", "data": {"writer": writer, "number": number,
                                                    "pad": "x" * int(rolled.paretovariate(1.2) * 40 % 4000)},
    }


class Ledger:
    """Each writer adds to its own row only, so that no lock is needed."""

    def __init__(self, writers):
        self.rows = [bytearray() for _ in range(writers)]

    def next_number(self, writer):
        return len(self.rows[writer])

    def acknowledge(self, writer, numbers):
        for number in numbers:
            row = self.rows[writer]
            row.extend(bytes(max(0, number + 1 - len(row))))
            row[number] |= ACKNOWLEDGED

    def acknowledged(self):
        return sum(value & ACKNOWLEDGED for row in self.rows for value in row)

    def read_back(self, line):
        """Checks a line of NDJSON; what is wrong with it, or None."""
        stored = json.loads(line)
        writer, number = int(stored["eventId"][:8], 16), int(stored["eventId"][-12:], 16)
        if writer >= len(self.rows):
            return None  # of a client that did not wait for its answer
        sent = event(writer, number)
        if any(stored[name] != value for name, value in sent.items()):
            return f"event {stored['eventId']} is not what was sent"
        row = self.rows[writer]
        row.extend(bytes(max(0, number + 1 - len(row))))
        if row[number] & READ_BACK:
            return f"event {stored['eventId']} is stored twice"
        row[number] |= READ_BACK
        return None

    def missing(self):
        return [event_id(writer, number) for writer, row in enumerate(self.rows) for number, value in enumerate(row)
                if value == ACKNOWLEDGED]
