// Latencies in log-linear buckets: 64 to each power of two, so that a percentile is at most 1.6 % off.
#pragma once
#include <stdint.h>
#include <stdio.h>

enum { SUB_BITS = 6, SUB = 1 << SUB_BITS, BUCKETS = 48 * SUB };

struct histogram {
  uint64_t counts[BUCKETS];
  uint64_t total;
};

static inline int bucket_of(int64_t ns) {
  uint64_t value = ns < 0 ? 0 : (uint64_t)ns;
  if (value < 2 * SUB) return (int)value;
  int shift = 63 - __builtin_clzll(value) - SUB_BITS;
  int bucket = shift * SUB + (int)(value >> shift);
  return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

/* The middle of a bucket, in nanoseconds. */
static inline double value_of(int bucket) {
  if (bucket < 2 * SUB) return bucket;
  int shift = bucket / SUB - 1;
  uint64_t low = (uint64_t)(bucket - shift * SUB) << shift;
  return (double)low + (double)(1ULL << shift) / 2;
}

static inline void record(struct histogram *histogram, int64_t ns) {
  histogram->counts[bucket_of(ns)]++;
  histogram->total++;
}

/* In microseconds; `share` is 0.99 for p99. */
static inline double percentile(const struct histogram *histogram, double share) {
  uint64_t wanted = (uint64_t)((double)histogram->total * share), seen = 0;
  for (int bucket = 0; bucket < BUCKETS; bucket++) {
    seen += histogram->counts[bucket];
    if (seen > wanted) return value_of(bucket) / 1000;
  }
  return 0;
}

/* The percentiles as members of a JSON object, in microseconds. */
static inline void print_percentiles(const struct histogram *histogram) {
  printf(",\"p50\":%.2f,\"p90\":%.2f,\"p99\":%.2f,\"p999\":%.2f", percentile(histogram, 0.5),
         percentile(histogram, 0.9), percentile(histogram, 0.99), percentile(histogram, 0.999));
}
