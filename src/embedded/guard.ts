/**
 * Runs `postgres` under a small shell guard, so that it neither dies too early nor lives too long.
 *
 *   node ──(pipe that only we hold open)──► sh ──► postgres
 *
 * Too early: the guard leads a session of its own, so Ctrl-C in the terminal reaches us and not PostgreSQL;
 * we stop it ourselves, after everything that needs it. Too long: when we die in any way, even by kill -9,
 * the kernel closes the pipe; the guard then waits 3 s (our other children are ending too and still want to
 * hand back their runs), asks for a fast shutdown, and one second later for an immediate one, from which the
 * next start recovers. When PostgreSQL ends first, the guard ends with its exit code and we learn of it. A
 * guard killed by itself leaves an orphan: the next start finds and stops it (remains.ts).
 *
 * PostgreSQL writes its log straight to a file: through a pipe of ours it would stall whenever our event loop
 * does.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { ENVIRONMENT } from './footing.ts'
import type { Footing } from './footing.ts'

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface Guarded {
  /** The postmaster's. */
  readonly pid: number
  readonly exited: Promise<Exit>
}

const GUARD = `
"$@" >&2 3<&- & postgres=$!
trap 'kill -INT $postgres 2>/dev/null' TERM INT HUP
( trap - TERM INT HUP
  read -r nothing <&3
  sleep 3; kill -INT $postgres 2>/dev/null || exit
  sleep 1; kill -QUIT $postgres 2>/dev/null ) >/dev/null 2>&1 & watch=$!
echo $postgres
exec >/dev/null 3<&-
wait $postgres; code=$?
while kill -0 $postgres 2>/dev/null; do wait $postgres; code=$?; done
kill $watch 2>/dev/null
exit $code
`

/** Starts `postgres` with `words`; its log goes to the open file `log`. */
export async function launchGuarded(
  footing: Footing,
  words: readonly string[],
  log: number,
): Promise<Guarded> {
  const command = [...footing.prefix, footing.binaries.postgres, ...words]
  const guard = spawn('/bin/sh', ['-c', GUARD, 'rowbeat-postgres', ...command], {
    cwd: '/',
    env: ENVIRONMENT,
    detached: true,
    stdio: ['ignore', 'pipe', log, 'pipe'],
    ...footing.identity,
  })
  const exited = exitOf(guard)
  const pid = await Promise.race([firstNumber(guard), exited.then(() => 0)])
  return { pid, exited }
}

function exitOf(guard: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    guard.once('exit', (code, signal) => resolve({ code, signal }))
    guard.once('error', () => resolve({ code: 127, signal: null }))
    // Ours to hold, never to use: an error on it (the guard is gone) is told by 'exit'.
    guard.stdio[3]?.on('error', () => {})
  })
}

function firstNumber(guard: ChildProcess): Promise<number> {
  const lines = createInterface({ input: guard.stdout! })
  return new Promise((resolve) => lines.once('line', (line) => resolve(Number(line))))
}
