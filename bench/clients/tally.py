"""What the clients saw, collected from all their threads."""

import collections
import threading
import time


class Tally:
    KEPT_MAX = 20

    def __init__(self):
        self.lock = threading.Lock()
        self.latencies = []
        self.counts = collections.Counter()
        self.unexpected = {}  # text: when it was first seen
        self.unexpected_count = 0

    def request(self, what, seconds):
        with self.lock:
            self.latencies.append(seconds)
            self.counts[what] += 1

    def count(self, what):
        with self.lock:
            self.counts[what] += 1

    def surprise(self, text):
        with self.lock:
            self.unexpected_count += 1
            if len(self.unexpected) < self.KEPT_MAX:
                self.unexpected.setdefault(text, time.strftime("%H:%M:%S"))

    def take_latencies(self):
        with self.lock:
            taken, self.latencies = self.latencies, []
        return sorted(taken)
