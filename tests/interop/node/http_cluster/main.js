// The HTTP service cluster, the main process: the same hand-over as in example 2.
'use strict'

const net = require('node:net')
const { options, forkAll, sayReady, endOnSignal } = require('../main_process')

const { host, port, ...more } = options(__dirname)
const work = forkAll(more)

const server = net.createServer()

server.listen(port, host, () => {
  const address = server.address()
  console.log('server is start')
  work.forEach((child, i) => child.send(`http server${i}`, server))

  server.close()
  sayReady(address, work, 'http_client.js')
})
endOnSignal(server, work)
