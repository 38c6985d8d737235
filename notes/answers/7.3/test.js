// build:
const http = require('http')
const { exercise, same } = require('../../../tests/notes/exercise.js')

// A server that names connections as http_cluster names workers: then the numbers are certain.
exercise(async ({ run }) => {
  let connections = 0, waiting = 0, most_at_once = 0
  const server = http.createServer((req, res) => {
    most_at_once = Math.max(most_at_once, ++waiting)
    setImmediate(() => {
      waiting--
      res.end(`Request handled by worker-${req.socket.number}`)
    })
  })
  server.on('connection', socket => { socket.number = ++connections })
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  const client = await run(`node clients/reload.js ${server.address().port}`)
  server.close()
  same(client.lines, ['kept: 1', 'new: 8'], 'what it prints when each connection has a worker of its own')
  same(connections, 9, 'how many connections it opens')
  same(most_at_once, 1, 'how many requests are under way at once')
})
