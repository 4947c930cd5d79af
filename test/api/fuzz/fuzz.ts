/**
 * The fuzzer: `count` requests made from the document that the server itself tells, sent one after another, each answer held
 * against that document (oracle.ts). What was made is looked for where Location says, what was deleted must be gone, and in the
 * end no prototype has a key more and the heap is as large as it was after the first tenth.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { seeded } from '../../torture/scenario.ts'
import type { Answer, World } from '../world.ts'
import { createOracle, textsOf, type Oracle } from './oracle.ts'
import { operationsOf, requestsOf, type Asked, type Operation } from './requests.ts'
import type { Schema } from './values.ts'

export interface Fuzzed {
  sent: Record<Asked['kind'], number>
  accepted: Record<Asked['kind'], number>
  byStatus: Record<string, number>
  /** Operations that never had a success. */
  neverAccepted: string[]
  /** What was wrong, each with the request. */
  faults: string[]
  heapGrowthBytes: number
  ms: number
}

/** Each of these hashes a password. */
const SLOW: readonly string[] = ['createToken', 'createUser', 'editUser']
const SLOW_SHARE = 0.1
/** Each operation has its turn so many times at least: later ones meet what earlier ones made. */
const ROUNDS = 8
/** Ids that are known of a noun. */
const POOL = 40

export async function fuzz(
  world: World,
  count: number,
  seed: number,
  log: (line: string) => void,
): Promise<Fuzzed> {
  const document = (await world.call('GET', '/openapi.json')).json as Schema
  // A stream that tells of the whole has no end to wait for.
  const operations = operationsOf(document).filter(({ id }) => id !== 'watchLive')
  const random = seeded(seed)
  const fuzzer = await createFuzzer(world, createOracle(document), { document, operations })
  const requests = new Map(operations.map((operation) => [operation, requestsOf(operation, document)]))
  const startedAt = performance.now()
  let heap = 0
  const batchSize = Math.ceil(count / operations.length / Math.max(ROUNDS, count / 1000))
  for (let sent = 0, batch = 0; sent < count; batch++) {
    const operation = operations[batch % operations.length]!
    if (SLOW.includes(operation.id) && random() > SLOW_SHARE) continue
    const some = fc.sample(requests.get(operation)!, {
      numRuns: Math.min(batchSize, count - sent),
      seed: seed + batch,
    })
    for (const asked of some) await fuzzer.send(operation, asked)
    sent += some.length
    if (heap === 0 && sent >= count / 10) heap = heapAfterGc()
    if (sent % 5000 < batchSize)
      log(`${sent} requests, ${fuzzer.result.faults.length} faults, ${heapAfterGc() >> 20} MiB`)
  }
  const { result } = fuzzer
  result.neverAccepted = operations.map(({ id }) => id).filter((id) => !fuzzer.accepted.has(id))
  result.heapGrowthBytes = heapAfterGc() - heap
  result.ms = performance.now() - startedAt
  return result
}

interface Fuzzer {
  send(operation: Operation, asked: Asked): Promise<void>
  readonly result: Fuzzed
  readonly accepted: ReadonlySet<string>
}

async function createFuzzer(
  world: World,
  oracle: Oracle,
  { document, operations }: { document: Schema; operations: readonly Operation[] },
): Promise<Fuzzer> {
  const result: Fuzzed = {
    sent: { valid: 0, nearly: 0, hostile: 0 },
    accepted: { valid: 0, nearly: 0, hostile: 0 },
    byStatus: {},
    neverAccepted: [],
    faults: [],
    heapGrowthBytes: 0,
    ms: 0,
  }
  const accepted = new Set<string>()
  const pools = await seedPools(world)
  /** What answers at an address with an odd part, such as `..`. */
  const reached = (asked: Operation, url: string): Operation => {
    const { pathname } = new URL(url, 'http://any')
    return operations.find(({ method, path }) => method === asked.method && path === pathname) ?? asked
  }
  const scopeless = (await world.issue(['audit:read'])).key
  const keys = { whole: world.key, none: null, wrong: 'rb_wrong', scopeless }

  const follow = async (operation: Operation, url: string, answer: Answer): Promise<string | null> => {
    const location = answer.headers.location
    if (typeof location === 'string') {
      const [, noun, name] = /^\/v1\/(\w+)\/([^/]+)$/.exec(location) ?? []
      if (noun) learn(pools, noun, decodeURIComponent(name!))
      const { status } = await world.call('GET', location)
      if (status !== 200) return `Location ${location} leads to ${status}`
    }
    if (operation.id === 'revokeRun' && answer.json?.state === 'REVOKED')
      learn(pools, 'finished', answer.json.id)
    if (operation.method !== 'DELETE') return null
    const gone = await world.call('GET', url)
    return gone.status === 404 || gone.json?.revoked_at ? null : `deleted, and then ${gone.status}`
  }
  return {
    result,
    accepted,
    async send(operation, asked) {
      const { url, isOdd } = addressOf(operation, asked, pools)
      const payload = asked.body && ('text' in asked.body ? asked.body.text : JSON.stringify(asked.body.json))
      const answer = await world.call(operation.method as 'GET', url, payload, {
        key: keys[asked.key],
        headers: asked.headers,
      })
      const isAccepted = answer.status < 400
      result.sent[asked.kind]++
      result.byStatus[answer.status] = (result.byStatus[answer.status] ?? 0) + 1
      if (isAccepted) {
        result.accepted[asked.kind]++
        accepted.add(operation.id)
      }
      const isPublic = operation.told.security?.length === 0
      const refusal = oracle.refusal(operation, asked)
      const fault =
        (isOdd && isPlainRefusal(answer, document)
          ? null
          : oracle.fault(isOdd ? reached(operation, url) : operation, answer)) ??
        (isAccepted && refusal ? `accepted ${refusal}` : null) ??
        (isAccepted && !isPublic && (asked.key === 'none' || asked.key === 'wrong')
          ? 'accepted without a key'
          : null) ??
        (isAccepted && !isOdd ? await follow(operation, url, answer) : null) ??
        ('polluted' in {} ? 'the prototype of objects is polluted' : null)
      if (fault)
        result.faults.push(
          `${operation.id}: ${fault} <- ${operation.method} ${url.slice(0, 200)} ${JSON.stringify(asked.headers)} ` +
            `${(payload ?? '').slice(0, 400)} -> ${answer.status} ${answer.text.slice(0, 300)}`,
        )
    },
  }
}

type Pools = Record<string, string[]>

async function seedPools({ call }: World): Promise<Pools> {
  const made = async (path: string, body: unknown): Promise<string> =>
    String((await call('POST', path, body)).json.id)
  const pools: Pools = {
    queues: ['default', 'high', 'low', 'spare'],
    tasks: ['demo.add', 'demo.echo'],
    workers: ['nobody'],
  }
  for (let n = 0; n < 6; n++) {
    const id = await made('/v1/runs', { task: 'demo.echo', input: { n } })
    learn(pools, 'runs', id)
    if (n > 3) continue
    await call('POST', `/v1/runs/${id}:revoke`)
    learn(pools, 'finished', id)
  }
  // What the example of signIn says.
  const person = { email: 'oksana@example.com', password: 'correct horse and battery', role: 'viewer' }
  learn(pools, 'users', await made('/v1/users', person))
  for (const queue of pools.queues!) await call('PUT', `/v1/queues/${queue}`, {})
  return pools
}

function learn(pools: Pools, noun: string, name: string): void {
  const pool = (pools[noun] ??= [])
  pool.push(name)
  if (pool.length > POOL) pool.shift()
}

/** The address of a request; `isOdd`: a part of it is no name that is known, so it may be another address or none. */
function addressOf(
  operation: Operation,
  { parts, query }: Asked,
  pools: Pools,
): { url: string; isOdd: boolean } {
  const isOfFinished = ['watchRun', 'followLogs', 'deleteRun'].includes(operation.id)
  const noun = isOfFinished ? 'finished' : (operation.path.split('/')[2] ?? '')
  const pool = pools[noun] ?? []
  let isOdd = false
  const path = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const part = parts[name]!
    if (typeof part === 'number') return encodeURIComponent(pool[part % Math.max(1, pool.length)] ?? UNKNOWN)
    isOdd ||= !operation.told.parameters.some(
      (one: Schema) => one.name === name && one.schema.enum?.includes(part),
    )
    return part
  })
  const explodes = new Map<string, boolean | undefined>(
    (operation.told.parameters ?? []).map((one: Schema) => [one.name, one.explode]),
  )
  const pairs = query.flatMap(([name, value]) =>
    textsOf(value, explodes.get(name)).map(
      (text) => `${encodeURIComponent(name.toWellFormed())}=${encodeURIComponent(text)}`,
    ),
  )
  return { url: pairs.length === 0 ? path : `${path}?${pairs.join('&')}`, isOdd }
}

const UNKNOWN = '0199c0de-4a5b-7c6d-8e9f-0a1b2c3d4e5f'

/** An odd address may be none: then any of these will do. */
function isPlainRefusal({ status, json }: Answer, document: Schema): boolean {
  const needed = document.components.schemas.Problem.required as string[]
  return (
    [400, 401, 403, 404, 405, 414, 415].includes(status) &&
    needed.every((key) => Object.hasOwn(json ?? {}, key))
  )
}

function heapAfterGc(): number {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  gc()
  gc()
  return process.memoryUsage().heapUsed
}
