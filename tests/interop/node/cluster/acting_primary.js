// A primary that forks one worker, and says what cluster tells of it. tests/interop/acting_primary.cpp does the same in
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

const place = port => port === Number(process.env.SERVER_PORT) ? 'that port' : port > 0 ? 'another port' : port
cluster.on('online', () => console.log('online'))
cluster.on('listening', (worker, { address, port }) => console.log('listening on', address, place(port)))
cluster.on('message', (worker, said) => {
  console.log('message', JSON.stringify(said))
  if (said === 'stop') cluster.disconnect()
  if (said.question) worker.send('an answer')
})
cluster.on('disconnect', () => console.log('disconnect'))
cluster.on('exit', (worker, code, signal) => console.log('exit', signal ?? code, worker.exitedAfterDisconnect ? 'meant' : 'not meant'))
cluster.fork()
