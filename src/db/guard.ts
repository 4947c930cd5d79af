/**
 * What postgres.js needs around a transaction in which more happens than SQL. When its connection breaks, `sql.begin`
 * rejects at once, but its `tx` stays usable: what is sent through it later goes to a socket that is gone, which throws
 * outside of every promise and ends the process, or, once that connection object was opened again, into the transaction
 * of somebody else. So the work is given a `tx` that refuses everything once its transaction is over, and when the
 * connection broke, postgres.js is not let on to its own ROLLBACK.
 *
 * Both drivers also need it where a run is ended at its time limit: its transaction is rolled back while its handler still
 * has `tx`, and what it sends later must not reach the next transaction of that connection.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { StoreError } from '../errors.ts'

/** `over` once the transaction committed, rolled back or lost its connection. */
export interface Life {
  over: boolean
}

/** `start` is `sql.begin`, or drizzle's `db.transaction` over postgres.js. */
export async function guarded<T>(
  start: (work: (tx: any) => Promise<T>) => Promise<T>,
  work: (tx: any) => Promise<T>,
): Promise<T> {
  const life: Life = { over: false }
  try {
    return await start(async (tx) => {
      try {
        return await work(guardHandle(tx, life))
      } catch (error) {
        await turn() // for a closed connection to become known
        if (life.over) await new Promise(() => {}) // begin has rejected already; a ROLLBACK would go nowhere
        life.over = true // the ROLLBACK comes now, whatever the work does that was not waited for
        throw error
      }
    })
  } finally {
    life.over = true
  }
}

/** drizzle keeps the driver's transaction in its session, which is made for this transaction alone. */
function guardHandle(tx: any, life: Life): unknown {
  if (!tx.session?.client) return guard(tx, life)
  tx.session.client = guard(tx.session.client, life)
  return tx
}

/** A drizzle transaction over node-postgres, which commits and rolls back through the very session that `tx` has. */
export function guardOutside<Tx extends object>(tx: Tx, life: Life): Tx {
  return new Proxy(tx, {
    get(target, key) {
      if (typeof key === 'string' && key !== 'session' && key !== 'then') refuseLate(life)
      const value: unknown = Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

function refuseLate({ over }: Life): void {
  if (!over) return
  throw new StoreError(
    'RB_TRANSACTION_OVER',
    'this transaction is over (it ended, or its connection broke): nothing can be done in it any more.',
  )
}

/** `tx`, and its savepoints, until its life is over; then whatever is asked of it is refused. */
export function guard<Tx extends object>(tx: Tx, life: Life): Tx {
  return new Proxy(tx, {
    apply(target, self, args) {
      refuseLate(life)
      return Reflect.apply(target as never, self, args)
    },
    get(target, key) {
      const value: unknown = Reflect.get(target, key)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => {
        refuseLate(life)
        const last = args.at(-1)
        if (key === 'savepoint' && typeof last === 'function')
          args[args.length - 1] = (inner: object) => last(guard(inner, life))
        return Reflect.apply(value, target, args)
      }
    },
  })
}
