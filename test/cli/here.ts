/**
 * The command line in this very process: what costs a third of a second as a process costs nothing here. One call at a time:
 * environment, working directory and what is written to stdout and stderr are the process's own, and are given back.
 */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { runCommandLine } from '../../src/cli/program.ts'
import { plainEnvironment } from '../helpers/process.ts'
import type { Said } from './command.ts'

export interface HereOptions {
  env?: Record<string, string>
  cwd?: string
}

/** Runs `rowbeat <words>`. */
export async function here(words: readonly string[], { env, cwd }: HereOptions = {}): Promise<Said> {
  const said = { stdout: '', stderr: '' }
  const standing = { env: process.env, cwd: process.cwd(), isTTY: process.stdin.isTTY }
  const restore = capture((stream, text) => (said[stream] += text))
  process.env = { ...plainEnvironment(), ...env }
  process.stdin.isTTY = false
  if (cwd) process.chdir(cwd)
  try {
    return { code: await runCommandLine(words), ...said }
  } finally {
    restore()
    process.env = standing.env
    process.stdin.isTTY = standing.isTTY
    process.chdir(standing.cwd)
  }
}

/** As `rowbeat` of command.ts, one call after the other: for commands that end by themselves and read no stdin. */
export function createHere(): (t: unknown, words: readonly string[], options?: HereOptions) => Promise<Said> {
  let last: Promise<unknown> = Promise.resolve()
  return (_t, words, options) => {
    const said = last.then(() => here(words, options))
    last = said.catch(() => {})
    return said
  }
}

type Hear = (stream: 'stdout' | 'stderr', text: string) => void

/** What our words are written with, and what commander's are. */
function capture(hear: Hear): () => void {
  const { writeSync } = fs
  const writes = { stdout: process.stdout.write, stderr: process.stderr.write }
  fs.writeSync = ((...given: [fd: number, bytes: Buffer, offset?: number]) => {
    const [fd, bytes, offset = 0] = given
    if (fd !== 1 && fd !== 2) return writeSync(...given)
    hear(fd === 1 ? 'stdout' : 'stderr', bytes.subarray(offset).toString())
    return bytes.length - offset
  }) as typeof fs.writeSync
  syncBuiltinESMExports()
  for (const name of ['stdout', 'stderr'] as const) {
    process[name].write = ((text: string | Uint8Array) => {
      hear(name, String(text))
      return true
    }) as typeof process.stdout.write
  }
  return () => {
    fs.writeSync = writeSync
    syncBuiltinESMExports()
    for (const name of ['stdout', 'stderr'] as const) process[name].write = writes[name]
  }
}
