/**
 * This process's row in the registry of workers. A pool is in it before it claims, so that a crash at any moment leaves rows
 * that somebody sweeps. When the row is gone, another process declared this one dead (it was stopped, or cut off, for longer
 * than 10 s): what it holds belongs to others, and it goes on under a new identity.
 */
import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { sleep } from '../clock.ts'
import type { Queryable } from '../db/handle.ts'
import { countNamesakes, registerWorker, updatePools, type WorkerRow } from '../db/statements/workers.ts'
import { RowbeatError } from '../errors.ts'
import type { Registry } from '../tasks/registry.ts'
import { VERSION } from '../version.ts'
import type { RunEvents } from './events.ts'

export interface MembershipOptions {
  db: Queryable
  name: string
  /** What it serves now. */
  queues(): Readonly<Record<string, number>>
  /** What it was started with. */
  limits: Record<string, number>
  registry: Registry
  events: RunEvents
  phase(): 'new' | 'running' | 'stopping' | 'stopped'
  /** Under which its lanes claim. */
  pools(): string[]
  /** Declared dead: what runs is to be told `why`, what is held to be thrown away. */
  onDeath(why: Error): void
  /** Its row is there again, under another id. */
  onReturn(): void
}

export interface Membership {
  /** Of this life. */
  readonly id: string
  /** Writes the row once; throws when that fails. */
  enter(): Promise<void>
  /** Makes the pools of new runners durable, however long that takes. */
  admit(): Promise<void>
  declareDead(): Promise<void>
}

class LeaseLost extends RowbeatError {
  constructor() {
    super('RB_LEASE_LOST', 'this worker was declared dead; the run belongs to another now.')
  }
}

export function createMembership(options: MembershipOptions): Membership {
  const { db, name, registry, events, phase } = options
  let id = newId(name)
  let returning = false

  const row = (): WorkerRow => ({
    id,
    name,
    kind: 'worker',
    hostname: hostname(),
    pid: process.pid,
    pools: options.pools(),
    queues: { ...options.queues() },
    tasks: [...registry.keys()],
    version: VERSION,
    limits: options.limits,
  })
  const trouble = (error: unknown): void =>
    void events.emit('worker:trouble', { what: 'registering this worker', error })
  const enterAgain = async (): Promise<void> => {
    for (let tries = 0; phase() !== 'stopped'; tries++) {
      try {
        return await registerWorker(db, row())
      } catch (error) {
        trouble(error)
        await sleep(Math.min(2000, 100 * 2 ** tries))
      }
    }
  }
  const declareDead = async (): Promise<void> => {
    if (returning || phase() !== 'running') return
    returning = true
    events.emit('worker:declared-dead', { name })
    id = newId(name)
    options.onDeath(new LeaseLost())
    await enterAgain()
    options.onReturn()
    returning = false
  }
  return {
    get id() {
      return id
    },
    async enter() {
      await registerWorker(db, row())
      const others = await countNamesakes(db, id, name)
      if (others > 0) events.emit('worker:namesake', { name, others })
    },
    async admit() {
      for (let tries = 0; phase() === 'running'; tries++) {
        try {
          if (await updatePools(db, id, options.pools())) return
          void declareDead()
        } catch (error) {
          trouble(error)
        }
        await sleep(Math.min(2000, 50 * 2 ** tries))
      }
    },
    declareDead,
  }
}

function newId(name: string): string {
  return `${name}.${randomBytes(4).toString('hex')}`
}
