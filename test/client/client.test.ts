/** `rowbeat/client` against a server on a real socket. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ApiProblem, ApiUnreachable, createClient, type RunDocument } from '../../src/client/client.ts'
import { OPERATIONS } from '../../src/client/operations.ts'
import type {
  OperationRequest,
  QueueLimits,
  RunByHandRequest,
  RunRequest,
  ScheduleChanges,
  ScheduleRequest,
} from '../../src/client/client.ts'
import { operationsOf, resolverOf } from '../api/fuzz/requests.ts'
import { serve } from '../api/world.ts'
import { ROOT } from '../helpers/process.ts'

const world = await serve(t)
const url = await world.listen()
// fetch opens connections ahead of what it sends, and those would be waited for.
t.teardown(() => world.app.server.closeAllConnections())
const client = createClient({ url: `${url}/`, key: world.key })
const document = await client.getOpenApi()

t.test('its verbs are the operations that the server tells, at their addresses', (t) => {
  const told = operationsOf(document)
  t.strictSame(
    Object.fromEntries(Object.entries(OPERATIONS).toSorted()),
    Object.fromEntries(
      told.map(({ id, method, path }): [string, string[]] => [id, [method, path]]).toSorted(),
    ),
  )
  for (const { id } of told) t.type((client as Record<string, any>)[id], 'function', id)
  t.end()
})

t.test('its types have the fields that the server tells', (t) => {
  const all = <Fields>(keys: Record<keyof Fields, 1>): string[] => Object.keys(keys).toSorted()
  const RUN = {
    input: 1,
    queue: 1,
    priority: 1,
    delay: 1,
    eta: 1,
    expires: 1,
    id: 1,
    unique_key: 1,
    unique_while: 1,
    unique_for: 1,
    on_conflict: 1,
    debounce: 1,
    debounce_max: 1,
    idempotency_key: 1,
    idempotency_for: 1,
    concurrency_key: 1,
    rate_key: 1,
    tags: 1,
    headers: 1,
    attempts_max: 1,
    retry: 1,
    time_limit: 1,
    soft_time_limit: 1,
    ignore_result: 1,
    retention: 1,
    parent: 1,
  } as const
  const SCHEDULE = {
    name: 1,
    task: 1,
    schedule: 1,
    enabled: 1,
    queue: 1,
    priority: 1,
    tags: 1,
    headers: 1,
    input: 1,
    expires: 1,
    one_off: 1,
    start_at: 1,
    end_at: 1,
    jitter: 1,
    overlap: 1,
    catch_up: 1,
    catch_up_window: 1,
    firings_max: 1,
    failures_max: 1,
    anchor_at: 1,
    description: 1,
  } as const
  const typed: Record<string, string[]> = {
    enqueueRun: all<Required<RunRequest>>({ task: 1, ...RUN }),
    runSchedule: all<Required<RunByHandRequest>>({ as_of: 1, ...RUN }),
    createSchedule: all<Required<ScheduleRequest>>(SCHEDULE),
    editSchedule: all<Required<ScheduleChanges>>(SCHEDULE),
    defineQueue: all<Required<QueueLimits>>({ concurrency: 1, rate: 1, rate_burst: 1, hot_limit: 1 }),
    beginOperation: all<Required<OperationRequest>>({
      kind: 1,
      filter: 1,
      throttle: 1,
      terminate: 1,
      reason: 1,
      input: 1,
      eta: 1,
      delay: 1,
      to: 1,
    }),
  }
  const resolve = resolverOf(document)
  for (const { id, told } of operationsOf(document)) {
    if (!typed[id]) continue
    const { properties } = resolve(told.requestBody.content['application/json'].schema)
    t.strictSame(typed[id], Object.keys(properties).toSorted(), id)
  }
  t.end()
})

t.test('calls: parts, queries, bodies, headers, no content', async (t) => {
  const run = await client.enqueueRun({ task: 'demo.echo', input: { a: 'ї/?&' } }, { idempotencyKey: 'once' })
  const again = await client.enqueueRun(
    { task: 'demo.echo', input: { a: 'ї/?&' } },
    { idempotencyKey: 'once' },
  )
  t.equal(again.id, run.id)
  t.strictSame((await client.getRun(run.id)).input, { a: 'ї/?&' })
  const page = await client.listRuns({
    task: 'demo.echo',
    state: ['PENDING', 'RETRY'],
    limit: 1,
    queue: undefined,
  })
  t.strictSame(
    page.items.map(({ id }) => id),
    [run.id],
  )
  const revoked = await client.revokeRun(run.id, { reason: 'enough' })
  t.equal(revoked.state, 'REVOKED')
  t.equal(await client.deleteRun(run.id), null)

  const made = await client.createSchedule({
    name: 'hourly',
    task: 'demo.echo',
    schedule: { kind: 'interval', every: 1, period: 'hours' },
  })
  const paused = await client.pauseSchedule(made.id, null, { ifMatch: made.version })
  t.equal(paused.enabled, false)
  await t.rejects(client.editSchedule(made.id, { queue: 'low' }, { ifMatch: made.version }), {
    code: 'RB_SCHEDULE_CHANGED',
    status: 412,
  })
  t.equal(await client.deleteSchedule(made.id, { ifMatch: '*' }), null)
  t.match(await client.controlWorkers('ping', { workers: null }, { query: { timeout: '10ms' } }), {
    command: 'ping',
  })
  t.match(await (await client.exportRuns({ format: 'csv' })).text(), /^id,/)
})

t.test('every page, one item after another', async (t) => {
  for (let n = 0; n < 5; n++)
    await client.enqueueRun({ task: 'demo.add', input: { x: n, y: 0 }, tags: ['paged'] })
  const seen: unknown[] = []
  for await (const { input } of client.each(client.listRuns, { tag: 'paged', limit: 2 }))
    seen.push((input as any).x)
  t.strictSame(seen, [4, 3, 2, 1, 0])
})

t.test('what is no success is thrown, with all that was told', async (t) => {
  const refused = await client
    .enqueueRun({ task: 'demo.add', input: { x: 'one' }, priority: 0.5 })
    .catch((e: unknown) => e)
  t.ok(refused instanceof ApiProblem)
  t.match(refused, { name: 'ApiProblem', code: 'RB_OPTION_INVALID', status: 422, requestId: /^[\w-]{36}$/ })
  t.match(
    (refused as ApiProblem).errors.map(({ pointer }) => pointer),
    ['/priority', '/input/x', '/input/y'],
  )
  const stranger = createClient({ url, key: async () => 'nobody' })
  await t.rejects(stranger.listRuns(), { code: 'RB_KEY_INVALID', status: 401 })
  await t.rejects(createClient({ url: `${url}/elsewhere` }).getHealth(), {
    code: 'RB_ROUTE_UNKNOWN',
    status: 404,
  })
  const away = createClient({ url: 'http://127.0.0.1:1' })
  await t.rejects(away.getHealth(), { code: 'RB_API_UNREACHABLE', message: /127.0.0.1:1/ })
  await t.rejects(away.getHealth(), ApiUnreachable)
  await t.rejects(client.getRun('x', { signal: AbortSignal.abort(new Error('enough')) }), {
    message: 'enough',
  })
  const page = createClient({ url, fetch: async () => new Response('<html>', { status: 502 }) })
  await t.rejects(page.getHealth(), { code: 'RB_API_UNREACHABLE', status: 502 })
})

t.test('waits for the end of a run, or as long as it was told', async (t) => {
  const { id } = await client.enqueueRun({ task: 'demo.echo' })
  t.equal((await client.waitForRun(id, { timeout: 0 })).state, 'PENDING')
  const waiting = client.waitForRun(id)
  await client.revokeRun(id)
  t.equal((await waiting).state, 'REVOKED')
})

t.test('watches a run to its end, over streams that break', async (t) => {
  const { id } = await client.enqueueRun({ task: 'demo.echo' })
  const asked: (string | null)[] = []
  /** The first stream ends in the middle of the second event, the second is refused, the third is the server's. */
  const broken: typeof fetch = async (address, init) => {
    asked.push(new Headers(init?.headers).get('last-event-id'))
    if (asked.length === 2) return new Response('{"code":"RB_STREAMS_FULL","detail":"full"}', { status: 503 })
    if (asked.length > 2) return await fetch(address, init)
    const whole = await (await fetch(`${url}/v1/runs/${id}`, init)).json()
    const frames = `: ping\n\nevent: run\ndata: ${JSON.stringify(whole)}\nid: PENDING\n\nevent: run\ndata: {"sta`
    return new Response(frames)
  }
  const watching = createClient({ url, key: world.key, fetch: broken }).watchRun(id, { retryMs: 5 })
  const seen: RunDocument[] = [(await watching.next()).value as RunDocument]
  await client.revokeRun(id)
  for await (const run of watching) seen.push(run)
  t.strictSame(
    seen.map(({ state }) => state).filter((state, at, all) => state !== all[at - 1]),
    ['PENDING', 'REVOKED'],
  )
  t.strictSame(asked, [null, 'PENDING', 'PENDING'])

  await t.rejects(client.watchRun('0199c0de-4a5b-7c6d-8e9f-0a1b2c3d4e5f').next(), {
    code: 'RB_RUN_NOT_FOUND',
  })
  const { id: other } = await client.enqueueRun({ task: 'demo.echo' })
  const stop = new AbortController()
  const stopped = client.watchRun(other, { signal: stop.signal })
  await stopped.next()
  stop.abort(new Error('seen enough'))
  await t.rejects(stopped.next(), { message: /seen enough|aborted/ })
})

t.test('the whole is watched, and each break of the stream is told', async (t) => {
  const stop = new AbortController()
  const broken = { count: 0 }
  const breaking: typeof fetch = async (input, init) => {
    const response = await fetch(input, init)
    if (broken.count++ > 0) return response
    const reader = response.body!.getReader()
    const { value } = await reader.read()
    await reader.cancel()
    return new Response(value, response)
  }
  const seen: string[] = []
  const { signal } = stop
  const events = createClient({ url, key: world.key, fetch: breaking }).watchLive({ signal, retryMs: 5 })
  await t.rejects(
    (async () => {
      for await (const { event, data } of events) {
        seen.push(event)
        if (event === 'figures' && broken.count > 1) {
          t.match(data, { running: 0, workers: [], problems: { first: {} } })
          stop.abort()
        }
      }
    })(),
    { name: 'AbortError' },
  )
  t.equal(seen.filter((event) => event === 'open').length, 2)
})

t.test('it brings along nothing but itself: what it loads runs in a browser', (t) => {
  const loaded = new Set<string>()
  const follow = (file: string): void => {
    if (loaded.has(file)) return
    loaded.add(file)
    const text = readFileSync(join(ROOT, file), 'utf8')
    for (const [whole, name] of text.matchAll(/^(?:import|export)\b(?! type)[^'"]*?from '([^']+)'/gm)) {
      if (/^(?:import|export) type/.test(whole)) continue
      t.match(name, /^\./, `${file} imports ${name}`)
      follow(join(file, '..', name!))
    }
    t.notMatch(text.replaceAll(/\/\*[^]*?\*\//g, ''), /\b(?:process|Buffer|require)\b\./, file)
  }
  for (const file of readdirSync(join(ROOT, 'src/client'))) follow(`src/client/${file}`)
  t.strictSame([...loaded].filter((file) => !file.startsWith('src/client/')).toSorted(), [
    'src/errors.ts',
    'src/results/run.ts',
  ])
  t.end()
})
