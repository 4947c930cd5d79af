/**
 * A password from whoever is there: at a terminal it is asked for twice and not shown; otherwise it is the first line of stdin.
 * Never an argument, which everybody on the machine could read and the shell would remember.
 */
import { createInterface } from 'node:readline/promises'
import { ConfigError } from '../../errors.ts'

/** Throws ConfigError when there is none, the two differ, or who was asked leaves. */
export async function readPassword(): Promise<string> {
  if (!process.stdin.isTTY) {
    const lines = createInterface({ input: process.stdin })
    for await (const line of lines) return required(line)
    return required('')
  }
  const password = required(await askUnseen('Password: '))
  if ((await askUnseen('Once more: ')) !== password)
    throw new ConfigError('The two differ: nothing was changed.')
  return password
}

function required(password: string): string {
  if (password !== '') return password
  throw new ConfigError('No password was given: type one, or send one line on stdin.')
}

/** Keys are taken one by one, so that the terminal shows none of them. */
async function askUnseen(question: string): Promise<string> {
  const { stdin, stderr } = process
  stderr.write(question)
  stdin.setRawMode(true)
  stdin.setEncoding('utf8').resume()
  const restore = (): void => void stdin.setRawMode(false)
  process.on('exit', restore)
  let typed = ''
  try {
    return await new Promise<string>((resolve, reject) => {
      const hear = (data: string): void => {
        for (const key of data) {
          if (key === '\r' || key === '\n' || key === '\u0004') {
            stdin.off('data', hear)
            return resolve(typed)
          }
          if (key === '\u0003') {
            stdin.off('data', hear)
            return reject(new ConfigError('Nothing was changed.'))
          }
          if (key === '\u007f' || key === '\b') typed = Array.from(typed).slice(0, -1).join('')
          else if (key === '\u0015') typed = ''
          else if (!/\p{Cc}/u.test(key)) typed += key
        }
      }
      stdin.on('data', hear)
    })
  } finally {
    restore()
    process.off('exit', restore)
    stdin.pause()
    stderr.write('\n')
  }
}
