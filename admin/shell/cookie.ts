/**
 * The cookie of a sign-in. Over TLS it has the name prefix `__Host-`, by which a browser takes it from this host alone, over TLS, for
 * all of it, and no other host can plant one; without TLS no cookie can have that.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'

export interface Cookie {
  read(request: FastifyRequest): string | null
  write(request: FastifyRequest, reply: FastifyReply, value: string): void
  clear(request: FastifyRequest, reply: FastifyReply): void
}

const NAME = 'rowbeat_session'

export function createCookie(): Cookie {
  const nameFor = ({ protocol }: FastifyRequest): string => (protocol === 'https' ? `__Host-${NAME}` : NAME)
  const set = (request: FastifyRequest, reply: FastifyReply, value: string, rest = ''): void => {
    const secure = request.protocol === 'https' ? '; Secure' : ''
    reply.header('set-cookie', `${nameFor(request)}=${value}; Path=/; HttpOnly; SameSite=Lax${secure}${rest}`)
  }
  return Object.freeze({
    read: (request: FastifyRequest) => readCookie(request, nameFor(request)),
    write: (request: FastifyRequest, reply: FastifyReply, value: string) => set(request, reply, value),
    clear: (request: FastifyRequest, reply: FastifyReply) => set(request, reply, '', '; Max-Age=0'),
  })
}

/** The value of the only cookie of this name; of two, one was planted, and it cannot be known which. */
export function readCookie({ headers }: FastifyRequest, name: string): string | null {
  const values = (headers.cookie ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1))
  return values.length === 1 ? values[0]! : null
}
