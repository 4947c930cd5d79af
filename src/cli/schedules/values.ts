/**
 * Values of flags, refused as commander refuses: with the flag's name, before anything is loaded.
 */
import { InvalidArgumentError } from 'commander'
import { isInstant } from '../../instant.ts'

export function instantFlag(text: string): string {
  if (isInstant(text)) return text
  throw new InvalidArgumentError('Give an instant such as 2026-01-31T12:00:00Z.')
}

export function number(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text)
    if (value >= min && value <= max) return value
    throw new InvalidArgumentError(`Give a number from ${min} to ${max}.`)
  }
}

export function word<Word extends string>(...words: readonly Word[]): (text: string) => Word {
  return (text) => {
    const found = words.find((known) => known === text)
    if (found) return found
    throw new InvalidArgumentError(`Give ${words.slice(0, -1).join(', ')} or ${words.at(-1)}.`)
  }
}
