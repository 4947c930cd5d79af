/**
 * What an address takes and gives, said once, beside its handler:
 *
 *   app.post('/v1/runs', endpoint({ auth: 'scope', scope: 'runs:write' }, { id: 'enqueueRun', … }), handler)
 *
 * The guard reads who may call it, /openapi.json reads the rest, and an address answers 405 for every method that no
 * endpoint of it takes. Schemas of what is taken come from the tables that check it, so that the two cannot differ;
 * schemas of what is given are in documents.ts, a key for each key of the type that is answered. A schema with a `title`
 * is a component of that name.
 */
import type { FastifyInstance } from 'fastify'
import type { Schema } from '../check.ts'
import { InvariantError } from '../errors.ts'
import type { Access } from './guard.ts'

export type { Schema } from '../check.ts'

export interface Answer {
  description: string
  /** None: the answer has no body. */
  schema?: Schema
  /** Media type; default application/json. */
  type?: string
  /** What it is by other media types, where it may be asked for in several. */
  others?: Readonly<Record<string, Schema>>
  /** Names of headers beside those that every answer has. */
  headers?: readonly string[]
}

/** As the tables of query.ts have it. */
export interface Parameter {
  readonly schema: Schema
  readonly isRepeated: boolean
}

export interface Endpoint {
  /** operationId: a verb and a noun, as in `enqueueRun`; also the method of the typed client. */
  id: string
  /** The noun it belongs to, as in `runs`. */
  tag: string
  /** One line, without a full stop. */
  summary: string
  description?: string
  /** Parts of the address, where they are other than a UUID (`:id`) or a text. */
  path?: Readonly<Record<string, Schema>>
  /** The table that reads the query; none: the address takes no query. */
  query?: Readonly<Record<string, Parameter>>
  /** Headers it reads, beside Authorization, as in `Idempotency-Key`. */
  headers?: Readonly<Record<string, Schema>>
  /** `isOptional`: it may be left out. */
  body?: { schema: Schema; isOptional?: boolean; example?: unknown }
  answers: Readonly<Record<number, Answer>>
  /** Codes of the problems it may answer, beside those that every endpoint of its kind may (openapi/problems.ts). */
  problems?: readonly string[]
  /** A page for people, which the description of the API leaves out. */
  isPage?: boolean
}

export interface Registered {
  method: string
  /** As Fastify has it, without the prefix. */
  url: string
  access: Access
  endpoint: Endpoint
}

/** The options of a route that describe it. */
export function endpoint(
  access: Access,
  described: Endpoint,
): { config: { rowbeat: Access & { endpoint: Endpoint } } } {
  return { config: { rowbeat: { ...access, endpoint: described } } }
}

/** The endpoints that are registered in this scope from here on; the list grows as they are. */
export function collectEndpoints(app: FastifyInstance): readonly Registered[] {
  const found: Registered[] = []
  app.addHook('onRoute', ({ method, routePath: url, config }) => {
    const { endpoint: described, ...access } = config?.rowbeat ?? { auth: 'key' as const }
    if (!described) return
    const twin = found.find((other) => other.endpoint.id === described.id && other.endpoint !== described)
    if (twin) throw new InvariantError(`${described.id} is the id of ${twin.url} and of ${url}`)
    for (const one of [method].flat()) found.push({ method: one, url, access, endpoint: described })
  })
  return found
}
