/**
 * The name of a worker, as Celery's -n gives it: `%h` is the machine, `%n` its name without the domain, `%d` the domain,
 * `%i` the number of the process among its brothers, `%%` a percent sign. Settings hold for a name, so a worker that is to
 * find its own again after a restart needs one that stays; without a name it gets one that is never used twice.
 */
import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { ConfigError } from '../errors.ts'

const LENGTH_MAX = 200

/** Throws ConfigError. */
export function nameOf(pattern: string | undefined, index: number): string {
  if (pattern === undefined) return `${hostname()}-${process.pid}-${randomBytes(3).toString('hex')}`
  const host = hostname()
  const dot = host.includes('.') ? host.indexOf('.') : host.length
  const parts: Readonly<Record<string, string>> = {
    h: host,
    n: host.slice(0, dot),
    d: host.slice(dot + 1),
    i: String(index),
    '%': '%',
  }
  const name = pattern.replace(/%(.?)/gs, (_, letter: string) => {
    const part = parts[letter]
    if (part !== undefined) return part
    throw new ConfigError(
      `the name ${JSON.stringify(pattern)} has %${letter}: known are %h (machine), %n and %d (its name and domain), %i (number of the process) and %%.`,
    )
  })
  if (/^[^\s\p{Cc},*](?:[^\p{Cc},*]*[^\s\p{Cc},*])?$/u.test(name) && name.length <= LENGTH_MAX) return name
  throw new ConfigError(
    `the name ${JSON.stringify(name)} of a worker must have 1 to ${LENGTH_MAX} characters, no comma, asterisk or control character, and no space at an end.`,
  )
}
