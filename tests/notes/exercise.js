// What the acceptance tests of the exercises are written with: see README.md.
'use strict'
const child_process = require('child_process')
const fs = require('fs')
const path = require('path')
const util = require('util')
const { Session } = require('./session.js')

const root = path.join(__dirname, '../..')

// Freed memory is overwritten at once (mallopt(3), M_PERTURB), so that a program which still reads it shows that.
const unforgiving = { GLIBC_TUNABLES: 'glibc.malloc.perturb=90:glibc.malloc.tcache_count=0' }

// How a program of ours, Node or the C++ library begins a line that says that something went wrong: not that a worker
// was replaced by another.
const complaint = /^(?:\[\d+\] |(?:socket_fanout|server_handoff|(?:http_)?cluster)(?:_child)?: (?!reloaded: |worker \d+ (?:exited with code 0;|takes its place))|terminate called|Uncaught |\s+at .*:\d+:\d+|\w*Error\b)/

const lines_shown = 25 // of what a command said, when a test fails

// Throws what differs, in words.
function same(actual, expected, what) {
  if (!util.isDeepStrictEqual(actual, expected))
    throw `${what}: expected ${util.inspect(expected)}\n  but found ${util.inspect(actual)}`
}

// The reader's answer must be this number; says no more than that it is not.
function answer(expected) {
  const given = process.argv[2]
  if (Number(given) !== Number(expected)) throw `${given} is not what this machine says`
}

// A library that is loaded into the programs of a test before the C library: built from a source beside this file.
function preloaded(source) {
  const library = path.join('build', source.replace(/\.cpp$/, '.so')) // from here: ld.so(8) takes a space for the end of a path
  const built = child_process.spawnSync('c++', ['-std=c++20', '-O1', '-shared', '-fPIC', '-o', path.join(root, library), path.join(__dirname, source), '-ldl'], { encoding: 'utf8' })
  if (built.status !== 0) throw `${source} does not build:\n${built.error ?? built.stderr}`
  return { LD_PRELOAD: library }
}

function what_was_said(commands) {
  return commands.map(({ typed, lines, exit }) => {
    const more = lines.length - lines_shown
    const said = [...lines.slice(0, lines_shown), ...more > 0 ? [`... ${more} lines more`] : [], ...exit ? [`(exit code ${exit})`] : []]
    return [`$ ${typed.split('\n')[0]}${typed.includes('\n') ? ' ...' : ''}`, ...said.map(line => '  ' + line)].join('\n')
  }).join('\n')
}

// Runs the story of one test, ends what it started, and says "pass"; or what differs, and what all programs said.
// Nothing passes while a program complains, ends by a crash, or outlives its parent.
async function exercise(story, { preload, patience } = {}) {
  const session = new Session(root, { patience, environment: { ...unforgiving, ...preload && preloaded(preload) } })
  const with_roles = line => line.replace(/(?<=：|worker-|^)\d+/g, pid => {
    const slot = session.workers.indexOf(Number(pid))
    return slot < 0 ? pid : `worker ${slot}`
  })
  const lines_of = command => { session.look(); return command.lines.map(with_roles) }
  const running = new Set() // how to stop each demo

  const start = async typed => {
    const command = await session.start(typed)
    const ready = () => command.lines.some(line => line.startsWith('listening on '))
    if (!await session.until(() => ready() || command.exit !== null, 20000) || !ready())
      throw `${typed}\n  has not said "listening on ..."`
    session.look()
    const stop = async () => {
      running.delete(stop)
      command.signal('SIGINT')
      if (!await session.until(() => command.exit !== null, 10000)) throw `${typed}\n  has not ended 10 s after Ctrl-C`
      const wrong = command.lines.find(line => complaint.test(line))
      if (wrong) throw `${typed}\n  complains: ${wrong}`
      if (![0, 130].includes(command.exit)) throw `${typed}\n  ended with exit code ${command.exit} after Ctrl-C`
      return lines_of(command)
    }
    const parent = () => Number(fs.readFileSync(`/proc/${session.workers[0]}/stat`, 'utf8').match(/\) \w (\d+)/)[1])
    // As `kill -9` of the main; its workers have to end too.
    const kill = async () => {
      running.delete(stop)
      process.kill(parent(), 'SIGKILL')
      await session.until(() => command.exit !== null, 10000)
    }
    running.add(stop)
    return { port: session.port, get main () { return parent() }, workers: [...session.workers], stop, kill }
  }

  const run = async typed => {
    const command = await session.start(typed)
    if (!await session.until(() => command.exit !== null, 20000)) throw `${typed}\n  has not ended after 20 s`
    return { lines: lines_of(command), exit: command.exit }
  }

  let wrong
  try {
    await story({ start, run, answer })
    for (const stop of running) await stop()
  } catch (error) {
    wrong = error
  }
  const left = await session.end()
  wrong ??= left.length ? `processes are left running: ${left.join(' ')}` : undefined
  console.log(wrong === undefined ? 'pass' : typeof wrong === 'string' ? wrong : wrong.stack)
  if (wrong !== undefined && session.commands.length) console.log(`\nwhat was said:\n${what_was_said(session.commands)}`)
  process.exitCode = wrong === undefined ? 0 : 1
}

module.exports = { answer, exercise, same }
