/**
 * What a client that was written against one description of the API meets under another. Additions are no harm: an
 * operation, a parameter or field that may be left out, a key of an answer, a word more in an answer (who reads answers has
 * to bear words that are new). Whatever takes something away, or asks for more than before, is.
 */
type Node = Record<string, any>

/** What is broken for clients of `before`, a line each. */
export function findBreaks(before: Node, after: Node): string[] {
  const breaks: string[] = []
  for (const [path, methods] of Object.entries(before.paths as Record<string, Node>))
    for (const [method, operation] of Object.entries(methods)) {
      const at = `${method.toUpperCase()} ${path}`
      const now = after.paths[path]?.[method] as Node | undefined
      if (!now) breaks.push(`${at} is gone`)
      else breaks.push(...breaksOfOperation(at, operation, now, before, after))
    }
  return breaks
}

function breaksOfOperation(at: string, was: Node, is: Node, before: Node, after: Node): string[] {
  const breaks: string[] = []
  if (was.operationId !== is.operationId)
    breaks.push(`${at} is called ${is.operationId}, no more ${was.operationId}`)
  if ((was['x-scope'] ?? null) !== (is['x-scope'] ?? null))
    breaks.push(`${at} needs ${is['x-scope']}, no more ${was['x-scope']}`)
  const parameters = new Map<string, Node>(
    (is.parameters ?? []).map((one: Node) => [`${one.in} ${one.name}`, one]),
  )
  for (const one of (was.parameters ?? []) as Node[]) {
    const name = `${one.in} ${one.name}`
    const now = parameters.get(name)
    parameters.delete(name)
    if (!now) breaks.push(`${at}: ${name} is gone`)
    else breaks.push(...taken(`${at}: ${name}`, one.schema, now.schema, before, after))
    if (now?.required && !one.required) breaks.push(`${at}: ${name} is needed now`)
  }
  for (const [name, one] of parameters) if (one.required) breaks.push(`${at}: ${name} is new and needed`)
  const [body, bodyNow] = [jsonOf(was.requestBody), jsonOf(is.requestBody)]
  if (is.requestBody?.required && !was.requestBody?.required) breaks.push(`${at}: a body is needed now`)
  if (body && !bodyNow) breaks.push(`${at}: takes no body any more`)
  if (body && bodyNow) breaks.push(...taken(`${at}: body`, body, bodyNow, before, after))
  for (const [status, answer] of Object.entries(was.responses as Record<string, Node>)) {
    if (Number(status) >= 400) continue
    const now = is.responses[status] as Node | undefined
    if (!now) {
      breaks.push(`${at}: ${status} is gone`)
      continue
    }
    for (const [type, { schema }] of Object.entries(
      (resolve(answer, before).content ?? {}) as Record<string, Node>,
    )) {
      const other = resolve(now, after).content?.[type] as Node | undefined
      if (!other) breaks.push(`${at}: ${status} is no more ${type}`)
      else breaks.push(...given(`${at}: ${status}`, schema, other.schema, before, after))
    }
  }
  return breaks
}

const jsonOf = (body: Node | undefined): Node | undefined => body?.content?.['application/json']?.schema

function resolve(node: Node | boolean, document: Node): Node {
  let found = node
  if (typeof found === 'boolean') return found ? {} : { enum: [] }
  while (found?.$ref)
    found = (found.$ref as string)
      .split('/')
      .slice(1)
      .reduce((place, step) => place[step], document)
  return found
}

const typesOf = (schema: Node): string[] => [schema.type ?? []].flat()
const partsOf = (schema: Node): Node[] | null => schema.anyOf ?? schema.oneOf ?? null
const LIMITS: [name: string, isMost: boolean][] = [
  ['maximum', true],
  ['maxLength', true],
  ['maxItems', true],
  ['minimum', false],
  ['minLength', false],
  ['minItems', false],
]

/** What may be sent no more. */
function taken(
  at: string,
  one: Node,
  other: Node,
  before: Node,
  after: Node,
  seen: readonly string[] = [],
): string[] {
  const ref = `${one?.$ref} ${other?.$ref}`
  if (one?.$ref && seen.includes(ref)) return []
  const deeper = [...seen, ref]
  const [was, is] = [resolve(one, before) ?? {}, resolve(other, after) ?? {}]
  const breaks: string[] = []
  const [parts, partsNow] = [partsOf(was), partsOf(is)]
  if (parts)
    return parts.every((part) =>
      (partsNow ?? [is]).some((now) => taken(at, part, now, before, after, deeper).length === 0),
    )
      ? []
      : [`${at} takes less than it did`]
  if (partsNow)
    return partsNow.some((now) => taken(at, was, now, before, after, deeper).length === 0)
      ? []
      : [`${at} takes less than it did`]
  if (
    typesOf(is).length > 0 &&
    (typesOf(was).length === 0 || typesOf(was).some((type) => !allows(typesOf(is), type)))
  )
    breaks.push(`${at} takes ${typesOf(is)}, no more ${typesOf(was).join() || 'anything'}`)
  const words = (was.enum ?? ('const' in was ? [was.const] : null)) as unknown[] | null
  const wordsNow = (is.enum ?? ('const' in is ? [is.const] : null)) as unknown[] | null
  for (const word of words ?? [])
    if (wordsNow && !wordsNow.includes(word)) breaks.push(`${at} takes ${word} no more`)
  if (wordsNow && !words) breaks.push(`${at} takes only ${wordsNow.join()}`)
  for (const [name, isMost] of LIMITS) {
    const [old, now] = [was[name] as number | undefined, is[name] as number | undefined]
    if (now !== undefined && (old === undefined || (isMost ? now < old : now > old)))
      breaks.push(`${at}: ${name} is ${now}`)
  }
  if (is.pattern && is.pattern !== was.pattern) breaks.push(`${at} must match another pattern`)
  for (const name of (is.required ?? []) as string[])
    if (!(was.required ?? []).includes(name)) breaks.push(`${at}/${name} is needed now`)
  for (const [name, schema] of Object.entries((was.properties ?? {}) as Record<string, Node>)) {
    const now = is.properties?.[name] as Node | undefined
    if (now) breaks.push(...taken(`${at}/${name}`, schema, now, before, after, deeper))
    else if (is.additionalProperties === false) breaks.push(`${at}/${name} is gone`)
  }
  if (is.additionalProperties === false && was.additionalProperties !== false && was.type === 'object')
    breaks.push(`${at} takes no other fields any more`)
  if (was.items && is.items) breaks.push(...taken(`${at}/*`, was.items, is.items, before, after, deeper))
  return breaks
}

const allows = (types: readonly string[], type: string): boolean =>
  types.includes(type) || (type === 'integer' && types.includes('number'))

/** What was answered and is no more, or may be other than it was. */
function given(
  at: string,
  one: Node,
  other: Node,
  before: Node,
  after: Node,
  seen: readonly string[] = [],
): string[] {
  const ref = `${one?.$ref} ${other?.$ref}`
  if (one?.$ref && seen.includes(ref)) return []
  const deeper = [...seen, ref]
  const [was, is] = [resolve(one, before) ?? {}, resolve(other, after) ?? {}]
  const breaks: string[] = []
  const [parts, partsNow] = [partsOf(was), partsOf(is)]
  if (parts || partsNow)
    return (partsNow ?? [is]).every((now) =>
      (parts ?? [was]).some((part) => given(at, part, now, before, after, deeper).length === 0),
    )
      ? []
      : [`${at} may be what it was not`]
  if (
    typesOf(was).length > 0 &&
    (typesOf(is).length === 0 || typesOf(is).some((type) => !allows(typesOf(was), type)))
  )
    breaks.push(`${at} may be ${typesOf(is).join() || 'anything'}, was ${typesOf(was)}`)
  for (const name of (was.required ?? []) as string[])
    if (!(is.required ?? []).includes(name)) breaks.push(`${at}/${name} is not always there any more`)
  for (const [name, schema] of Object.entries((was.properties ?? {}) as Record<string, Node>)) {
    const now = is.properties?.[name] as Node | undefined
    if (now) breaks.push(...given(`${at}/${name}`, schema, now, before, after, deeper))
    else breaks.push(`${at}/${name} is gone`)
  }
  if (was.items && is.items) breaks.push(...given(`${at}/*`, was.items, is.items, before, after, deeper))
  return breaks
}
