/**
 * Whether anybody is there. A page that is left open asks on by itself, and its sign-in must end all the same: after five minutes without a
 * hand on it, what it asks says so, and does not count as use (admin/shell/arrival.ts).
 */
export interface Attendance {
  /** To be sent along. */
  headers(): Record<string, string>
}

const AWAY_MS = 5 * 60_000
const SIGNS = ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart']

export function watchAttendance(): Attendance {
  let seenMs = Date.now()
  for (const sign of SIGNS)
    globalThis.addEventListener?.(sign, () => void (seenMs = Date.now()), { passive: true, capture: true })
  return Object.freeze({
    headers: (): Record<string, string> =>
      Date.now() - seenMs > AWAY_MS ? { 'rowbeat-unattended': '1' } : {},
  })
}
