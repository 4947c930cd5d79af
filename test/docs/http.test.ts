/** docs/reference/http.md has every route, field and parameter of the API, and no other. */
import { fastify } from 'fastify'
import t from 'tap'
import { api } from '../../src/api/plugin.ts'
import { readRunBody } from '../../src/api/run-body.ts'
import { readRunQuery } from '../../src/api/run-query.ts'
import type { RequestError } from '../../src/errors.ts'
import { createRowbeat } from '../../src/index.ts'
import { parseRun } from '../../src/results/run.ts'
import { blocksOf, codeOf, readPage, rowsBy } from './page.ts'

const page = readPage('docs/reference/http.md')
const names = (column: string): string[] => rowsBy(page, column).map((row) => codeOf(row[column]!))

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
  await app.register(api, { rowbeat })
  await app.ready()
  await app.close()
  await rowbeat.close()
  return seen
}

t.test('every route is told, with the scope it needs', async (t) => {
  const routes = await routesOfApi()
  const real = routes
    .filter(({ method, isRefusal }) => !isRefusal && method !== 'HEAD')
    .map(({ method, url, needs }) => [`${method} ${url}`, needs === 'public' ? 'nothing' : needs])
  const told = rowsBy(page, 'Route').map((row) => [codeOf(row.Route!), codeOf(row.Needs!) || row.Needs])
  t.strictSame(Object.fromEntries(told), Object.fromEntries(real))
  const headings = [...page.matchAll(/^## ((?:GET|POST|PUT|PATCH|DELETE) .*)$/gm)].map(
    ([, heading]) => heading!,
  )
  t.strictSame(headings.toSorted(), told.map(([route]) => route).toSorted())
  t.ok(routes.some(({ isRefusal }) => isRefusal))
})

t.test('every field of a body is told', async (t) => {
  const { faults } = readRunBody({ task: 'demo.add', no_such_field: 1 })
  const known = /known are (.*)$/.exec(faults[0]!.detail)![1]!.split(', ')
  t.strictSame(names('Field').toSorted(), known.toSorted())
})

t.test('every parameter of a list is told', async (t) => {
  const refusal = (): string => {
    try {
      readRunQuery({ no_such_parameter: '1' })
      return ''
    } catch (error) {
      return (error as RequestError).faults[0]!.detail
    }
  }
  const known = /known are (.*)$/.exec(refusal())![1]!.split(', ')
  t.strictSame(names('Parameter').toSorted(), known.toSorted())
})

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
