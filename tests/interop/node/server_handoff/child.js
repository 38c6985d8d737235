// Example 2, the child: accepts from the server it was given, in competition with its siblings.
'use strict'

const delay = Number(process.env.DELAY ?? 100)

process.on('message', (msg, server) => {
  if (server) {
    server.on('connection', socket => {
      socket.on('error', () => {}) // the client has gone
      setTimeout(() => {
        socket.end(`${msg} 子进程：${process.pid}`)
      }, delay)
    })
    // A child that holds a server would go on serving without its parent.
    process.on('disconnect', () => server.close())
  }
})
process.on('disconnect', () => setTimeout(() => process.exit(), 2000).unref())
