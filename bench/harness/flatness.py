"""Whether a figure that was sampled over time stays where it is."""

import dataclasses
import math
import statistics

BUCKETS_MIN = 6


@dataclasses.dataclass
class Trend:
    """A line through the samples: by how much it rises over the whole time, and how sure that is."""

    mean: float
    rise: float   # over the time of the samples
    noise: float  # standard error of `rise`
    tolerance: float

    @property
    def flat(self):
        """Falling is no trouble; a rise is if it is more than noise and more than is worth a word."""
        return not (self.rise > self.tolerance and self.rise > 3 * self.noise)


def trend(samples, tolerance, bucket_seconds):
    """`samples`: (seconds, value). Neighbours are not independent of each other, so medians of buckets are looked at."""
    buckets = {}
    for seconds, value in samples:
        buckets.setdefault(int(seconds // bucket_seconds), []).append(value)
    points = [(bucket, statistics.median(values)) for bucket, values in sorted(buckets.items())]
    if len(points) < BUCKETS_MIN:
        raise ValueError("too few samples for a trend")
    xs, ys = [x for x, _ in points], [y for _, y in points]
    slope, start = statistics.linear_regression(xs, ys)
    residue = sum((y - start - slope * x) ** 2 for x, y in points) / (len(points) - 2)
    spread = sum((x - statistics.fmean(xs)) ** 2 for x in xs)
    span = xs[-1] - xs[0]
    return Trend(statistics.fmean(ys), slope * span, math.sqrt(residue / spread) * span, tolerance)
