/**
 * A scenario is one question ("how fast does a backlog drain?") put to several contestants. `seed` fills the
 * store in a process of its own, so that a worker is measured without the memory and the optimised code that
 * filling left behind; `measure` answers with named figures. Both run in a child process; only the lists of
 * contestants are read by the parent, which is why peers are loaded lazily.
 */
import type { Peer } from './peer.ts'

export type Metrics = Record<string, number>

export type Params = Record<string, unknown>

export interface Contestant {
  /** Unique in its scenario; floors name it. */
  key: string
  label: string
  /** Contestants of one group run next to each other and share a table. */
  group: string
  peer: string
  options?: Record<string, unknown>
  /** Laid over `options` in the process that seeds. */
  seedOptions?: Record<string, unknown>
  params?: Params
  /** `plain` has no append-only file; `always` fsyncs each write. */
  redis?: 'plain' | 'always'
}

export interface Column {
  metric: string
  title: string
  format: 'rate' | 'ms' | 'mb' | 'count' | 'ratio'
}

export interface Scenario {
  name: string
  title: string
  /** One paragraph for the page: what is measured, from when to when. */
  about: string
  columns: Column[]
  /** What was measured of many things at once: a table with a row for each, whose metrics are `<row>.<column>`. */
  rows?: { title: string; names: string[]; columns: Column[] }
  contestants: Contestant[]
  /** Fewer rounds than asked, for what takes minutes. */
  roundsMax?: number
  seed?(peer: Peer, params: Params, context: Pick<MeasureContext, 'databaseUrl'>): Promise<void>
  measure(peer: Peer, params: Params, context: MeasureContext): Promise<Metrics>
}

export interface MeasureContext {
  databaseUrl: string
  /** Starts a second process of the same peer that enqueues what it is told to; see `feeder.ts`. */
  feed(): Feeder
}

export interface Feeder {
  enqueue(from: number, count: number): void
  stop(): Promise<void>
}

export async function sleep(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms))
}
