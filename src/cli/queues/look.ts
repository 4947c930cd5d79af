/**
 * Commands that only look at queues: list, show.
 */
import { PROCESS } from '../../auth/scopes.ts'
import { createQueueControl, type QueueControl, type QueueDocument } from '../../control/queues.ts'
import type { Rowbeat } from '../../queue/rowbeat.ts'
import { withRowbeat } from '../database.ts'
import { readSettings, type Flags } from '../options.ts'
import { tableOf } from '../table.ts'
import { EXIT, say, tell } from '../words.ts'

export interface Desk {
  control: QueueControl
  rowbeat: Rowbeat
  json: boolean
}

/** Runs `work` with the control of queues. */
export async function atDesk(flags: Flags, work: (desk: Desk) => Promise<number | void>): Promise<number> {
  const { config, json } = await readSettings(flags)
  return await withRowbeat(config, async (rowbeat) => {
    const control = createQueueControl(rowbeat)
    return (await work({ control, rowbeat, json })) ?? EXIT.done
  })
}

export async function list(flags: Flags): Promise<number> {
  return await atDesk(flags, async ({ control, json }) => {
    const items = await control.list(PROCESS)
    if (json) say({ items, next: null })
    else if (items.length === 0) tell('There are no queues.')
    else
      say(
        tableOf([['NAME', 'STATE', 'WAITING', 'OLDEST', 'RUNNING', 'SLOTS', 'LIMITS'], ...items.map(rowOf)]),
      )
  })
}

export async function show(name: string, flags: Flags): Promise<number> {
  return await atDesk(flags, async ({ control, json }) => {
    const queue = await control.read(PROCESS, name)
    if (json) return say(queue)
    const { waiting, workers, capped, ...rest } = queue
    const lines = [
      ...Object.entries(rest).map(([key, value]) => [key, value === null ? '-' : String(value)]),
      ['waiting', waitingOf(queue)],
      ...Object.entries(waiting)
        .filter(([, n]) => n > 0)
        .map(([place, n]) => [`  ${place}`, String(n)]),
      ['workers', workers.map(({ name: worker, slots }) => `${worker} (${slots})`).join(', ') || '-'],
    ]
    say(tableOf(lines))
    if (capped) tell('Counting ends at 20,000 for each place: there are more.')
  })
}

function rowOf(queue: QueueDocument): string[] {
  const { name, state, resume_at, oldest_age, running, slots } = queue
  return [
    name,
    resume_at === null ? state : `${state} until ${resume_at}`,
    waitingOf(queue),
    oldest_age === null ? '-' : ageOf(oldest_age),
    String(running),
    String(slots),
    limitsOf(queue),
  ]
}

/** All that waits, in one number; "~": at least. */
function waitingOf({ waiting, capped }: QueueDocument): string {
  const total = Object.values(waiting).reduce((sum, n) => sum + n, 0)
  return capped ? `~${total}` : String(total)
}

function limitsOf({ concurrency, rate, rate_burst }: QueueDocument): string {
  const limits = [
    concurrency === null ? '' : `${concurrency} at once`,
    rate === null ? '' : rate_burst === null ? rate : `${rate} burst ${rate_burst}`,
  ]
  return limits.filter(Boolean).join(', ') || '-'
}

function ageOf(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`
}
