/** Queries of /v1/inspect and /v1/control: whom to ask, and how long to wait for answers. */
import { parseDuration } from '../duration.ts'
import { isText, readQuery, type Parameters } from './query.ts'

const TIMEOUT_MS = 1000
export const TIMEOUT_MAX_MS = 30_000

interface Asked {
  timeoutMs: number
  names?: string[]
}

const TELLING: Parameters<Asked> = {
  timeout(text, query) {
    query.timeoutMs = parseDuration(text) ?? -1
    const isFine = query.timeoutMs >= 0 && query.timeoutMs <= TIMEOUT_MAX_MS
    return isFine ? null : 'must be a duration such as 500ms, of at most 30 s'
  },
}

const LOOKING: Parameters<Asked> = {
  ...TELLING,
  worker(text, query) {
    query.names = text.split('\n')
    return query.names.every((name) => isText(name, 200)) ? null : 'must be the name of a worker'
  },
}

/** `worker` may be given several times; a name may have a comma in it, and no line break. */
function withNames(query: unknown): Record<string, unknown> {
  const { worker, ...others } = query as Record<string, unknown>
  if (worker === undefined) return others
  return { ...others, worker: Array.isArray(worker) ? worker.join('\n') : worker }
}

export function readInspectQuery(query: unknown): Asked {
  return readQuery(LOOKING, withNames(query), { timeoutMs: TIMEOUT_MS })
}

export function readControlQuery(query: unknown): Asked {
  return readQuery(TELLING, query, { timeoutMs: TIMEOUT_MS })
}
