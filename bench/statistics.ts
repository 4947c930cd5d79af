/**
 * The few figures the tables are made of. Medians, not means: on a shared machine one bad round says more
 * about the neighbours than about the code. Ratios are taken round by round, since two contestants of one
 * round ran within seconds of each other, and only then is their median taken.
 */
export interface Spread {
  median: number
  min: number
  max: number
}

export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) return NaN
  const sorted = [...values].sort((a, b) => a - b)
  const place = (sorted.length - 1) * share
  const low = Math.floor(place)
  const high = Math.ceil(place)
  return sorted[low]! + (sorted[high]! - sorted[low]!) * (place - low)
}

export function spread(values: readonly number[]): Spread {
  return { median: quantile(values, 0.5), min: Math.min(...values), max: Math.max(...values) }
}

/** p50, p95 and p99 of a list of spans, under names that begin with `prefix`. */
export function percentiles(prefix: string, values: readonly number[]): Record<string, number> {
  return {
    [`${prefix}P50`]: quantile(values, 0.5),
    [`${prefix}P95`]: quantile(values, 0.95),
    [`${prefix}P99`]: quantile(values, 0.99),
  }
}
