// The child: one client, one answer.
process.on('message', (message, server) => {
  server.on('connection', socket => {
    socket.end(`${message}, says ${process.pid}\n`)
    server.close()
    process.send('the child has answered')
  })
})
