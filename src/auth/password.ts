/**
 * Passwords of people: scrypt with OWASP's cost (32 MB, three passes), a salt each. The cost is written with the hash,
 * so it can be raised for new passwords while the old ones still open.
 */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'

const COST = { N: 2 ** 15, r: 8, p: 3 }
const LENGTH = 32

interface Cost {
  N: number
  r: number
  p: number
}

/** `scrypt$N$r$p$salt$hash`, what rowbeat.users keeps. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16)
  const hash = await derive(password, salt, COST)
  return ['scrypt', COST.N, COST.r, COST.p, salt.toString('base64url'), hash.toString('base64url')].join('$')
}

/** False also for a stored text that is none of ours. */
export async function isPassword(password: string, stored: string): Promise<boolean> {
  const [kind, N, r, p, salt, hash] = stored.split('$')
  if (kind !== 'scrypt' || !salt || !hash) return false
  const wanted = Buffer.from(hash, 'base64url')
  const cost = { N: Number(N), r: Number(r), p: Number(p) }
  const found = await derive(password, Buffer.from(salt, 'base64url'), cost).catch(() => null)
  return found?.length === wanted.length && timingSafeEqual(found, wanted)
}

/** 18 random bytes, as 24 characters that can be typed into a form. */
export function makePassword(): string {
  return randomBytes(18).toString('base64url')
}

/** The same password typed on another keyboard may come in another form of Unicode: NFKC makes them one. */
function derive(password: string, salt: Buffer, cost: Cost): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFKC'), salt, LENGTH, { ...cost, maxmem: 128 * 2 ** 20 }, (error, hash) =>
      error ? reject(error) : resolve(hash),
    )
  })
}
