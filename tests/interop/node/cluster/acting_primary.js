// A primary that forks WORKERS workers (one), and says what cluster tells of them. tests/interop/acting_primary.cpp does the same in
// C++.
//
//     node acting_primary.js ACT PROGRAM     PROGRAM: a script of Node's, or any other program
'use strict'

const cluster = require('node:cluster')

const [, , act, program] = process.argv
if (program.endsWith('.js')) {
  cluster.setupPrimary({ exec: program, args: [act] })
} else {
  process.execPath = program
  cluster.setupPrimary({ execArgv: [], args: [act] })
}

const workers = Number(process.env.WORKERS ?? 1)
let first_port
let stops = 0
let exits = 0
let is_stopping = false

function place(port) {
  if (port === Number(process.env.SERVER_PORT)) return 'that port'
  if (port <= 0) return port
  first_port ??= port
  return port === first_port ? 'a port' : 'another port'
}
function stop() {
  if (is_stopping) return
  is_stopping = true
  cluster.disconnect(() => console.log('all have gone'))
}

cluster.on('online', () => console.log('online'))
cluster.on('listening', (worker, { address, port }) => console.log('listening on', address, place(port)))
cluster.on('message', (worker, said, handle) => {
  console.log('message', JSON.stringify(said))
  if (said === 'stop' && ++stops === workers) stop()
  if (said === 'terminate') worker.process.kill('SIGTERM')
  if (said === 'a socket') handle.end('served by the primary')
  if (said.question) worker.send('an answer')
})
cluster.on('disconnect', () => console.log('disconnect'))
cluster.on('exit', (worker, code, signal) => {
  console.log('exit', signal ?? code, worker.exitedAfterDisconnect ? 'meant' : 'not meant')
  if (++exits === workers) stop()
})
// EPIPE: the worker has gone, and its channel has not been looked at yet.
for (let i = 0; i < workers; ++i) cluster.fork().on('error', error => { if (error.code !== 'EPIPE') throw error })
