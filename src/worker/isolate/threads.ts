/**
 * Isolated runs in threads: a pool of piscina for each amount of memory that tasks ask for. It starts threads when they are
 * needed, replaces the dead and ends the idle; which run goes when is decided before (seats.ts), so nothing waits in it.
 *
 * A run that must end is a thread that is terminated, which V8 does in the midst of `while (true)`. Where the answer of a run
 * and the end of its thread cross, the answer stands: the port is read to its end before a death is believed.
 */
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MessageChannel, receiveMessageOnPort, type MessagePort } from 'node:worker_threads'
import type { Piscina } from 'piscina'
import { IsolateLost } from '../../errors.ts'
import type { Hold, Needs, Place } from './place.ts'
import { isAnswer, type FromIsolate } from './protocol.ts'
import type { ThreadOrder } from './thread.ts'

/** A thread that had nothing to do for so long ends. */
const IDLE_MS = 30_000

export interface ThreadsOptions {
  /** The class, which is imported when some task needs it. */
  readonly pool: typeof Piscina
  readonly size: number
  /** A thread died with no run in it. */
  onProblem(error: Error): void
}

export function createThreads({ pool: Pool, size, onProblem }: ThreadsOptions): Place {
  const pools = new Map<number | null, Piscina>()
  const filename = fileURLToPath(new URL(`./thread${extname(import.meta.url)}`, import.meta.url))

  const poolFor = ({ memory }: Needs): Piscina => {
    const standing = pools.get(memory)
    if (standing) return standing
    const opened = new Pool({
      filename,
      name: 'runOrder',
      minThreads: 0,
      maxThreads: size,
      idleTimeout: IDLE_MS,
      // Between two runs a thread serves what its modules keep open, such as a connection.
      atomics: 'disabled',
      resourceLimits: memory === null ? {} : { maxOldGenerationSizeMb: memory },
    })
    opened.on('error', onProblem)
    pools.set(memory, opened)
    return opened
  }

  return {
    begin(order, needs, hear) {
      const { port1: port, port2 } = new MessageChannel()
      const killed = new AbortController()
      const state = { answered: false }
      const listen = (message: FromIsolate): void => {
        hear(message)
        if (!isAnswer(message)) return
        state.answered = true
        if (needs.recycleAfter !== null && message.runs >= needs.recycleAfter) killed.abort()
      }
      port.on('message', listen)
      const run = poolFor(needs).run(
        { order, port: port2, recycleAfter: needs.recycleAfter } satisfies ThreadOrder,
        { transferList: [port2], signal: killed.signal },
      )
      const over = run.then(
        () => null,
        (error: Error) => {
          drain(port, listen)
          if (state.answered || killed.signal.aborted) return null
          // An order that cannot be sent has killed nobody: the input holds what no thread can be given.
          if (error.name === 'DataCloneError') throw error
          return new IsolateLost('thread', explain(error), { cause: error })
        },
      )
      return {
        tell: (abort) => port.postMessage(abort),
        kill: () => killed.abort(),
        over: over.finally(() => {
          drain(port, listen)
          port.close()
        }),
      } satisfies Hold
    },
    async end() {
      await Promise.all([...pools.values()].map((pool) => pool.destroy()))
      pools.clear()
    },
  }
}

function drain(port: MessagePort, listen: (message: FromIsolate) => void): void {
  for (;;) {
    const received = receiveMessageOnPort(port) as { message: FromIsolate } | undefined
    if (!received) return
    listen(received.message)
  }
}

function explain(error: Error): string {
  if ((error as { code?: unknown }).code === 'ERR_WORKER_OUT_OF_MEMORY') return 'it reached its memory limit'
  const exit = /exited with code: (\d+)/.exec(error.message)
  return exit ? `it exited with code ${exit[1]}` : error.message
}
