#!/usr/bin/env python3
"""The state of a source file at moments of its history, from the sample itself: no code is shared with the server.

    source_file_state.py FILE.ndjson.zst AGGREGATE MOMENT...

A MOMENT is a sequence number (0: before the first event), or a time (RFC 3339): then the events that happened
(occurredAt) at or before it are folded, in the order in which they are stored. Writes a line for each moment:
{"sequenceNumber": of the last event folded, "eventsApplied", "state"}. data/source_file_handler.js folds the same.
"""

import datetime
import json
import subprocess
import sys


def events_of(path, aggregate):
    lines = subprocess.run(["zstd", "-dcq", path], capture_output=True, check=True).stdout.decode().split("\n")
    events = []
    for line in lines:
        if line:
            event = json.loads(line)
            if event["aggregateId"] == aggregate:
                events.append(event)
    return events


def parsed(time):
    return datetime.datetime.fromisoformat(time.replace("Z", "+00:00")).astimezone(datetime.timezone.utc)


def written(time):
    return parsed(time).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def commit_of(event):
    return {"commit": event["data"]["commit"], "author": event["userId"], "occurredAt": written(event["occurredAt"])}


def authors_of(numbered):
    authors = {}
    for _, event in numbered:
        authors[event["userId"]] = authors.get(event["userId"], 0) + 1
    return authors


def state_of(numbered):
    """Of pairs of sequence number and event."""
    total = lambda member: sum(event["data"].get(member, 0) for _, event in numbered)
    last = numbered[-1][1] if numbered else None
    return {
        "exists": last is not None and last["eventType"] != "FileDeleted",
        "changes": len(numbered),
        "linesAdded": total("linesAdded"),
        "linesRemoved": total("linesRemoved"),
        "binaryChanges": sum(1 for _, event in numbered if event["data"].get("binary")),
        "authors": authors_of(numbered),
        "renames": [
            {"from": event["data"]["from"], "similarity": event["data"]["similarity"], "number": number}
            for number, event in numbered if event["eventType"] == "FileRenamed"
        ],
        "first": commit_of(numbered[0][1]) if numbered else None,
        "last": {**commit_of(last), "subject": last["data"]["subject"]} if last else None,
    }


def main():
    path, aggregate, moments = sys.argv[1], sys.argv[2], sys.argv[3:]
    numbered = list(enumerate(events_of(path, aggregate), 1))
    for moment in moments:
        if moment.isdigit():
            chosen = numbered[:int(moment)]
        else:
            end = parsed(moment)
            chosen = [(number, event) for number, event in numbered if parsed(event["occurredAt"]) <= end]
        answer = {
            "sequenceNumber": chosen[-1][0] if chosen else 0,
            "eventsApplied": len(chosen),
            "state": state_of(chosen),
        }
        print(json.dumps(answer, ensure_ascii=False, separators=(",", ":")))


main()
