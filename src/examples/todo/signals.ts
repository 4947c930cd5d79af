/**
 * Signals as Django's models send them, typed: who stores a task says so, and does not know who listens. A
 * receiver gets the transaction that stores it, so what it writes commits with it, and what it throws undoes
 * both. Receivers are called in the order in which they connected, one after another.
 */
import type { PostgresJsDatabase } from 'drizzle-orm/postgres-js'
import type { tasks } from './schema.ts'

export type TaskRow = typeof tasks.$inferSelect

export interface TaskSignals {
  post_save: { task: TaskRow; before: TaskRow }
  pre_delete: { task: TaskRow }
}

export type Transaction = Parameters<Parameters<PostgresJsDatabase['transaction']>[0]>[0]
type Receiver<Payload> = (tx: Transaction, payload: Payload) => Promise<void>

export interface Signals<Events> {
  connect<Name extends keyof Events>(name: Name, receiver: Receiver<Events[Name]>): void
  send<Name extends keyof Events>(name: Name, tx: Transaction, payload: Events[Name]): Promise<void>
}

export function createSignals<Events>(): Signals<Events> {
  const receivers = new Map<keyof Events, Receiver<never>[]>()
  return {
    connect(name, receiver) {
      receivers.set(name, [...(receivers.get(name) ?? []), receiver as Receiver<never>])
    },
    async send(name, tx, payload) {
      for (const receiver of receivers.get(name) ?? []) await receiver(tx, payload as never)
    },
  }
}
