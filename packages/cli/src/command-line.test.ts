import { afterEach, expect, test } from 'vitest'
import { joinProperties, seconds, subcommand, whole, withEnvironment } from './command-line.ts'

afterEach(() => {
  for (const name of Object.keys(process.env)) if (name.startsWith('PIPIT_')) delete process.env[name]
})

function sample() {
  return withEnvironment(
    subcommand('sample', 'A sample.')
      .option('-p, --port <port>', 'a number', whole(1, 10), 5)
      .option('-l, --stdin-line', 'a flag')
      .option('-m, --message <text>', 'a text')
      .option('-D, --property <words...>', 'a property'),
  ).action(() => undefined)
}

async function parsed(...args: string[]) {
  const command = sample()
  await command.parseAsync(args, { from: 'user' })
  return command.opts()
}

test('withEnvironment() takes PIPIT_… for an option, and the command line is stronger', async () => {
  process.env['PIPIT_PORT'] = '7'
  process.env['PIPIT_STDIN_LINE'] = 'yes'
  expect(await parsed()).toEqual({ port: 7, stdinLine: true })
  expect(await parsed('-p', '3')).toMatchObject({ port: 3 })
  process.env['PIPIT_STDIN_LINE'] = '0'
  expect(await parsed()).toEqual({ port: 7, stdinLine: false })
})

test('withEnvironment() takes another variable where the name stands for something else elsewhere', async () => {
  process.env['PIPIT_PORT'] = '7'
  process.env['PIPIT_BROKER_PORT'] = '8'
  const command = withEnvironment(
    subcommand('sample', 'A sample.').option('-p, --port <port>', 'a number', whole(1, 10), 5),
    { '--port': 'PIPIT_BROKER_PORT', '--insecure': 'PIPIT_TLS_INSECURE' },
  ).action(() => undefined)
  let help = ''
  command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp()
  expect(help).toContain('Here --port as PIPIT_BROKER_PORT.')
  await command.parseAsync([], { from: 'user' })
  expect(command.opts()).toEqual({ port: 8 })
  process.env['PIPIT_BROKER_PORT'] = 'x'
  await expect(command.parseAsync([], { from: 'user' })).rejects.toThrow('PIPIT_BROKER_PORT is "x"')
})

test('withEnvironment() refuses a variable that the option does not take', async () => {
  process.env['PIPIT_PORT'] = 'seven'
  await expect(parsed()).rejects.toThrow('PIPIT_PORT is "seven". It takes a whole number from 1 to 10.')
  process.env['PIPIT_PORT'] = '7'
  process.env['PIPIT_STDIN_LINE'] = 'perhaps'
  await expect(parsed()).rejects.toThrow('PIPIT_STDIN_LINE is "perhaps"; it takes 1 or 0')
})

test.each(['0', '11', '-1', '1.5', '0x1', '', ' 1', '1e0'])('whole() refuses %j', (text) => {
  expect(() => whole(1, 10)(text)).toThrow('It takes a whole number from 1 to 10.')
})

test('seconds() takes parts of a second', () => {
  expect(seconds('0.25')).toBe(0.25)
  expect(() => seconds('soon')).toThrow('It takes a number of seconds.')
})

test('joinProperties() joins what follows -D, however many words that are', () => {
  const args = [
    '-D',
    'publish',
    'content-type',
    '-x',
    '--property',
    'publish',
    'user-property',
    'a',
    '-b',
    '-l',
  ]
  expect(joinProperties(sample(), args)).toEqual([
    '-D',
    '["publish","content-type","-x"]',
    '--property',
    '["publish","user-property","a","-b"]',
    '-l',
  ])
})

test('joinProperties() leaves values and operands that look like -D alone', () => {
  expect(joinProperties(sample(), ['-m', '-D', '-p', '1', '--', '-D', 'a'])).toEqual([
    '-m',
    '-D',
    '-p',
    '1',
    '--',
    '-D',
    'a',
  ])
  expect(joinProperties(sample(), ['-D', 'publish'])).toEqual(['-D', '["publish"]'])
})
