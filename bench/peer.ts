/**
 * What a contestant is, seen from the benchmark: something that takes jobs, runs them and keeps what came of
 * them. Every library is put behind this one small interface in `peers/`, so that each scenario is written
 * once and measures all of them with the same clock, the same payload and the same handler (`add`).
 *
 * `started` and `finished` are told to the scenario by the `x` of the job, which is its number. `finished`
 * means: the store has acknowledged that the job is done (for those that keep a result: with its result). A
 * peer that cannot know that in its own process says so by `unfinished()`, which asks the store.
 */
export interface Input {
  x: number
  y: number
  note: string
}

export interface Watch {
  started(x: number): void
  finished(x: number): void
}

export interface Peer {
  /** Makes the schema; called once, on a template database of which every run gets a fresh copy. */
  prepare?(): Promise<void>
  enqueue(input: Input): Promise<unknown>
  enqueueMany(inputs: Input[]): Promise<unknown>
  /** BEGIN, INSERT an order, enqueue (unless `bare`), COMMIT, on one of 16 connections of its own. */
  order?(input: Input): Promise<unknown>
  /** Starts a worker in this process. */
  work(watch: Watch): Promise<void>
  /** How many jobs the store still holds as not done. */
  unfinished(): Promise<number>
  /** How many of them wait outside of the hot table. */
  parked?(): Promise<number>
  /** Resident bytes of the worker process, when that is another one. */
  weight?(): number
  /** The table that holds waiting jobs, for its size on disk. */
  hotTable?: string
  close(): Promise<void>
}

export interface Setup {
  databaseUrl: string
  redisPort: number | null
  options: Record<string, unknown>
}

export type OpenPeer = (setup: Setup) => Promise<Peer>

export const PEERS: Record<string, () => Promise<{ open: OpenPeer }>> = {
  rowbeat: () => import('./peers/rowbeat.ts'),
  'rowbeat-cli': () => import('./peers/rowbeat-cli.ts'),
  graphile: () => import('./peers/graphile.ts'),
  'pg-boss': () => import('./peers/pg-boss.ts'),
  bullmq: () => import('./peers/bullmq.ts'),
  sql: () => import('./peers/sql.ts'),
  orders: () => import('./peers/orders.ts'),
  service: () => import('./peers/service.ts'),
}

/** About 50 bytes of JSON, the same for every peer. */
export function makeInput(x: number): Input {
  return { x, y: 1, note: 'a note of some length' }
}

export function makeInputs(from: number, count: number): Input[] {
  return Array.from({ length: count }, (_, index) => makeInput(from + index))
}

export function add(input: Input): number {
  return input.x + input.y
}
