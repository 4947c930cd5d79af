/**
 * The worker as people run it: `rowbeat worker` in a process of its own, with the memory settings that the
 * command makes. The task module (rowbeat-cli-tasks.ts) tells how many runs started and what the process weighs.
 */
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Peer, Setup } from '../peer.ts'
import { open as openRowbeat } from './rowbeat.ts'
import type { Weight } from './rowbeat-cli-tasks.ts'

const COMMAND = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const TASKS = fileURLToPath(new URL('./rowbeat-cli-tasks.ts', import.meta.url))

export async function open(setup: Setup): Promise<Peer> {
  const rowbeat = await openRowbeat(setup)
  let child: ChildProcess | null = null
  let rss = NaN
  return {
    ...rowbeat,
    async work(watch) {
      const env = { ...process.env, DATABASE_URL: setup.databaseUrl, ROWBEAT_TASKS: TASKS }
      child = fork(COMMAND, ['worker'], {
        env,
        cwd: tmpdir(),
        execArgv: [],
        stdio: ['ignore', 'ignore', 2, 'ipc'],
      })
      let seen = 0
      const ready = once(child, 'message')
      child.on('message', (message) => {
        const weight = message as Weight
        rss = weight.rss
        while (seen < weight.started) watch.started(seen++)
      })
      await Promise.race([
        ready,
        once(child, 'exit').then(() => {
          throw new Error('rowbeat worker ended')
        }),
      ])
    },
    weight: () => rss,
    async close() {
      if (child && child.exitCode === null) {
        const ended = once(child, 'exit')
        child.kill('SIGTERM')
        await ended
      }
      await rowbeat.close()
    },
  }
}
