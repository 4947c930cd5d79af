/** Queries of /v1/inspect and /v1/control: whom to ask, and how long to wait for answers. */
import { duration } from '../check.ts'
import { parseDuration } from '../duration.ts'
import { isText, parameter, readQuery, type Parameters } from './query.ts'

const TIMEOUT_MS = 1000
export const TIMEOUT_MAX_MS = 30_000

interface Asked {
  timeoutMs: number
  names?: string[]
}

export const CONTROL_PARAMETERS: Parameters<Asked> = {
  timeout: parameter(
    {
      anyOf: duration.schema.anyOf,
      description: 'How long to wait for answers: a duration of at most 30 s; default 1 s',
    },
    (text, query) => {
      query.timeoutMs = parseDuration(text) ?? -1
      const isFine = query.timeoutMs >= 0 && query.timeoutMs <= TIMEOUT_MAX_MS
      return isFine ? null : 'must be a duration such as 500ms, of at most 30 s'
    },
  ),
}

export const INSPECT_PARAMETERS: Parameters<Asked> = {
  ...CONTROL_PARAMETERS,
  worker: parameter(
    {
      type: 'array',
      items: { type: 'string', minLength: 1, maxLength: 200 },
      description: 'Only these workers; given once for each',
    },
    (text, query) => {
      query.names = text.split('\n')
      return query.names.every((name) => isText(name, 200)) ? null : 'must be the name of a worker'
    },
    { isRepeated: true },
  ),
}

/** `worker` may be given several times; a name may have a comma in it, and no line break. */
function withNames(query: unknown): Record<string, unknown> {
  const { worker, ...others } = query as Record<string, unknown>
  if (worker === undefined) return others
  return { ...others, worker: Array.isArray(worker) ? worker.join('\n') : worker }
}

export function readInspectQuery(query: unknown): Asked {
  return readQuery(INSPECT_PARAMETERS, withNames(query), { timeoutMs: TIMEOUT_MS })
}

export function readControlQuery(query: unknown): Asked {
  return readQuery(CONTROL_PARAMETERS, query, { timeoutMs: TIMEOUT_MS })
}
