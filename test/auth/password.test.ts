/** Passwords: what is stored opens to the same password only. */
import t from 'tap'
import { hashPassword, isPassword, makePassword } from '../../src/auth/password.ts'

t.test('a password opens its own hash and no other does', async (t) => {
  const password = makePassword()
  const hash = await hashPassword(password)
  t.match(hash, /^scrypt\$32768\$8\$3\$[\w-]{22}\$[\w-]{43}$/)
  t.notOk(hash.includes(password))
  t.ok(await isPassword(password, hash))
  t.notOk(await isPassword(`${password} `, hash))
  t.notOk(await isPassword('', hash))
  t.not(await hashPassword(password), hash, 'each hash has a salt of its own')
})

t.test('the same letters in another form of Unicode are the same password', async (t) => {
  t.ok(await isPassword('Й', await hashPassword('Й')))
})

t.test('a stored text that is no hash opens to nothing', async (t) => {
  for (const stored of [
    '',
    'secret',
    'scrypt$',
    'scrypt$1$8$1$c2FsdA$',
    'scrypt$3$8$1$c2FsdA$aGFzaA',
    'bcrypt$1$2$3$a$b',
  ])
    t.notOk(await isPassword('secret', stored), stored)
})
