// What the three mains share, so that each reads like the document's listing: flags, children, the ready line.
'use strict'

const path = require('node:path')
const { fork } = require('node:child_process')
const { parseArgs } = require('node:util')

/** The flags of the C++ mains that make sense here; the default child is the `child.js` of this folder. */
function options(folder) {
  const { values } = parseArgs({
    options: {
      host: { type: 'string', default: '127.0.0.1' },
      port: { type: 'string', default: '8888' }, // 0: the kernel picks
      workers: { type: 'string', default: '4' },
      delay: { type: 'string', default: '100' }, // for child.js
      mode: { type: 'string', default: 'rotate' }, // of socket_fanout: rotate, listing
      child: { type: 'string', multiple: true, default: [path.join(folder, 'child.js')] },
      quiet: { type: 'boolean', default: false },
      respawn: { type: 'boolean', default: false } // replace a worker that ends, after 100 ms; where main accepts
    }
  })
  return { ...values, port: Number(values.port), workers: Number(values.workers) }
}

/** Worker i runs the i-th child, in turn: a script, or any other program that speaks the protocol. */
function forkChild(options, i) {
  const program = options.child[i % options.child.length]
  const settings = { env: { ...process.env, DELAY: options.delay } }
  const child = program.endsWith('.js')
    ? fork(program, settings)
    : fork('child.js', ['--delay', options.delay], { ...settings, execPath: program, execArgv: [] })
  child.on('error', error => console.error(`worker ${child.pid}: ${error.message}`))
  return child
}

function forkAll(options) {
  const work = Array.from({ length: options.workers }, (_, i) => forkChild(options, i))
  const replace = i => {
    if (ending) return
    work[i] = forkChild(options, i)
    work[i].on('exit', () => setTimeout(replace, 100, i))
  }
  if (options.respawn) work.forEach((child, i) => child.on('exit', () => setTimeout(replace, 100, i)))
  return work
}

let ending = false

/** On stderr, once every worker has what it needs. `client` is a script beside this one. */
function sayReady(address, work, client) {
  const command = `node ${path.relative('', path.join(__dirname, client))}`
  const port = address.port === 8888 ? '' : ` --port ${address.port}`
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  const pids = work.length ? `workers ${work.map(child => child.pid).join(' ')}` : 'no workers yet'
  console.error(`listening on ${host}:${address.port}, ${pids}; try: ${command}${port}`)
}

/** Workers end when their channel does; then nothing keeps this process here. */
function endOnSignal(server, work) {
  const end = () => {
    ending = true
    server.close()
    for (const child of work) if (child.connected) child.disconnect()
    const busy = setTimeout(() => process.exit(0), 2000) // what is still open then is cut
    busy.unref()
  }
  process.once('SIGTERM', end)
  process.once('SIGINT', end)
}

module.exports = { options, forkChild, forkAll, sayReady, endOnSignal }
