// The HTTP service cluster, the child: feeds the connections it accepts to an HTTP server of its own.
'use strict'

const http = require('node:http')

const server = http.createServer((req, res) => {
  res.writeHead(200, { 'Content-Type': 'text/plain' })
  res.end('Request handled by worker-' + process.pid)
})

process.on('message', (msg, socketServer) => {
  if (socketServer) {
    socketServer.on('connection', socket => {
      server.emit('connection', socket)
    })
    process.on('disconnect', () => socketServer.close())
  }
})
process.on('disconnect', () => {
  // server.closeIdleConnections() knows connections only of a server that listens itself.
  setTimeout(() => process.exit(), 1000).unref()
})
