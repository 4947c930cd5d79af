/**
 * A thread in a process of isolated runs that looks whether the worker is still its parent, and ends the process when it
 * is not: nobody wants what it does any more, and somebody else may be doing it again.
 */
import { workerData } from 'node:worker_threads'

const LOOK_EVERY_MS = 500
const parent = workerData as number

setInterval(() => {
  if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL')
}, LOOK_EVERY_MS)
