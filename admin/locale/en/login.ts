/** Words of the panel: signing in and out. */
export const login = {
  title: 'Sign in',
  email: 'E-mail',
  password: 'Password',
  enter: 'Sign in',
  wrong: 'E-mail address and password do not fit together.',
  blocked: 'There were too many wrong passwords. Try again in {seconds} s.',
  leaving: 'Do you want to sign out?',
  leave: 'Sign out',
  stay: 'Stay',
} as const
