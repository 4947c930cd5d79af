/**
 * A mail server to look at: it takes whatever is sent to it, prints it, and keeps nothing.
 *
 *   npx node src/examples/mailbox.ts 2525
 */
import { SMTPServer } from 'smtp-server'

const port = Number(process.argv[2] ?? 2525)

const server = new SMTPServer({
  authOptional: true,
  disabledCommands: ['STARTTLS', 'AUTH'],
  onData(stream, session, done) {
    const parts: Buffer[] = []
    stream.on('data', (part: Buffer) => parts.push(part))
    stream.on('end', () => {
      const to = session.envelope.rcptTo.map(({ address }) => address).join(', ')
      console.log(`\nA mail to ${to}:\n${Buffer.concat(parts).toString()}`)
      done()
    })
  },
})
// A client that goes away in the middle is no reason to end.
server.on('error', (error) => console.error(error.message))
server.listen(port, '127.0.0.1', () => console.log(`The mailbox is open at smtp://127.0.0.1:${port}`))
