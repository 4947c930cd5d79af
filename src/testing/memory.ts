/** Runs that are in no database: what the handles of eager runs read. */
import { ResultError } from '../errors.ts'
import type { RunReader } from '../results/handle.ts'
import type { RunDocument } from '../results/run.ts'
import type { RunVerbs } from '../results/verbs.ts'

export interface Memory {
  readonly reader: RunReader
  add(run: RunDocument): void
  get(id: string): RunDocument | undefined
  /** In the order they were asked for. */
  all(): RunDocument[]
  clear(): void
}

/** `retry` runs a run once more and answers the new id. */
export function createMemory(retry: RunVerbs['retry']): Memory {
  const runs = new Map<string, RunDocument>()
  const require = (id: string): RunDocument => {
    const run = runs.get(id.toLowerCase())
    if (run) return run
    throw new ResultError('RB_RUN_NOT_FOUND', `run ${id} is unknown: it was never enqueued here.`)
  }
  return {
    add: (run) => void runs.set(run.id, run),
    get: (id) => runs.get(id.toLowerCase()),
    all: () => [...runs.values()],
    clear: () => runs.clear(),
    reader: {
      read: async (id) => structuredClone(runs.get(id)) ?? null,
      // What is here has ended, so there is nothing to wait for.
      follow: () => ({ next: async () => {}, close() {} }),
      revoke: async (id) => require(id).state,
      retry,
      async reschedule(id) {
        const { state } = require(id)
        throw new ResultError('RB_RUN_STATE', `run ${id} is ${state}: only a run that waits can be moved.`)
      },
      forget: async (id) => runs.delete(id),
      close: async () => {},
    },
  }
}
