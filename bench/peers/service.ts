/**
 * A web service that enqueues what it is sent: ours (`with: rowbeat`, POST /v1/runs; `with: panel`, and the panel) or one written by hand
 * (`with: add_job`). It runs in a process of its own; see service.ts.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Peer, Setup } from '../peer.ts'
import type { Address } from '../service.ts'
import { prepareRowbeat } from './rowbeat.ts'

export interface Service extends Peer {
  address: Address
  process: ChildProcess
}

export async function open({ databaseUrl, options }: Setup): Promise<Service> {
  const kind = String(options['with'])
  const begin = async (): Promise<{ process: ChildProcess; address: Address }> => {
    if (kind !== 'add_job') await prepareRowbeat(databaseUrl)
    const child = fork(fileURLToPath(new URL('../service.ts', import.meta.url)), [kind, databaseUrl])
    const [address] = (await once(child, 'message')) as [Address]
    return { process: child, address }
  }
  const { process, address } = await begin()
  return {
    address,
    process,
    async prepare() {},
    async enqueue() {},
    async enqueueMany() {},
    async work() {},
    async unfinished() {
      return 0
    },
    async close() {
      process.disconnect()
      await once(process, 'close')
    },
  }
}
