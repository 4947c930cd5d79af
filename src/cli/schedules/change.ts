/**
 * Commands that change a schedule: create, edit, delete, pause, resume, revert. What they print is the id or, with --json,
 * the schedule; what became of it is told in words.
 */
import { PROCESS } from '../../auth/scopes.ts'
import { ConfigError } from '../../errors.ts'
import { parseDuration } from '../../duration.ts'
import { isInstant } from '../../instant.ts'
import { say, tell } from '../words.ts'
import { definitionFrom, type DefinitionFlags } from './flags.ts'
import { answer, atDesk, locate, matchOf, type VersionFlags } from './setting.ts'

export async function create(
  name: string,
  task: string,
  input: string,
  flags: DefinitionFlags & { disabled?: boolean },
): Promise<number> {
  const body = { ...definitionFrom({ ...flags, input }), name, task, enabled: !flags.disabled }
  return await atDesk(flags, async ({ control, json }) => {
    const made = await control.create(PROCESS, body)
    say(json ? made : made.id)
  })
}

export interface EditFlags extends DefinitionFlags, VersionFlags {
  name?: string
  task?: string
  input?: string
  unset?: string[]
}

export async function edit(which: string, flags: EditFlags): Promise<number> {
  const unset = (flags.unset ?? []).map((field) => [field.replaceAll('-', '_'), null])
  const body = { ...definitionFrom(flags), ...(Object.fromEntries(unset) as object) }
  if (Object.keys(body).length === 0)
    throw new ConfigError('Say what to change: `rowbeat schedules edit --help` lists what can be.')
  return await atDesk(flags, async (desk) => {
    const id = await locate(desk.control, which)
    const edited = await desk.control.edit(PROCESS, id, body, matchOf(flags))
    const taken =
      edited.origin === 'code' ? '; the code that declared it leaves it alone until it is reverted' : ''
    answer(desk, edited, `is at version ${edited.version} now, ${edited.text}${taken}`)
  })
}

export async function remove(which: string, flags: VersionFlags): Promise<number> {
  return await atDesk(flags, async (desk) => {
    const id = await locate(desk.control, which)
    const gone = await desk.control.delete(PROCESS, id, matchOf(flags))
    answer(desk, gone, 'is deleted')
    if (gone.origin === 'code')
      tell(
        'Code declared it: a beat that starts with that code makes it again. To keep it from running, pause it.',
      )
  })
}

export async function pause(
  which: string,
  flags: VersionFlags & { reason?: string; until?: string },
): Promise<number> {
  const { reason = null } = flags
  const until = flags.until === undefined ? null : untilFrom(flags.until)
  return await atDesk(flags, async (desk) => {
    const id = await locate(desk.control, which)
    const paused = await desk.control.pause(PROCESS, id, { reason, until }, matchOf(flags))
    answer(desk, paused, paused.resume_at === null ? 'is paused' : `is paused until ${paused.resume_at}`)
  })
}

export async function resume(which: string, flags: VersionFlags): Promise<number> {
  return await atDesk(flags, async (desk) => {
    const id = await locate(desk.control, which)
    answer(desk, await desk.control.resume(PROCESS, id, matchOf(flags)), 'is switched on')
  })
}

export async function revert(
  which: string,
  flags: VersionFlags & { to?: number; reason?: string },
): Promise<number> {
  const { to: version = null, reason = null } = flags
  return await atDesk(flags, async (desk) => {
    const id = await locate(desk.control, which)
    const reverted = await desk.control.revert(PROCESS, id, matchOf(flags), { version, reason })
    const then = version === null ? 'what its code declares' : `what it was at version ${version}`
    answer(desk, reverted, `is ${then}: ${reverted.text}`)
  })
}

/** RFC 3339, or seconds from now. */
function untilFrom(text: string): string | number {
  if (isInstant(text)) return text
  const ms = parseDuration(text)
  if (ms !== null) return ms / 1000
  throw new ConfigError(
    `--until is "${text}": give an instant such as 2026-01-31T12:00:00Z, or a duration such as "2 hours".`,
  )
}
