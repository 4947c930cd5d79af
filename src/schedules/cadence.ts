/**
 * The instants of a schedule without its bounds, as each kind works them out; all are whole milliseconds since 1970. The
 * answer depends on nothing but the schedule and the question: beats that never met find the same instants.
 */
export interface Cadence {
  /** The first instant after `afterMs`, or null when there is none. */
  next(afterMs: number): number | null
  /** The last instant before `beforeMs`, or null when there is none. */
  previous(beforeMs: number): number | null
  /** How many instants lie from `fromMs` to `untilMs`, both included, where that is quicker than walking them. */
  count?(fromMs: number, untilMs: number): number
}

/** The last millisecond of the year 9999: what is later has no RFC 3339 text. */
export const LAST_MS = 253_402_300_799_999
/** The first of the year 1. */
export const FIRST_MS = -62_135_596_800_000
