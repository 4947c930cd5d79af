/**
 * Which passwords are refused when one is set. Length is what counts against who has stolen the hashes; against who guesses at the
 * door, it must not be one of those that everybody tries. Nothing is asked of its characters: such rules make passwords
 * that are hard to remember and easy to guess.
 */

export const PASSWORD_MIN = 12
export const PASSWORD_MAX = 256

/** Of at least twelve characters, from lists of what is guessed first; compared in lower case, without what is neither letter nor digit. */
const KNOWN: ReadonlySet<string> = new Set(
  `123456789012 1234567890123 12345678901234 123456789123 098765432109 111222333444 112233445566 0123456789ab 1q2w3e4r5t6y 1qaz2wsx3edc
  1q2w3e4r5t6y7u 1qazxsw23edc qwertyuiop12 qwertyuiop123 qwerty123456 qwerty1234567 qwertyuiopas qwertyuiopasdfghjkl asdfghjkl123 zaq12wsxcde3
  qwertyqwerty password1234 password12345 password123456 passwordpassword password2024 password2025 password2026 passw0rd1234 p4ssw0rd1234 mypassword123
  thisismypassword changemeplease changeme1234 changeme12345 letmein12345 letmein123456 letmeinplease administrator administrator1 administrator123
  adminadminadmin admin1234567 admin12345678 admin123456789 rootrootroot rootpassword toortoortoor superuser123 welcome12345 welcome123456
  iloveyou1234 iloveyouforever iloveyousomuch trustno1trustno1 correcthorsebatterystaple monkeymonkey dragondragon footballfootball
  sunshine1234 princess1234 testtesttest test12345678 secretsecret secretpassword abcdefghijkl abcdefghijklm abcdefghijklmnop abc123abc123 abcd12345678
  a1b2c3d4e5f6 aa12345678aa postgrespostgres postgres1234 rowbeatrowbeat rowbeat12345 rowbeatadmin rowbeatpassword defaultpassword temporary123`.split(
    /\s+/,
  ),
)

/** Why a password is not taken, in words that follow "/password"; null: it is. */
export function findWeakness(password: string, email: string): string | null {
  const plain = password.normalize('NFKC').toLowerCase()
  const length = Array.from(plain).length
  if (length < PASSWORD_MIN || length > PASSWORD_MAX)
    return `must have ${PASSWORD_MIN} to ${PASSWORD_MAX} characters`
  const bare = plain.replace(/[^\p{L}\p{N}]/gu, '')
  const address = email.toLowerCase()
  const [person] = address.split('@', 1)
  const names = [address, person!].map((name) => name.replace(/[^\p{L}\p{N}]/gu, ''))
  if (names.includes(bare) || plain === address) return 'is the e-mail address: take one that nobody knows'
  if (new Set(plain).size < 5)
    return 'has fewer than 5 different characters: take one that is harder to guess'
  if (KNOWN.has(bare)) return 'is among those that are guessed first: take another'
  return null
}
