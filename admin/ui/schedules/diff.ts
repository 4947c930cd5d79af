/** What differs between two definitions, down to the single value, as people compare them. Pure. */
export interface Difference {
  /** As in `schedule.minute`. */
  path: string
  /** Undefined: not there. */
  before: unknown
  after: unknown
}

export function differences(before: unknown, after: unknown, path = ''): Difference[] {
  if (isRecord(before) && isRecord(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])]
    return keys.flatMap((key) => differences(before[key], after[key], path ? `${path}.${key}` : key))
  }
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ path, before, after }]
}

export function valueText(value: unknown): string {
  if (value === undefined) return '–'
  return typeof value === 'string' ? value || '""' : JSON.stringify(value)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
