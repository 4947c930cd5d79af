/**
 * Other processes of ours in tests: started, listened to, signalled, killed with -9, and never left behind. Their
 * environment is this one's without what would change their behaviour: tap's preloads, a DATABASE_URL of the
 * developer's, ROWBEAT_ variables.
 */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { birthOf } from '../../src/embedded/remains.ts'
import { until, within } from './wait.ts'

export const ROOT = fileURLToPath(new URL('../../', import.meta.url))

export interface ProcessOptions {
  args?: readonly string[]
  env?: Record<string, string>
  cwd?: string
  /** Another program than this Node, such as `psql`; `script` is then its first word. */
  program?: string
  stdin?: 'ignore' | 'pipe'
}

export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
}

export interface Process {
  readonly pid: number
  /** Everything it said so far, stdout and stderr as they came. */
  output(): string
  stdout(): string
  stderr(): string
  write(text: string): void
  /** Its stdin is at its end. */
  endInput(): void
  /** The first line that matches, said already or within `timeout` ms. */
  line(match: RegExp, timeout?: number): Promise<RegExpExecArray>
  kill(signal?: NodeJS.Signals): void
  /** Resolves when it ended; an error with its words when it does not within `timeout` ms. */
  ended(timeout?: number): Promise<Ended>
}

interface Owner {
  teardown(handler: () => unknown): unknown
}

/** Starts `script` (a path below the repository, or absolute) with this Node. Killed with -9 at teardown if it lives. */
export function startProcess(t: Owner, script: string, options: ProcessOptions = {}): Process {
  const child = spawn(options.program ?? process.execPath, [script, ...(options.args ?? [])], {
    cwd: options.cwd ?? ROOT,
    env: { ...plainEnvironment(), ...options.env },
    stdio: [options.stdin ?? 'ignore', 'pipe', 'pipe'],
  })
  const said = { all: '', stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]!.setEncoding('utf8').on('data', (text: string) => {
      said[name] += text
      said.all += text
    })
  }
  const closed = new Promise<Ended>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal }))
    child.once('error', (error) => {
      said.all += String(error)
      resolve({ code: 127, signal: null })
    })
  })
  t.teardown(async () => {
    child.kill('SIGKILL')
    child.stdout?.destroy()
    child.stderr?.destroy()
    await closed
  })
  return {
    pid: child.pid ?? 0,
    output: () => said.all,
    stdout: () => said.stdout,
    stderr: () => said.stderr,
    write: (text) => void child.stdin?.write(text),
    endInput: () => void child.stdin?.end(),
    line: (match, timeout = 10_000) => findLine(script, match, timeout, () => said.all, child),
    kill: (signal = 'SIGTERM') => void child.kill(signal),
    ended: (timeout = 10_000) => within(`${script} to end; it said: ${said.all}`, closed, timeout),
  }
}

/** This environment without what would leak into a process under test. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  const leaks = /^(NODE_OPTIONS|TAP_|_TAPJS|ROWBEAT_|DATABASE_URL$|PG|PORT$|HOST$|SMTP_URL$|npm_)/
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !leaks.test(name)))
}

/** Whether a process runs; a zombie does not. */
export function isAlive(pid: number): boolean {
  return birthOf(pid) !== null
}

async function findLine(
  script: string,
  match: RegExp,
  timeout: number,
  said: () => string,
  child: { exitCode: number | null; signalCode: NodeJS.Signals | null },
): Promise<RegExpExecArray> {
  const find = (): RegExpExecArray | undefined =>
    said()
      .split('\n')
      .map((line) => match.exec(line))
      .find((found) => found !== null)
  const isOver = (): boolean => child.exitCode !== null || child.signalCode !== null
  const found = await until(`${script} says ${match}`, () => find() ?? (isOver() && 'ended'), {
    timeout,
  }).catch((cause) => {
    throw new Error(`${script} did not say ${match} within ${timeout} ms; it said: ${said()}`, { cause })
  })
  const last = found === 'ended' ? find() : found
  if (!last) throw new Error(`${script} ended without saying ${match}; it said: ${said()}`)
  return last
}
