/**
 * Whether a schedule may be saved: its definition can be read, its input is one the task takes, and an instant of it lies
 * ahead. Every wrong place is told at once. What is switched off need not have an instant ahead, but one that could
 * ever come: so what has fired its last can be exported and brought back.
 */
import { isObject } from '../check.ts'
import { EnqueueError, type Fault } from '../errors.ts'
import type { Almanac } from '../schedules/almanac.ts'
import { findClashes, readDefinition, whyNever, type ScheduleDefinition } from '../schedules/definition.ts'
import { definitionOf, isAnsweredOnly, type ScheduleDocument } from './schedule-document.ts'
import { refuseSchedule } from './schedule-refusal.ts'

export interface ScheduleCheck {
  /** What is wrong with a whole definition. `error` is set when the input, and nothing else, is. */
  inspect(body: unknown, nowMs: number): Promise<Inspected>
  /** A body as the whole definition it gives. Throws ScheduleError, or EnqueueError when only the input is refused. */
  readWhole(body: unknown, nowMs: number): Promise<ScheduleDefinition>
  /** The same for a document that was read and changed: what is only answered in it is left out. */
  readDocument(body: unknown, nowMs: number): Promise<ScheduleDefinition>
  /** What an edit of `current` changes. Throws as `readWhole`. */
  readEdit(body: unknown, current: ScheduleDocument, nowMs: number): Promise<Partial<ScheduleDefinition>>
  /** Throws unless an instant of it lies ahead. */
  requireFuture(schedule: ScheduleDocument, nowMs: number): void
}

export interface Inspected {
  definition: Partial<ScheduleDefinition>
  faults: readonly Fault[]
  error: unknown
}

/** `checkInput` throws EnqueueError with its faults. */
export function createScheduleCheck(
  almanac: Almanac,
  zone: string,
  checkInput: (task: string, input: unknown) => Promise<void>,
): ScheduleCheck {
  const refusalOf = async (task: string, input: unknown): Promise<EnqueueError | null> => {
    try {
      await checkInput(task, input)
      return null
    } catch (error) {
      if (error instanceof EnqueueError) return error
      throw error
    }
  }
  const inspect = async (body: unknown, nowMs: number): Promise<Inspected> => {
    const { definition, faults } = readDefinition(body, { zone })
    const { task, input } = definition
    const refusal = task === undefined || input === undefined ? null : await refusalOf(task, input)
    if (faults.length > 0) return { definition, faults: [...faults, ...(refusal?.faults ?? [])], error: null }
    if (refusal) return { definition, faults: refusal.faults, error: refusal }
    const never = whyNever(definition as ScheduleDefinition, almanac, fromMs(definition, nowMs))
    return { definition, faults: never ? [never] : [], error: null }
  }
  const readWhole = async (body: unknown, nowMs: number): Promise<ScheduleDefinition> => {
    const { definition, faults, error } = await inspect(body, nowMs)
    if (error) throw error
    if (faults.length > 0) throw refuseSchedule(faults)
    return definition as ScheduleDefinition
  }

  return Object.freeze({
    inspect,
    readWhole,
    readDocument(body: unknown, nowMs: number) {
      if (!isObject(body)) return readWhole(body, nowMs)
      const written = Object.entries(body).filter(([key]) => !isAnsweredOnly(key))
      return readWhole(Object.fromEntries(written), nowMs)
    },
    async readEdit(body: unknown, current: ScheduleDocument, nowMs: number) {
      const { definition, faults } = readDefinition(completeSpec(body, current), { zone, partial: true })
      const before = definitionOf(current)
      const after = { ...before, ...definition }
      const isInputGiven = 'task' in definition || 'input' in definition
      const refusal = isInputGiven ? await refusalOf(after.task, after.input) : null
      const wrong = faults.length > 0 ? faults : findClashes(after)
      if (wrong.length === 0 && refusal) throw refusal
      if (wrong.length > 0) throw refuseSchedule([...wrong, ...(refusal?.faults ?? [])])
      const never = isTimingOther(before, after) ? findNever(after, almanac, nowMs) : []
      if (never.length > 0) throw refuseSchedule(never)
      return definition
    },
    requireFuture(schedule: ScheduleDocument, nowMs: number) {
      const { firings_max, firings_total } = schedule
      if (firings_max !== null && firings_total >= firings_max) {
        const detail = `is reached: it fired ${firings_total} times; give a higher one, or none`
        throw refuseSchedule([{ pointer: '/firings_max', detail }])
      }
      const never = findNever({ ...definitionOf(schedule), enabled: true }, almanac, nowMs)
      if (never.length > 0) throw refuseSchedule(never)
    },
  })
}

function findNever(definition: ScheduleDefinition, almanac: Almanac, nowMs: number): Fault[] {
  // A row that SQL wrote may hold what cannot be read.
  const read = almanac.read(definition.schedule)
  if ('faults' in read) return read.faults
  const never = whyNever(definition, almanac, fromMs(definition, nowMs))
  return never ? [never] : []
}

/** From when an instant of it must lie ahead. */
function fromMs({ enabled }: Partial<ScheduleDefinition>, nowMs: number): number {
  return enabled ? nowMs : 0
}

/** Whether an edit says anew when it fires: only then must an instant lie ahead. To switch off is always allowed. */
function isTimingOther(before: ScheduleDefinition, after: ScheduleDefinition): boolean {
  const timing = ({ schedule, start_at, end_at, anchor_at }: ScheduleDefinition): string =>
    JSON.stringify([schedule, start_at, end_at, anchor_at])
  return timing(before) !== timing(after) || (after.enabled && !before.enabled)
}

/** `{"schedule": {"minute": "5"}}` changes the minute; with a kind, the schedule is another one and stands for itself. */
function completeSpec(body: unknown, { schedule }: ScheduleDocument): unknown {
  if (!isObject(body) || !isObject(body.schedule) || Object.hasOwn(body.schedule, 'kind')) return body
  return { ...body, schedule: { ...(schedule as object), ...body.schedule } }
}
