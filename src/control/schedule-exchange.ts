/**
 * Schedules as a file: what people wrote of each, under its name, without ids, versions and what beats keep. A file goes in
 * whole or not at all. A name that stands is a fault, unless `mode` says to skip it or to replace it, which is an edit.
 *
 *   { "rowbeat": 1, "schedules": [ { "name": "nightly", "task": "books.import", "schedule": { … }, … } ] }
 */
import { isObject, pointerStep } from '../check.ts'
import { sleep } from '../clock.ts'
import type { Queryable } from '../db/handle.ts'
import { findScheduleNames, importSchedules, type ImportOutcome } from '../db/statements/schedule-edits.ts'
import { ScheduleError, type Fault } from '../errors.ts'
import type { ScheduleDefinition } from '../schedules/definition.ts'
import type { ScheduleCheck } from './schedule-check.ts'
import { refuseSchedule } from './schedule-refusal.ts'

export interface ScheduleFile {
  /** Of this format. */
  rowbeat: 1
  schedules: ScheduleDefinition[]
}

/** What to do with a name that stands. */
export type ImportMode = 'refuse' | 'skip' | 'replace'

export interface Imported {
  created: number
  replaced: number
  skipped: number
}

/** Faults that are told of one file. */
const FAULTS_MAX = 100

/** Rows that are read before others of this process get a turn. */
const STRIDE = 100

export async function makeFile(
  rows: readonly string[],
  toDefinition: (row: string) => ScheduleDefinition,
): Promise<ScheduleFile> {
  const schedules: ScheduleDefinition[] = []
  for (const [index, row] of rows.entries()) {
    if (index % STRIDE === STRIDE - 1) await sleep(0)
    schedules.push(toDefinition(row))
  }
  return { rowbeat: 1, schedules }
}

/** Throws ScheduleError with a pointer into the file for each fault; then nothing was written. */
export async function importFile(
  db: Queryable,
  check: ScheduleCheck,
  { file, mode, nowMs }: { file: unknown; mode: ImportMode; nowMs: number },
  save: (definitions: readonly object[], replace: boolean) => ReturnType<typeof importSchedules>,
): Promise<Imported> {
  const bodies = readFile(file)
  const { definitions, faults } = await readDefinitions(bodies, check, nowMs)
  const names = definitions.map((definition) => definition.name)
  const standing = new Set(mode === 'refuse' ? await findScheduleNames(db, names) : [])
  const taken = definitions.flatMap(({ name }, index) =>
    standing.has(name)
      ? [
          {
            pointer: `/schedules/${index}/name`,
            detail: `${JSON.stringify(name)} stands already; take mode skip or replace`,
          },
        ]
      : [],
  )
  if (faults.length > 0) throw refuseSchedule([...faults, ...taken].slice(0, FAULTS_MAX))
  if (taken.length > 0)
    throw new ScheduleError(
      'RB_SCHEDULE_DUPLICATE',
      `Nothing was imported: ${taken[0]!.pointer} ${taken[0]!.detail}.`,
      taken.slice(0, FAULTS_MAX),
    )
  const outcomes = await save(definitions, mode === 'replace')
  const count = (one: ImportOutcome): number => outcomes.filter(({ outcome }) => outcome === one).length
  return { created: count('created'), replaced: count('replaced'), skipped: count('skipped') }
}

function readFile(file: unknown): readonly unknown[] {
  const detail = 'must be a file that export made: {"rowbeat": 1, "schedules": [ … ]}'
  if (!isObject(file)) throw refuseSchedule([{ pointer: '', detail }])
  const faults = Object.keys(file)
    .filter((key) => key !== 'rowbeat' && key !== 'schedules')
    .map((key) => ({ pointer: pointerStep(key), detail: 'is no part of a file of schedules' }))
  if (file.rowbeat !== 1)
    faults.push({ pointer: '/rowbeat', detail: 'must be 1, the format of this release' })
  if (!Array.isArray(file.schedules)) faults.push({ pointer: '/schedules', detail: 'must be an array' })
  if (faults.length > 0) throw refuseSchedule(faults)
  return file.schedules as unknown[]
}

async function readDefinitions(
  bodies: readonly unknown[],
  check: ScheduleCheck,
  nowMs: number,
): Promise<{ definitions: ScheduleDefinition[]; faults: Fault[] }> {
  const definitions: ScheduleDefinition[] = []
  const faults: Fault[] = []
  const places = new Map<string, number>()
  for (const [index, body] of bodies.entries()) {
    if (index % STRIDE === STRIDE - 1) await sleep(0)
    const read = await check.inspect(body, nowMs)
    const definition = read.definition as ScheduleDefinition
    const found = [...read.faults]
    const first = places.get(definition.name)
    if (first !== undefined)
      found.push({ pointer: '/name', detail: `is also the name of /schedules/${first}; name each once` })
    else if (definition.name !== undefined) places.set(definition.name, index)
    for (const { pointer, detail } of found) faults.push({ pointer: `/schedules/${index}${pointer}`, detail })
    definitions.push(definition)
    if (faults.length >= FAULTS_MAX) break
  }
  return { definitions, faults }
}
