/**
 * Mail of the examples: through the server in SMTP_URL, or, when none is set, written to the console as one
 * block that a person can read. A refusal for good (550, no such mailbox) is told apart from trouble that
 * passes, because only the second is worth another try.
 */
import { Discard } from '../index.ts'

export interface Mail {
  to: string
  subject: string
  text: string
  /** The same for the same mail, so that a mailbox can tell a second delivery of it. */
  messageId: string
}

const FROM = { name: 'Rowbeat examples', address: 'examples@rowbeat.invalid' }

/** Sends it. Throws Discard when the server refuses it for good, and what nodemailer throws otherwise. */
export async function sendMail(mail: Mail): Promise<void> {
  const url = process.env.SMTP_URL
  if (!url) return console.log(readableMail(mail))
  const { createTransport } = await import('nodemailer')
  const transport = createTransport(url, { from: FROM })
  try {
    // The address is given as data: as text, a comma in it would make two.
    await transport.sendMail({ ...mail, to: { name: '', address: mail.to }, messageId: mail.messageId })
  } catch (error) {
    const { responseCode, message } = error as { responseCode?: number; message: string }
    if (responseCode !== undefined && responseCode >= 500)
      throw new Discard(`the mail server refused the mail to ${mail.to}: ${message}`, { cause: error })
    throw error
  } finally {
    transport.close()
  }
}

/** A mail as a block of lines, framed, so that it stands out among log lines. */
export function readableMail({ to, subject, text }: Mail): string {
  const lines = [`To:      ${to}`, `Subject: ${subject}`, '', ...text.trimEnd().split('\n')]
  return ['┌─ mail (SMTP_URL is not set)', ...lines.map((line) => `│ ${line}`.trimEnd()), '└─'].join('\n')
}
