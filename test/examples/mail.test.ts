import t from 'tap'
import { readableMail, sendMail } from '../../src/examples/mail.ts'

const mail = {
  to: 'ada@example.net',
  subject: 'Grüße',
  text: 'One\n\nTwo\n',
  messageId: '<1@rowbeat.invalid>',
}

t.test('a mail is written as one block', async (t) => {
  t.equal(
    readableMail(mail),
    '┌─ mail (SMTP_URL is not set)\n│ To:      ada@example.net\n│ Subject: Grüße\n│\n│ One\n│\n│ Two\n└─',
  )
})

t.test('without SMTP_URL it goes to the console', async (t) => {
  delete process.env.SMTP_URL
  const written = t.capture(console, 'log')
  await sendMail(mail)
  t.strictSame(written().map(({ args }) => args), [[readableMail(mail)]]) // prettier-ignore
})
