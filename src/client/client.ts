/**
 * `rowbeat/client`: the API from other programs and from browsers, over fetch and nothing else.
 *
 *   const jobs = createClient({ url: 'https://jobs.example.com', key })
 *   const run = await jobs.enqueueRun({ task: 'books.import', input: { path: 'in.csv' } })
 *   const { state, result } = await jobs.waitForRun(run.id)
 *
 * Its verbs are the operationIds of /openapi.json, so what /docs tells is what can be called.
 */
import { isFinished, type RunDocument } from '../results/run.ts'
import { createCaller, type Call, type CallerOptions, type CallOptions, type Query } from './call.ts'
import { followLogs, watchEvents, type WatchOptions } from './events.ts'
import { watchLive } from './live.ts'
import { OPERATIONS, type OperationId } from './operations.ts'
import type { AccessVerbs, Page, QueueVerbs, RunVerbs, ScheduleVerbs } from './verbs.ts'

export { ApiProblem, ApiUnreachable, type CallOptions, type Query } from './call.ts'
export type { WatchOptions } from './events.ts'
export type * from './requests.ts'
export type * from './verbs.ts'

export type ClientOptions = CallerOptions

export interface Client extends RunVerbs, ScheduleVerbs, QueueVerbs, AccessVerbs {
  /**
   * The run once it has finished, whatever became of it. `timeout`: seconds after which it is answered as it is then; default
   * for ever.
   */
  waitForRun(id: string, options?: { timeout?: number; signal?: AbortSignal }): Promise<RunDocument>
  /** The items of all pages, one after another: `jobs.each(jobs.listRuns, { state: 'FAILURE' })`. */
  each<Item>(
    list: (query: Query, options?: CallOptions) => Promise<Page<Item>>,
    query?: Query,
    options?: CallOptions,
  ): AsyncGenerator<Item, void, undefined>
}

/** Seconds of one request that waits: less than what proxies on the way bear. */
const WAIT_S = 25

export function createClient(options: ClientOptions): Client {
  const call = createCaller(options)
  const verbs = Object.keys(OPERATIONS).map((id) => [id, createVerb(call, id as OperationId)])
  const plain = Object.fromEntries(verbs) as Omit<
    Client,
    'watchRun' | 'followLogs' | 'watchLive' | 'waitForRun' | 'each'
  >
  return Object.freeze({
    ...plain,
    watchRun: (id: string, watching?: WatchOptions) =>
      watchEvents(call, fill(OPERATIONS.watchRun[1], [id]), watching),
    watchLive: (watching?: WatchOptions) => watchLive(call, OPERATIONS.watchLive[1], watching),
    followLogs: (id: string, following?: WatchOptions) =>
      followLogs(call, fill(OPERATIONS.followLogs[1], [id]), following),
    async waitForRun(
      id: string,
      { timeout = Number.POSITIVE_INFINITY, signal }: { timeout?: number; signal?: AbortSignal } = {},
    ) {
      const until = performance.now() + timeout * 1000
      for (;;) {
        const left = Math.max(0, (until - performance.now()) / 1000)
        const run = await plain.getResult(id, { signal, wait: Math.floor(Math.min(WAIT_S, left)) })
        if (isFinished(run.state) || performance.now() + 1000 >= until) return run
      }
    },
    async *each<Item>(
      list: (query: Query, options?: CallOptions) => Promise<Page<Item>>,
      query: Query = {},
      calling?: CallOptions,
    ) {
      for (let cursor: string | null | undefined; cursor !== null;) {
        const page = await list({ ...query, cursor }, calling)
        yield* page.items
        cursor = page.next
      }
    },
  })
}

/** The parts of the address, then the query of a GET or the body of the rest, then the words of the call. */
function createVerb(call: Call, id: OperationId): (...given: unknown[]) => Promise<unknown> {
  const [method, path] = OPERATIONS[id]
  const parts = path.split('{').length - 1
  const takesQuery = method === 'GET' && !WITHOUT_QUERY.includes(id)
  const takesBody = method !== 'GET' && method !== 'DELETE'
  return async (...given) => {
    const [first, second] = given.slice(parts)
    const response = await call({
      method,
      path: fill(path, given.slice(0, parts)),
      ...(takesQuery ? { query: (first ?? {}) as Query } : {}),
      ...(takesBody ? { body: first ?? undefined } : {}),
      options: ((takesQuery || takesBody ? second : first) ?? {}) as CallOptions,
    })
    if (id === 'exportRuns') return response
    return response.status === 204 ? null : ((await response.json()) as unknown)
  }
}

/** Of these the words of the call come at once. */
const WITHOUT_QUERY: readonly OperationId[] = [
  'getHealth',
  'getReadiness',
  'getOpenApi',
  'getRun',
  'getResult',
  'listAttempts',
  'getOperation',
  'getSchedule',
  'listQueues',
  'getQueue',
  'listWorkers',
  'getWorker',
  'listTasks',
  'listProblems',
  'getWebhook',
  'getKey',
  'getUser',
  'getMe',
]

function fill(path: string, parts: readonly unknown[]): string {
  let at = 0
  return path.replaceAll(/\{\w+\}/g, () => encodeURIComponent(String(parts[at++])))
}
