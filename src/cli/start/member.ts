/**
 * One process of a crew, as its supervisor sees it: forked, told its seat, listened to, and known by how it ended.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { monotonicMs } from '../../clock.ts'
import type { FromChild, Go, Ready, Seat, ToChild } from './link.ts'

export interface MemberOptions {
  role: string
  seat: Seat
  /** Where its stdout goes: 1, or 2 where stdout is for one document. */
  stdout: 1 | 2
  /** Known already; otherwise told later. */
  place: Go | null
  onReady(member: Member, ready: Ready): void
  /** It could not begin; its exit follows. */
  onFailed(member: Member, code: string, message: string): void
  onSpent(member: Member, why: string): void
  onLeaving(member: Member): void
}

export interface Member {
  readonly pid: number | undefined
  readonly bornMs: number
  /** What it said when it was ready; null before. */
  ready: Ready | null
  /** It has done its share: another is to take its place. */
  isSpent: boolean
  /** Another has. */
  isRelieved: boolean
  /** Resolves with how, in words: `code 1`, `SIGKILL`. */
  readonly ended: Promise<string>
  tell(message: ToChild): void
  kill(): void
}

export function launchMember(options: MemberOptions): Member {
  const { role, seat, stdout, place } = options
  const main = fileURLToPath(new URL(`../main${extname(import.meta.url)}`, import.meta.url))
  const child = fork(main, [role, '--supervised'], { execArgv: [], stdio: ['ignore', stdout, 2, 'ipc'] })
  const tell = (message: ToChild): void => {
    // A child that is gone is noticed by its exit.
    if (child.connected) child.send(message, () => {})
  }
  const member: Member = {
    pid: child.pid,
    bornMs: monotonicMs(),
    ready: null,
    isSpent: false,
    isRelieved: false,
    ended: exitOf(child),
    tell,
    kill: () => void child.kill('SIGKILL'),
  }
  child.on('message', (message: FromChild) => {
    if (message.kind === 'ready') {
      member.ready = { url: message.url, document: message.document }
      options.onReady(member, member.ready)
    } else if (message.kind === 'spent') {
      member.isSpent = true
      options.onSpent(member, message.why)
    } else if (message.kind === 'leaving') options.onLeaving(member)
    else options.onFailed(member, message.code, message.message)
  })
  tell({ kind: 'seat', ...seat })
  if (place) tell({ kind: 'go', ...place })
  return member
}

function exitOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ?? `code ${code}`))
    // It was never born: there is no exit to come.
    child.on('error', (error) => child.pid === undefined && resolve(error.message))
  })
}
