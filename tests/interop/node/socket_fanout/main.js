// Example 1, the main process: accepts, and shares each connection with its children.
//
// --mode rotate has standing workers that take turns; --mode listing is the document's loop with standing
// workers: it sends the same socket to all of them, and Node gives it to the first that can take it.
'use strict'

const net = require('node:net')
const { options, forkAll, sayReady, endOnSignal } = require('../main_process')

const { host, port, mode, quiet, ...more } = options(__dirname)
const work = forkAll(more)
let connections = 0

// Paused: what a client has already sent must be read by the child, not here.
const server = net.createServer({ pauseOnConnect: true })

server.on('connection', socket => {
  if (!quiet) console.log('connection')
  socket.on('error', () => {}) // the client has gone
  if (mode === 'listing') {
    for (let i = 0; i < work.length; i++) work[i].send(`http socket${i}`, socket)
  } else {
    const i = connections++ % work.length
    work[i].send(`http socket${i}`, socket)
  }
})

server.listen(port, host, () => {
  sayReady(server.address(), work, 'net_client.js')
})
endOnSignal(server, work)
