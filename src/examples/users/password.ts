/**
 * Passwords, kept as what scrypt makes of them: `scrypt$<N>$<r>$<p>$<salt>$<hash>`, so that the cost can be
 * raised without touching what is stored.
 *
 * A hash takes a processor for some 60 ms and 32 MB, on threads that the whole process shares. The example
 * stands beside a REST API that must not feel it, so hashes are made one after another, and when too many
 * wait already, the next is refused.
 */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { ApiRefusal } from '../web/api-refusal.ts'

export interface PasswordKeeper {
  hash(password: string): Promise<string>
  /** Takes the same time when nothing is stored. */
  matches(password: string, stored: string | null): Promise<boolean>
}

const COST = { N: 2 ** 15, r: 8, p: 1 }
const BYTES = 32
const WAITING_MAX = 16

/** Throws ApiRefusal 503 from either when too many wait. */
export function createPasswordKeeper(waitingMax: number = WAITING_MAX): PasswordKeeper {
  let last: Promise<unknown> = Promise.resolve()
  let waiting = 0

  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
    if (waiting >= waitingMax)
      throw new ApiRefusal(
        503,
        { detail: 'Too many passwords are being checked. Try again.' },
        { 'retry-after': '2' },
      )
    waiting++
    const turn = last.then(work)
    last = turn.catch(() => {})
    try {
      return await turn
    } finally {
      waiting--
    }
  }

  return {
    async hash(password) {
      const salt = randomBytes(16)
      const made = await inTurn(() => derive(password, salt, COST))
      return ['scrypt', COST.N, COST.r, COST.p, salt.toString('base64url'), made.toString('base64url')].join(
        '$',
      )
    },
    async matches(password, stored) {
      const [, N, r, p, salt, hash] = (stored ?? '').split('$')
      const cost = stored ? { N: Number(N), r: Number(r), p: Number(p) } : COST
      const made = await inTurn(() => derive(password, Buffer.from(salt ?? '', 'base64url'), cost))
      const expected = Buffer.from(hash ?? '', 'base64url')
      return expected.length === made.length && timingSafeEqual(expected, made)
    },
  }
}

function derive(password: string, salt: Buffer, cost: typeof COST): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const options = { ...cost, maxmem: 256 * cost.N * cost.r }
    scrypt(password.normalize('NFKC'), salt, BYTES, options, (error, key) =>
      error ? reject(error) : resolve(key),
    )
  })
}
