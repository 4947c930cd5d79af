/**
 * The OpenAPI 3.1 document, made from the endpoints that are registered: what is in it is served, and what is served is in
 * it. The first party that is held to it is us: test/api/fuzz.ts sends what it allows and what it does not, and
 * test/fixtures/openapi has the documents of releases, against which only additions pass.
 */
import { InvariantError } from '../../errors.ts'
import type { Registered, Schema } from '../endpoint.ts'
import { createComponents } from './components.ts'
import { problemAnswer, problemsOf } from './problems.ts'

export interface Described {
  version: string
  /** Where the API is mounted. */
  prefix: string
}

const DESCRIPTION = `Background tasks, durable results and schedules on the Postgres you already run.

Everything under \`/v1\` needs the header \`Authorization: Bearer <key>\`. What is not a success is a problem document
(RFC 9457) with a \`code\`; the codes that an operation may answer are listed with it. A field or parameter that is not
listed is refused. A method that an address does not take is 405, an address that is none 404. Answers may gain fields
with a later release: ignore those you do not know.`

const TAGS: Readonly<Record<string, string>> = {
  runs: 'One piece of work: asked for, looked at, watched, stopped, repeated',
  operations: 'One verb for all runs that match a filter',
  schedules: 'When tasks run by themselves',
  queues: 'Where runs wait, and what they are held to',
  workers: 'Who works, at what, and telling them what to do',
  tasks: 'What can be run',
  problems: 'What somebody should look at',
  stats: 'Figures',
  keys: 'Keys of programs',
  users: 'People and their roles',
  tokens: 'Signing in',
  audit: 'Who changed what',
  webhooks: 'Telling other services what became of runs',
  service: 'This process, and this description',
}

const HEADERS: Readonly<Record<string, Schema>> = {
  'X-Request-Id': {
    description: "The caller's own, if it sent one of at most 64 letters, digits and `_ . : -`",
    schema: { type: 'string' },
  },
  'Retry-After': { description: 'Seconds after which to try again', schema: { type: 'integer', minimum: 0 } },
  Location: {
    description: 'The address of what was made',
    schema: { type: 'string', format: 'uri-reference' },
  },
  ETag: { description: 'The version, in quotes', schema: { type: 'string' } },
  'Preference-Applied': { description: 'As in `wait=10`: it was waited for', schema: { type: 'string' } },
  Link: { description: 'The next page, with rel="next"', schema: { type: 'string' } },
  'Content-Disposition': { description: 'The name of the file', schema: { type: 'string' } },
}

/** What more codes have is told in its place: a name of all of them would be longer. */
const SHARED_CODES_MAX = 4

export function describeApi(endpoints: readonly Registered[], { version, prefix }: Described): Schema {
  const told = endpoints.filter(({ method, endpoint }) => method !== 'HEAD' && !endpoint.isPage)
  const { hoist, list } = createComponents()
  const paths: Record<string, Record<string, Schema>> = {}
  for (const one of told) {
    const path = (paths[pathOf(one.url)] ??= {})
    path[one.method.toLowerCase()] = hoist(describeOperation(one))
  }
  const { responses, headers } = shareAnswers(paths)
  const known = Object.keys(TAGS)
  const tags = [...new Set(told.map(({ endpoint }) => endpoint.tag))].toSorted(
    (one, other) => known.indexOf(one) - known.indexOf(other),
  )
  return {
    openapi: '3.1.0',
    info: {
      title: 'Rowbeat',
      version,
      description: DESCRIPTION,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: prefix || '/', description: 'This server' }],
    tags: tags.map((name) => ({ name, description: TAGS[name] ?? `Of ${name}` })),
    security: [{ bearer: [] }],
    paths,
    components: {
      schemas: list(),
      headers,
      responses,
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'An API key, or the access token of a user' },
      },
    },
  }
}

/** Problems that several operations answer alike are components; so are headers. */
function shareAnswers(paths: Readonly<Record<string, Record<string, Schema>>>): {
  responses: Record<string, Schema>
  headers: Record<string, Schema>
} {
  const responses: Record<string, Schema> = {}
  const headers: Record<string, Schema> = {}
  for (const operation of Object.values(paths).flatMap((path) => Object.values(path))) {
    const answers = operation.responses as Record<string, Schema>
    for (const [status, answer] of Object.entries(answers)) {
      for (const name of Object.keys(answer.headers as object)) headers[name] = HEADERS[name]!
      const codes = [...String(answer.description).matchAll(/`(RB_\w+)`/g)].map(([, code]) => code!)
      if (codes.length === 0 || codes.length > SHARED_CODES_MAX) continue
      responses[codes.join('.')] = answer
      answers[status] = { $ref: `#/components/responses/${codes.join('.')}` }
    }
  }
  return { responses: sorted(responses), headers: sorted(headers) }
}

function sorted(entries: Readonly<Record<string, Schema>>): Record<string, Schema> {
  return Object.fromEntries(Object.entries(entries).toSorted(([one], [other]) => (one < other ? -1 : 1)))
}

/** `/v1/runs/:id(^[^:/]+)::revoke` is `/v1/runs/{id}:revoke`. */
export function pathOf(url: string): string {
  return url
    .replaceAll('::', '\n')
    .replaceAll(/:(\w+)(\([^)]*\))?/g, '{$1}')
    .replaceAll('\n', ':')
}

function describeOperation(one: Registered): Schema {
  const { access, endpoint } = one
  const { id, tag, summary, description, body } = endpoint
  const parameters = [...pathParameters(one), ...queryParameters(one), ...headerParameters(one)]
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description ? { description } : {}),
    ...(access.auth === 'public' ? { security: [] } : {}),
    ...(access.auth === 'scope' ? { 'x-scope': access.scope } : {}),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body ? { requestBody: describeBody(body) } : {}),
    responses: Object.fromEntries([...successes(one), ...refusals(one)]),
  }
}

function describeBody({ schema, isOptional, example }: NonNullable<Registered['endpoint']['body']>): Schema {
  return {
    required: !isOptional,
    content: { 'application/json': { schema, ...(example === undefined ? {} : { example }) } },
  }
}

function pathParameters({ url, endpoint }: Registered): Schema[] {
  return [...pathOf(url).matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema:
      endpoint.path?.[name!] ?? (name === 'id' ? { type: 'string', format: 'uuid' } : { type: 'string' }),
  }))
}

function queryParameters({ endpoint }: Registered): Schema[] {
  return Object.entries(endpoint.query ?? {}).map(([name, { schema: whole, isRepeated }]) => {
    const { description, ...schema } = whole
    return {
      name,
      in: 'query',
      ...(description ? { description } : {}),
      ...(schema.type === 'array' ? { explode: isRepeated } : {}),
      schema,
    }
  })
}

function headerParameters({ endpoint }: Registered): Schema[] {
  return Object.entries(endpoint.headers ?? {}).map(([name, { description, ...schema }]) => ({
    name,
    in: 'header',
    ...(description ? { description } : {}),
    schema,
  }))
}

function successes({ endpoint }: Registered): [status: string, answer: Schema][] {
  return Object.entries(endpoint.answers).map(([status, answer]) => {
    const { description, schema, type = 'application/json', others = {}, headers = [] } = answer
    const schemas = Object.entries({ ...(schema ? { [type]: schema } : {}), ...others })
    const content = schemas.map(([name, one]) => [name, { schema: one }])
    const named = ['X-Request-Id', ...headers].map((name) => [name, headerOf(name)])
    return [
      status,
      {
        description,
        headers: Object.fromEntries(named) as Schema,
        ...(content.length > 0 ? { content: Object.fromEntries(content) as Schema } : {}),
      },
    ]
  })
}

function headerOf(name: string): Schema {
  if (Object.hasOwn(HEADERS, name)) return { $ref: `#/components/headers/${name}` }
  throw new InvariantError(`the header ${name} is answered and not described`)
}

function refusals(one: Registered): [status: string, answer: Schema][] {
  return [...problemsOf(one)].map(([status, codes]) => [String(status), problemAnswer(codes)])
}
