/** What is other between two documents of the audit log, field by field. Pure. */
export interface Change {
  field: string
  /** Undefined: it was not there. */
  before: string | undefined
  after: string | undefined
}

type Fields = Readonly<Record<string, unknown>> | null

export function changesBetween(before: Fields, after: Fields): Change[] {
  const names = new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])
  return [...names]
    .map((field) => ({ field, before: textOf(before, field), after: textOf(after, field) }))
    .filter((change) => change.before !== change.after)
}

function textOf(fields: Fields, name: string): string | undefined {
  if (!fields || !Object.hasOwn(fields, name)) return undefined
  const value = fields[name]
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** Where in the panel something of the log is shown, or null. */
export function placeOf(kind: string, target: string | null): string | null {
  const places: Record<string, string> = { run: 'runs', schedule: 'schedules', queue: 'queues' }
  const resource = Object.hasOwn(places, kind) ? places[kind] : undefined
  return resource && target ? `/resources/${resource}/records/${encodeURIComponent(target)}/show` : null
}
