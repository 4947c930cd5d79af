/** How flags of several commands read their text. */
import { InvalidArgumentError } from 'commander'
import { parseDuration } from '../duration.ts'

export function whole(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN
    if (value >= min && value <= max) return value
    throw new InvalidArgumentError(`Give a whole number from ${min} to ${max}.`)
  }
}

/** Milliseconds. */
export function durationFlag(text: string): number {
  const ms = parseDuration(text)
  if (ms !== null) return ms
  throw new InvalidArgumentError('Give seconds as a number, or text such as "30s", "10 minutes", "2h".')
}
