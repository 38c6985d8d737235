// What the acceptance tests of the exercises are written with: see README.md.
'use strict'
const path = require('path')
const util = require('util')
const { Session } = require('./session.js')

const root = path.join(__dirname, '../..')

// Throws what differs, in words.
function same(actual, expected, what) {
  if (!util.isDeepStrictEqual(actual, expected))
    throw `${what}: expected ${util.inspect(expected)}\n  but found ${util.inspect(actual)}`
}

// The reader's answer must be this; says no more than that it is not.
function answer(expected) {
  const given = process.argv[2]
  if (given === undefined) throw 'say what you found:  ./run check NUMBER ANSWER'
  if (given.trim() !== String(expected)) throw `"${given}" is not what this machine says`
}

// Runs the story of one test, ends what it started, and says "pass" or what differs.
async function exercise(story) {
  const session = new Session(root)
  const with_roles = line => line.replace(/(?<=：|worker-|^)\d+/g, pid => {
    const slot = session.workers.indexOf(Number(pid))
    return slot < 0 ? pid : `worker ${slot}`
  })
  const lines_of = command => { session.look(); return command.lines.map(with_roles) }

  const start = async typed => {
    const command = await session.start(typed)
    const ready = () => command.lines.some(line => line.startsWith('listening on '))
    if (!await session.until(() => ready() || command.exit !== null, 20000) || !ready())
      throw `${typed}\n  has not said "listening on ..."; it said: ${command.lines.join('\n  ') || 'nothing'}`
    session.look()
    const stop = async () => {
      command.signal('SIGINT')
      if (!await session.until(() => command.exit !== null, 10000)) throw `${typed}\n  has not ended 10 s after Ctrl-C`
      return lines_of(command)
    }
    return { pid: command.pid, port: session.port, workers: [...session.workers], stop }
  }

  const run = async typed => {
    const command = await session.start(typed)
    if (!await session.until(() => command.exit !== null, 20000)) throw `${typed}\n  has not ended after 20 s`
    return { lines: lines_of(command), exit: command.exit }
  }

  let wrong
  try {
    await story({ start, run, answer })
  } catch (error) {
    wrong = error
  }
  const left = await session.end()
  wrong ??= left.length ? `processes are left running: ${left.join(' ')}` : undefined
  console.log(wrong === undefined ? 'pass' : typeof wrong === 'string' ? wrong : wrong.stack)
  const failed = session.commands.findLast(command => command.exit > 0)
  if (wrong && failed) console.log(`${failed.typed}\n  exit code ${failed.exit}; it said:\n  ${failed.lines.join('\n  ')}`)
  process.exitCode = wrong === undefined ? 0 : 1
}

module.exports = { exercise, same }
