/**
 * Somebody who is signed in to the panel: asks as its pages do, and watches the stream that all pages share.
 */
import { get, Agent, type ClientRequest } from 'node:http'
import { hashPassword } from '../src/auth/password.ts'
import { toQueryable } from '../src/db/handle.ts'
import { saveUser } from '../src/db/statements/users.ts'
import type { Address } from './service.ts'
import type postgres from 'postgres'

const EMAIL = 'bench@example.net'
const PASSWORD = 'correct horse battery'

export interface Viewer {
  /** Answers the document. Throws for anything but 200. */
  ask(path: string): Promise<any>
  /** `hear` gets each event's name and data. Answers how to stop. */
  watch(hear: (event: string, data: any) => void): () => void
}

export async function signIn(sql: postgres.Sql, { port }: Address): Promise<Viewer> {
  await saveUser(toQueryable(sql), {
    email: EMAIL,
    passwordHash: await hashPassword(PASSWORD),
    role: 'admin',
  })
  const answer = await fetch(`http://127.0.0.1:${port}/admin/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' },
    body: JSON.stringify({ email: EMAIL, password: PASSWORD }),
  })
  const cookie = answer.headers.getSetCookie()[0]?.split(';', 1)[0]
  if (!cookie) throw new Error(`signing in was answered with ${answer.status}: ${await answer.text()}`)
  const agent = new Agent({ keepAlive: true, maxSockets: 6 })
  const options = { agent, headers: { cookie, 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors' } }
  return {
    ask: (path) =>
      new Promise((resolve, reject) => {
        get(`http://127.0.0.1:${port}/admin${path}`, options, (response) => {
          let text = ''
          response.setEncoding('utf8')
          response.on('data', (part: string) => (text += part))
          response.on('end', () => {
            if (response.statusCode !== 200) reject(new Error(`${path}: ${response.statusCode} ${text}`))
            else resolve(JSON.parse(text))
          })
        }).on('error', reject)
      }),
    watch(hear) {
      let text = ''
      const request: ClientRequest = get(
        `http://127.0.0.1:${port}/admin/v1/live`,
        { ...options, agent: new Agent() },
        (response) => {
          response.setEncoding('utf8')
          response.on('data', (part: string) => {
            const frames = (text + part).split('\n\n')
            text = frames.pop()!
            for (const frame of frames) {
              const [, event, data] = /^event: (\w+)\ndata: (.*)$/s.exec(frame) ?? []
              if (event) hear(event, JSON.parse(data!))
            }
          })
          response.on('error', () => {})
        },
      )
      request.on('error', () => {})
      return () => void request.destroy()
    },
  }
}
