/**
 * Where transactional tasks get their transaction when the user gave no handle: postgres.js clients of one connection
 * each, as many as there are transactions at once, kept for the next. A client whose connection broke is thrown away:
 * postgres.js 3.4.9, when a connection closes in the turn in which something is to be written, keeps that write for
 * ever, and each later life of that connection hangs in its start-up until the timeout (of a pool of six all six were
 * lost within eight seconds of broken connections).
 */
import { connect, type Sql } from '../db/connect.ts'
import { isConnectionLoss, toQueryable, type DatabaseHandle } from '../db/handle.ts'
import { readServerVersion } from '../db/statements/migrations.ts'

export interface Transactions {
  /** A handle that can begin, and nothing else. */
  readonly handle: DatabaseHandle
  /** Learns the array types of the database once, at a time when a broken connection only fails the start: see ConnectOptions. */
  prepare(): Promise<void>
  end(): Promise<void>
}

/** Where postgres.js keeps what it knows of types. */
interface Learned {
  parsers: object
  serializers: object
  shared: { typeArrayMap: object }
}

function teach(client: Sql, { parsers, serializers, shared }: Learned): void {
  const options = client.options as unknown as Learned
  Object.assign(options.parsers, parsers)
  Object.assign(options.serializers, serializers)
  Object.assign(options.shared.typeArrayMap, shared.typeArrayMap)
}

export function openTransactions(url: string, prepare: boolean): Transactions {
  const idle: Sql[] = []
  const open = new Set<Sql>()

  let learned: Learned | null = null

  const take = (): Sql => {
    const kept = idle.pop()
    if (kept) return kept
    const client = connect({ url, role: 'task', max: 1, prepare })
    if (learned) teach(client, learned)
    open.add(client)
    return client
  }
  const discard = async (client: Sql): Promise<void> => {
    open.delete(client)
    await client.end({ timeout: 0 }).catch(() => {})
  }
  const begin = async (work: (tx: any) => Promise<any>): Promise<any> => {
    const client = take()
    try {
      const value = await client.begin(work)
      idle.push(client)
      return value
    } catch (error) {
      if (isConnectionLoss(error)) void discard(client)
      else idle.push(client)
      throw error
    }
  }
  const handle = Object.assign(() => {}, {
    begin,
    unsafe: (...query: Parameters<Sql['unsafe']>) => begin((tx: Sql) => tx.unsafe(...query)),
  })
  return {
    handle,
    async prepare() {
      const teacher = connect({ url, role: 'task', max: 1, prepare, arrayTypes: true })
      try {
        await readServerVersion(toQueryable(teacher))
        learned = teacher.options as unknown as Learned
      } finally {
        await teacher.end({ timeout: 1 })
      }
    },
    async end() {
      await Promise.all([...open].map((client) => client.end({ timeout: 1 }).catch(() => {})))
    },
  }
}
