/**
 * `rowbeat check`: is what a deployment would bring understood? Variables, `.env`, rowbeat.config.ts, the modules of tasks, schedules,
 * routes, queue definitions and the app module are read as the servers would read them, but each by itself, so that every
 * fault is told at once. No database is asked unless --with-database says so. A fault is what keeps a process from starting or a
 * schedule from firing; a warning is what may be right where another process does its part.
 */
import { relative } from 'node:path'
import { readConfig, readEnvironment, type Config, type Environment } from '../../config.ts'
import { RowbeatError } from '../../errors.ts'
import { findModules, importModule } from '../../queue/discover.ts'
import { readSecrets } from '../../secrets.ts'
import { readFields, readFile, type Given } from '../config-file.ts'
import { loadApp, unloadable } from '../modules.ts'
import { readSettings, type Flags } from '../options.ts'
import { EXIT, say } from '../words.ts'
import { checkParts, type Part } from './parts.ts'
import { checkStored } from './stored.ts'

export interface CheckFlags extends Flags {
  withDatabase?: boolean
}

/** Something that is wrong, where, and how to mend it. */
export interface Finding {
  level: 'fault' | 'warning'
  /** What has to be mended: a file, a variable, or the database. */
  place: string
  message: string
}

export type Note = (finding: Finding) => void

export async function check(flags: CheckFlags): Promise<number> {
  const findings: Finding[] = []
  const note: Note = (finding) => findings.push(finding)
  const file = await checkFile(note)
  const sound = { ...file.environment, ...checkVariables(note) }
  const settings = findings.length === 0 ? await readSettings(flags, {}).catch(noted(note, 'settings')) : null
  const config = settings?.config ?? readConfig(sound)
  const { given } = file
  const parts = [...partsOf(given), ...(await loadParts(config, note))]
  const counts = checkParts(parts, config, given?.routes ?? null, note)
  await loadApp(config).catch(noted(note, config.app ?? ''))
  if (flags.withDatabase && settings) await checkStored(config, parts, note)
  return tellFindings(findings, counts, flags.json ?? false)
}

/** Each field by itself; what the sound ones say. */
async function checkFile(note: Note): Promise<{ environment: Environment; given: Given | null }> {
  const read = await readFields(process.cwd()).catch(noted(note, 'rowbeat.config'))
  if (!read) return { environment: {}, given: null }
  const sound = Object.entries(read.fields).filter(([field, value]) =>
    isRead(note, read.name, () => readFile(read.name, { [field]: value })),
  )
  return readFile(read.name, Object.fromEntries(sound))
}

/** Each variable by itself; the sound ones. */
function checkVariables(note: Note): Environment {
  let env: Environment = {}
  isRead(note, '.env', () => (env = readSecrets(readEnvironment())))
  const sound = Object.entries(env).filter(([name, value]) =>
    isRead(note, name, () => readConfig({ [name]: value })),
  )
  return Object.fromEntries(sound)
}

function isRead(note: Note, place: string, read: () => unknown): boolean {
  try {
    read()
    return true
  } catch (error) {
    noted(note, place)(error)
    return false
  }
}

function partsOf(given: Given | null): Part[] {
  if (!given) return []
  const place = 'rowbeat.config'
  return [given.tasks, given.schedules, given.queueDefinitions].flatMap((tree) =>
    leavesOf(tree).map((value) => ({ place, value })),
  )
}

/** What a file gives may be nested as its author likes. */
function leavesOf(tree: unknown): unknown[] {
  if (typeof tree !== 'object' || tree === null || Object.keys(tree).some((key) => key.startsWith('~')))
    return tree === undefined || tree === null ? [] : [tree]
  return Object.values(tree).flatMap(leavesOf)
}

async function loadParts(config: Config, note: Note): Promise<Part[]> {
  const parts: Part[] = []
  for (const file of await findModules(config.taskGlobs)) {
    const place = relative(process.cwd(), file)
    try {
      parts.push(...(await importModule(file)).map((value) => ({ place, value })))
    } catch (error) {
      noted(note, place)(error instanceof RowbeatError ? error : unloadable(place, error))
    }
  }
  return parts
}

/** What was thrown, as a fault of that place. */
function noted(note: Note, place: string): (error: unknown) => null {
  return (error) => {
    if (!(error instanceof RowbeatError)) throw error
    note({ level: 'fault', place, message: error.message })
    return null
  }
}

function tellFindings(findings: Finding[], counts: Record<string, number>, json: boolean): number {
  const faults = findings.filter(({ level }) => level === 'fault')
  const found = Object.entries(counts)
    .map(([what, n]) => `${n} ${what}`)
    .join(', ')
  if (json) say({ ok: faults.length === 0, findings, ...counts })
  else {
    const lines = findings.map(({ level, place, message }) =>
      message.startsWith(place) ? `${level}: ${message}` : `${level}: ${place}: ${message}`,
    )
    say(
      [...lines, `${found}; ${faults.length} faults, ${findings.length - faults.length} warnings`].join('\n'),
    )
  }
  return faults.length === 0 ? EXIT.done : EXIT.usage
}
