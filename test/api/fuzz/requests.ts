/**
 * Requests for the fuzzer, made from the OpenAPI document and nothing else: for each operation some that it allows, some
 * with one thing wrong, and some that mean harm. Ids are taken when a request is sent, from what earlier ones made.
 */
import fc from 'fast-check'
import { hostile, hostileKeys, mutated, rawBodies, valuesOf, type Hints, type Schema } from './values.ts'

export interface Operation {
  id: string
  method: string
  /** As in the document: `/v1/runs/{id}:revoke`. */
  path: string
  told: Schema
}

export type Kind = 'valid' | 'nearly' | 'hostile'

export interface Asked {
  kind: Kind
  /** For each part of the address: which of those that are known, or a text instead. */
  parts: Record<string, number | string>
  query: [name: string, value: unknown][]
  headers: Record<string, string>
  /** undefined: no body; a text is sent as it is. */
  body: { json: unknown } | { text: string } | undefined
  /** Which key to send. */
  key: 'whole' | 'none' | 'wrong' | 'scopeless'
}

export function operationsOf(document: Schema): Operation[] {
  return Object.entries(document.paths as Record<string, Record<string, Schema>>).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, told]) => ({
      id: told.operationId as string,
      method: method.toUpperCase(),
      path,
      told,
    })),
  )
}

export const resolverOf =
  (document: Schema) =>
  (schema: Schema): Schema => {
    let found = schema
    while (found.$ref)
      found = (found.$ref as string)
        .split('/')
        .slice(1)
        .reduce((place, step) => place[step], document)
    return found
  }

const HINTS: Hints = {
  task: fc.constantFrom('demo.add', 'demo.echo', 'demo.echo', 'demo.nothing'),
  queue: fc.constantFrom('default', 'high', 'low', 'default'),
  to: fc.constantFrom('low', 'default'),
}

export function requestsOf(operation: Operation, document: Schema): fc.Arbitrary<Asked> {
  const make = (kind: Kind): fc.Arbitrary<Asked> =>
    fc.record({
      kind: fc.constant(kind),
      parts: partsOf(operation, kind),
      query: queryOf(operation, document, kind),
      headers: headersOf(operation, kind),
      body: bodyOf(operation, document, kind),
      key: keysOf(kind),
    })
  return fc.oneof(
    { weight: 4, arbitrary: make('valid') },
    { weight: 4, arbitrary: make('nearly') },
    { weight: 2, arbitrary: make('hostile') },
  )
}

function keysOf(kind: Kind): fc.Arbitrary<Asked['key']> {
  if (kind === 'valid') return fc.constant('whole')
  return fc.oneof(
    { weight: 18, arbitrary: fc.constant<Asked['key']>('whole') },
    { weight: 1, arbitrary: fc.constantFrom<Asked['key']>('none', 'wrong', 'scopeless') },
  )
}

const ODD_PARTS = [
  '%00',
  '%ud800',
  '%',
  '%2e%2e%2f',
  '..',
  '__proto__',
  'constructor',
  'x'.repeat(101),
  'x'.repeat(5000),
  '%F0%9F%8E%88',
  '00000000-0000-0000-0000-000000000000',
  'ffffffff-ffff-ffff-ffff-ffffffffffff',
  ':revoke',
  '%3Arevoke',
  "';--",
  '%0d%0aX-Evil:%201',
  '0',
  '-1',
  'null',
]

function partsOf({ told }: Operation, kind: Kind): fc.Arbitrary<Asked['parts']> {
  const odd = fc.oneof(fc.constantFrom(...ODD_PARTS), fc.uuid(), fc.webSegment())
  const names = ((told.parameters ?? []) as Schema[]).filter((one) => one.in === 'path')
  const parts = names.map(({ name, schema }) => {
    const known = schema.enum ? fc.constantFrom<string>(...schema.enum) : fc.nat()
    const weight = { valid: 0, nearly: 1, hostile: 8 }[kind]
    return [name, fc.oneof({ weight: 8, arbitrary: known }, { weight, arbitrary: odd })]
  })
  return fc.record(Object.fromEntries(parts)) as fc.Arbitrary<Asked['parts']>
}

function queryOf({ told }: Operation, document: Schema, kind: Kind): fc.Arbitrary<Asked['query']> {
  const resolve = resolverOf(document)
  const known = ((told.parameters ?? []) as Schema[]).filter((one) => one.in === 'query')
  const entries = known.map(({ name, schema, required }) => {
    const hint = HINTS[name]
    const values = hint ?? valuesOf(schema, resolve)
    const value = kind === 'valid' ? values : fc.oneof(values, mutated(values))
    return fc
      .tuple(fc.nat(3), value)
      .map(([often, one]): [string, unknown][] => (required || often === 0 ? [[name, one]] : []))
  })
  const odd: fc.Arbitrary<[string, unknown][]> = fc
    .tuple(fc.nat(9), fc.oneof(hostileKeys, fc.constantFrom('limit', 'Limit', 'state[]', 'x')), hostile)
    .map(([often, name, value]) => (kind !== 'valid' && often < 2 ? [[name, value]] : []))
  return fc.tuple(...entries, odd).map((lists) => lists.flat())
}

const ODD_HEADERS: Record<string, string>[] = [
  { 'x-request-id': 'a b' },
  { 'x-request-id': 'x'.repeat(500) },
  { 'x-http-method-override': 'DELETE' },
  { 'if-match': 'x' },
  { 'if-match': 'W/"1"' },
  { 'if-match': `"${'9'.repeat(400)}"` },
  { 'if-match': '"1",'.repeat(200) },
  { 'if-none-match': '*' },
  { 'idempotency-key': '' },
  { 'idempotency-key': 'k'.repeat(600) },
  { 'idempotency-key': 'ключ' },
  { 'last-event-id': 'SUCCESS\u0001' },
  { prefer: 'wait=-1' },
  { prefer: 'wait=x, respond-async' },
  { accept: 'text/html' },
  { accept: 'application/xml;q=nope' },
  { 'accept-encoding': '*;q=0' },
  { 'content-type': 'text/plain' },
  { 'content-type': 'application/x-www-form-urlencoded' },
  { 'content-type': 'application/json; charset=utf-16' },
  { 'content-type': 'application/json;;;=' },
  { 'content-type': 'multipart/form-data' },
  { 'content-type': '' },
  { 'content-encoding': 'gzip' },
  { cookie: '__proto__=1; rowbeat=x' },
  { range: 'bytes=0-1' },
  { origin: 'https://evil.example' },
  { 'x-forwarded-for': "127.0.0.1', 'x" },
  { 'transfer-encoding': 'identity' },
]

function headersOf({ told }: Operation, kind: Kind): fc.Arbitrary<Record<string, string>> {
  const known = ((told.parameters ?? []) as Schema[]).filter((one) => one.in === 'header')
  const values: Record<string, fc.Arbitrary<string>> = {
    'If-Match': fc.constantFrom('*', '*', '"1"', '"2"'),
    'If-None-Match': fc.constantFrom('"x"', 'W/"x"'),
    'Last-Event-ID': fc.constantFrom('SUCCESS', 'REVOKED'),
    Prefer: fc.constantFrom('wait=0', 'respond-async', 'wait=0, handling=strict'),
  }
  const some = known.map(({ name }) =>
    fc
      .tuple(fc.boolean(), values[name] ?? fc.stringMatching(/^[a-z0-9-]{1,30}$/))
      .map(([isSent, value]) => (isSent || name === 'If-Match' ? { [name.toLowerCase()]: value } : {})),
  )
  const odd = fc
    .tuple(fc.nat(9), fc.constantFrom(...ODD_HEADERS))
    .map(([often, header]) =>
      kind === 'hostile' || (kind === 'nearly' && often === 0) ? header : ({} as Record<string, string>),
    )
  return fc.tuple(...some, odd).map((headers) => Object.assign({}, ...headers) as Record<string, string>)
}

function bodyOf({ method, told }: Operation, document: Schema, kind: Kind): fc.Arbitrary<Asked['body']> {
  const content = told.requestBody?.content?.['application/json'] as Schema | undefined
  if (!content) {
    if (kind !== 'hostile' || method === 'GET') return fc.constant(undefined)
    return fc.oneof(
      fc.constant(undefined),
      hostile.map((json) => ({ json })),
    )
  }
  const made = valuesOf(content.schema, resolverOf(document), HINTS)
  const values = content.example === undefined ? made : fc.oneof(made, fc.constant(content.example))
  const sent = (json: unknown): Asked['body'] => ({ json })
  if (kind === 'valid') {
    const whole = values.map(sent)
    return told.requestBody.required
      ? whole
      : fc.oneof({ weight: 3, arbitrary: whole }, fc.constant(undefined))
  }
  if (kind === 'nearly') return mutated(values).map(sent)
  return fc.oneof(
    mutated(mutated(values)).map(sent),
    hostile.map(sent),
    fc.constant(undefined),
    rawBodies.map((text) => ({ text })),
  )
}
