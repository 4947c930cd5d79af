/** docs/reference/http.md has every route, field and parameter of the API, and no other. */
import { fastify } from 'fastify'
import t from 'tap'
import { rowbeatPlugin } from '../../src/api/plugin.ts'
import { readOperationQuery } from '../../src/api/operation-body.ts'
import { readRunBody } from '../../src/api/run-body.ts'
import { readRunQuery } from '../../src/api/run-query.ts'
import { readFiringFeedQuery } from '../../src/api/firing-query.ts'
import {
  readFiringQuery,
  readImportQuery,
  readListQuery,
  readPreviewQuery,
  readRecentQuery,
  readTimelineQuery,
  readVersionQuery,
} from '../../src/api/schedule-query.ts'
import { readControlQuery, readInspectQuery } from '../../src/api/worker-query.ts'
import { createScheduleReader } from '../../src/control/schedule-document.ts'
import { SCHEDULE_JSON } from '../../src/db/statements/schedules.ts'
import type { RequestError } from '../../src/errors.ts'
import { createRowbeat } from '../../src/index.ts'
import { parseRun } from '../../src/results/run.ts'
import { createAlmanac } from '../../src/schedules/almanac.ts'
import { readDefinition } from '../../src/schedules/definition.ts'
import { readSpec, type ScheduleSpec } from '../../src/schedules/spec.ts'
import { blocksOf, codeOf, readPage, rowsBy, tablesOf } from './page.ts'

const page = readPage('docs/reference/http.md')
/** The first column of the table under a heading. */
const names = (heading: string, column: string): string[] =>
  tablesOf(page)
    .filter((table) => table.heading === heading)
    .flatMap(({ rows }) => rows.filter((row) => Object.keys(row)[0] === column))
    .map((row) => codeOf(row[column]!))
/** What a refusal says is known. */
const known = (refusal: () => void): string[] => {
  try {
    refusal()
    return []
  } catch (error) {
    return /known are (.*)$/.exec((error as RequestError).faults[0]!.detail)![1]!.split(', ')
  }
}

interface Seen {
  method: string
  url: string
  needs: string
  /** Answers 405: the route is there to say so. */
  isRefusal: boolean
}

/** The routes as Fastify has them. No connection is opened: nothing is asked. */
async function routesOfApi(): Promise<Seen[]> {
  const rowbeat = createRowbeat({ databaseUrl: 'postgres://127.0.0.1:1/nowhere' })
  const app = fastify()
  const seen: Seen[] = []
  app.addHook('onRoute', ({ method, url, config, onRequest }) => {
    const access = config!.rowbeat!
    const needs = access.auth === 'scope' ? access.scope : access.auth
    for (const one of [method].flat())
      seen.push({ method: one, url, needs, isRefusal: onRequest !== undefined })
  })
  await app.register(rowbeatPlugin, { rowbeat })
  await app.ready()
  await app.close()
  await rowbeat.close()
  return seen
}

/** An address as people write it: `:id(^[^:/]+)::run` is `:id:run`. */
const plain = (url: string): string => url.replace(/\(\^[^)]*\)/, '').replace('::', ':')

t.test('every route is told, with the scope it needs', async (t) => {
  const routes = await routesOfApi()
  const real = routes
    .filter(({ method, isRefusal }) => !isRefusal && method !== 'HEAD')
    .map(({ method, url, needs }) => [`${method} ${plain(url)}`, needs === 'public' ? 'nothing' : needs])
  const told = rowsBy(page, 'Route').map((row) => [codeOf(row.Route!), codeOf(row.Needs!) || row.Needs])
  t.strictSame(Object.fromEntries(told), Object.fromEntries(real))
  const headings = [...page.matchAll(/^## ((?:GET|POST|PUT|PATCH|DELETE) .*)$/gm)].map(
    ([, heading]) => heading!,
  )
  t.strictSame(headings.toSorted(), told.map(([route]) => route).toSorted())
  t.ok(routes.some(({ isRefusal }) => isRefusal))
})

t.test('every field of a body is told', async (t) => {
  const run = readRunBody({ task: 'demo.add', no_such_field: 1 }).faults
  const schedule = readDefinition({ no_such_field: 1 }, { zone: 'UTC' }).faults
  for (const [heading, [fault]] of [
    ['POST /v1/runs', run],
    ['POST /v1/schedules', schedule],
  ] as const) {
    const real = /known are (.*)$/.exec(fault!.detail)![1]!.split(', ')
    t.strictSame(names(heading, 'Field').toSorted(), real.toSorted(), heading)
  }
})

t.test('every parameter of a query is told', async (t) => {
  const readers: Record<string, (query: unknown) => unknown> = {
    'GET /v1/runs': readRunQuery,
    'GET /v1/operations': readOperationQuery,
    'GET /v1/schedules': readListQuery,
    'GET /v1/schedules/:id/firings': readFiringQuery,
    'GET /v1/firings': readFiringFeedQuery,
    'GET /v1/schedules/:id/preview': readPreviewQuery,
    'GET /v1/schedules/:id/versions': readVersionQuery,
    'GET /v1/schedules:timeline': readTimelineQuery,
    'GET /v1/schedules:recent': readRecentQuery,
    'POST /v1/schedules:import': readImportQuery,
    'GET /v1/inspect/:what': readInspectQuery,
    'POST /v1/control/:command': readControlQuery,
  }
  for (const [heading, read] of Object.entries(readers)) {
    const real = known(() => read({ no_such_parameter: '1' }))
    t.strictSame(names(heading, 'Parameter').toSorted(), real.toSorted(), heading)
  }
  t.equal(
    rowsBy(page, 'Parameter').length,
    Object.keys(readers).flatMap((heading) => names(heading, 'Parameter')).length,
  )
})

t.test('every kind of schedule is told, with its fields', async (t) => {
  const rows = rowsBy(page, '`kind`')
  const told = rows.map((row) => codeOf(row['`kind`']!))
  const [{ detail }] = fault({})
  t.strictSame(
    told.map((kind) => detail.includes(kind)),
    [true, true, true, true],
  )
  for (const [n, kind] of told.entries()) {
    const [{ detail: words }] = fault({ kind, no_such_field: 1 })
    for (const field of /known are (.*)$/.exec(words)![1]!.split(', '))
      t.ok(rows[n]!['Its fields']!.includes(`\`${field}\``), `${kind} ${field}`)
  }
  const solar = rows.find((row) => row['`kind`'] === '`solar`')!['Its fields']!
  const [{ detail: events }] = fault({ kind: 'solar', event: 'x', latitude: 0, longitude: 0 })
  for (const [event] of events.matchAll(/[a-z]+_[a-z]+|sunrise|sunset/g))
    t.ok(solar.includes(`\`${event}\``), event)

  function fault(schedule: object): [{ detail: string }] {
    const read = readSpec(schedule, '', 'UTC')
    return ('faults' in read ? read.faults : []) as unknown as [{ detail: string }]
  }
})

t.test(
  'the schedule that is shown has the keys of a schedule, in order, and what is shown to be sent is taken',
  async (t) => {
    const shown = blocksOf(page)
      .filter(({ language }) => language === 'json')
      .map(({ text }) => JSON.parse(text) as Record<string, any>)
    const whole = shown.find((one) => 'firings_total' in one)!
    t.strictSame(Object.keys(whole), [
      ...[...SCHEDULE_JSON.matchAll(/'([a-z_]+)', /g)].map(([, key]) => key),
      'text',
    ])
    const sent = shown.find((one) => 'task' in one && 'schedule' in one && !('id' in one))!
    t.strictSame(readDefinition(sent, { zone: 'UTC' }).faults, [])
    const { text, schedule } = createScheduleReader(createAlmanac()).toDocument(JSON.stringify(whole))
    t.match({ text, schedule }, { text: whole.text, schedule: whole.schedule })
    const [draft, answer] = [
      shown.find((one) => 'count' in one && 'schedule' in one)!,
      shown.find((one) => 'runs' in one && 'changes' in one)!,
    ]
    const almanac = createAlmanac({ zone: 'UTC' })
    const { spec } = almanac.read(draft.schedule) as { spec: ScheduleSpec }
    const preview = almanac.preview(spec, { anchorMs: 0 }, Date.parse(draft.after), draft.count)
    t.strictSame(preview, answer)
  },
)

t.test('the run that is shown has the keys of a run, in order', async (t) => {
  const [run] = blocksOf(page).filter(
    ({ language, text }) => language === 'json' && text.includes('"redeliveries"'),
  )
  t.strictSame(Object.keys(JSON.parse(run!.text) as object), Object.keys(parseRun('{}')))
})

t.test('what is shown as JSON is JSON', async (t) => {
  for (const { text, line } of blocksOf(page).filter(({ language }) => language === 'json'))
    t.doesNotThrow(() => void JSON.parse(text), `line ${line}`)
})

t.test('every option of the plugin is told where it is mounted', async (t) => {
  const [, source] = /interface ApiOptions \{(.*?)\n\}/s.exec(readPage('src/api/plugin.ts'))!
  const real = [...source!.matchAll(/^  (\w+)\??:/gm)].map(([, name]) => name!)
  const told = rowsBy(readPage('docs/howto/mount-the-api.md'), 'Option').map((row) => codeOf(row.Option!))
  t.strictSame(told.toSorted(), real.toSorted())
})
