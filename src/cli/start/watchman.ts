/**
 * The last resort against children that outlive a supervisor killed with -9. They notice by themselves, except when a
 * handler keeps their event loop busy; so a small shell holds the other end of a pipe, knows who the children are, and
 * kills what is left of them when the pipe has been closed for 4 s. In a session of its own: Ctrl-C is not for it.
 */
import { spawn } from 'node:child_process'

export interface Watchman {
  follow(pid: number | undefined): void
  /** It has ended, and its number may become somebody else's. */
  forget(pid: number | undefined): void
  /** All are gone in good order. */
  dismiss(): void
}

/** The last line is who lives now: an old number may belong to somebody else. */
const WATCH = `
while read -r line; do pids=$line; done
[ -z "$pids" ] || { sleep 4; kill -9 $pids; }
`

export function startWatchman(): Watchman {
  const pids = new Set<number>()
  const shell = spawn('/bin/sh', ['-c', WATCH, 'rowbeat-watchman'], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  // Where there is no shell there is no watchman; everything else works without him.
  shell.on('error', () => {})
  shell.stdin.on('error', () => {})
  shell.unref()
  const say = (): void => void shell.stdin.write(`${[...pids].join(' ')}\n`)
  return {
    follow(pid) {
      if (pid !== undefined) pids.add(pid)
      say()
    },
    forget(pid) {
      if (pid !== undefined) pids.delete(pid)
      say()
    },
    dismiss() {
      pids.clear()
      say()
      shell.stdin.end()
    },
  }
}
