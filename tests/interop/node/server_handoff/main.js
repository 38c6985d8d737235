// Example 2, the main process: makes the server, gives every child a copy, and closes its own.
'use strict'

const net = require('node:net')
const { options, forkAll, sayReady, endOnSignal } = require('../main_process')

const { host, port, ...more } = options(__dirname)
const work = forkAll(more)
const order = work.length === 4 ? [0, 2, 1, 3] : work.map((_, i) => i)

const server = net.createServer()

server.listen(port, host, () => {
  const address = server.address()
  console.log('server is start')
  for (const i of order) work[i].send(`http server${i}`, server)

  server.close()
  sayReady(address, work, 'net_client.js')
})
endOnSignal(server, work)
