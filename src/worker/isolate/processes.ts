/**
 * Isolated runs in processes: for code that may take its whole process with it. A child makes one run at a time and is kept
 * for the next, so that only the first run pays for its start; one that must end is killed with SIGKILL.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { IsolateLost } from '../../errors.ts'
import { after } from '../limits.ts'
import type { Hold, Needs, Place } from './place.ts'
import { isAnswer, type Answer, type FromIsolate } from './protocol.ts'

/** A child that had nothing to do for so long ends. */
const IDLE_MS = 30_000

interface Child {
  readonly process: ChildProcess
  readonly memory: number | null
  /** What hears its messages, and its end: of the run it makes, or of nobody. */
  hear(message: FromIsolate): void
  onEnd(how: string): void
  idle: { stop(): void } | null
}

const ignore = (): void => {}

export function createProcesses(): Place {
  const children = new Set<Child>()
  const file = fileURLToPath(new URL(`./child${extname(import.meta.url)}`, import.meta.url))

  const start = (memory: number | null): Child => {
    const heap = memory === null ? [] : [`--max-old-space-size=${memory}`]
    const child: Child = {
      process: fork(file, [], {
        // A debugger's port is taken by the worker.
        execArgv: [...process.execArgv.filter((flag) => !flag.startsWith('--inspect')), ...heap],
        serialization: 'advanced',
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      }),
      memory,
      hear: ignore,
      onEnd: ignore,
      idle: null,
    }
    const end = (how: string): void => {
      child.idle?.stop()
      if (children.delete(child)) child.onEnd(how)
    }
    child.process.on('message', (message) => child.hear(message as FromIsolate))
    child.process.on('error', (error) => end(error.message))
    // Not `exit`, after which messages may still come.
    child.process.on('close', (code, signal) =>
      end(signal ? `it was ended by ${signal}` : `it exited with code ${code}`),
    )
    children.add(child)
    return child
  }
  const take = (memory: number | null): Child => {
    const free = [...children].find((one) => one.idle && one.memory === memory && one.process.connected)
    free?.idle?.stop()
    const child = free ?? start(memory)
    child.idle = null
    child.process.ref()
    child.process.channel?.ref()
    return child
  }
  const rest = (child: Child): void => {
    child.hear = child.onEnd = ignore
    child.process.unref()
    child.process.channel?.unref()
    child.idle = after(IDLE_MS, () => end(child))
  }
  const end = (child: Child): void => {
    children.delete(child)
    child.idle?.stop()
    child.process.kill('SIGKILL')
  }

  return {
    begin(order, { memory, recycleAfter }: Needs, hear) {
      const child = take(memory)
      const { promise: over, resolve: finish, reject: refuse } = Promise.withResolvers<IsolateLost | null>()
      const onAnswer = ({ runs }: Answer): void => {
        if (recycleAfter !== null && runs >= recycleAfter) end(child)
        else rest(child)
        finish(null)
      }
      child.hear = (message) => {
        hear(message)
        if (isAnswer(message)) onAnswer(message)
      }
      child.onEnd = (how) => finish(new IsolateLost('process', how))
      try {
        child.process.send({ kind: 'order', ...order }, ignore)
      } catch (error) {
        // The input holds what no process can be given.
        rest(child)
        refuse(error)
      }
      return {
        tell: (abort) => void child.process.send(abort, ignore),
        kill() {
          child.hear = ignore
          end(child)
          finish(null)
        },
        over,
      } satisfies Hold
    },
    async end() {
      await Promise.all(
        [...children].map((child) => {
          const gone = new Promise((resolve) => child.process.once('close', resolve))
          const { onEnd } = child
          child.process.ref()
          end(child)
          onEnd('the worker stops')
          return gone
        }),
      )
    },
  }
}
