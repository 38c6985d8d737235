// A worker of any cluster: it listens, and does not know who asks for it.
'use strict'

const http = require('node:http')

http
  .createServer((req, res) => {
    res.writeHead(200, { 'Content-Type': 'text/plain' })
    res.end('Request handled by worker-' + process.pid)
  })
  .listen(process.env.PORT, process.env.HOST)
