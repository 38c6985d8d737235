// build: socket_fanout net_client
const { exercise, same } = require('../../../tests/notes/exercise.js')

exercise(async ({ start, run }) => {
  const demo = await start("build/demos/socket_fanout --child 'node demos/socket_fanout/child.js'")
  const client = await run('build/clients/net_client')
  same(client.lines.sort(), [0, 0, 1, 2, 3].map(i => `http socket${i} 子进程：worker ${i}`), 'the five answers')
  await demo.stop()
})
