"""Programs that take all of tweets.raw, each in its own way; `benchmarks.throughput` runs them one after the other."""
