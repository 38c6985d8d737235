// A worker that reads its standard input, says so on stderr, and answers like ours: of a connection, of a server's
// connections, or of a web server's.
'use strict'

const http = require('http')
const net = require('net')

process.stdin.on('data', () => {})
process.stderr.write('reading\n')
const web = http.createServer((req, res) => res.end('Request handled by worker-' + process.pid))
process.on('message', (msg, handle) => {
  const answer = socket =>
    /socket/.test(msg) || !process.argv.includes('http') ? socket.end(`${msg} 子进程：${process.pid}`)
      : web.emit('connection', socket)
  if (handle instanceof net.Server) handle.on('connection', answer)
  else if (handle) answer(handle)
})
process.on('disconnect', () => process.exit())
