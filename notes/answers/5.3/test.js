// build: prefork net_client
const { exercise, same } = require('../../../tests/notes/exercise.js')

exercise(async ({ start, run }) => {
  const demo = await start('build/demos/prefork 8888')
  same(demo.workers.length, 4, 'how many workers')
  const client = await run('build/clients/net_client --count 20')
  same(client.lines.length, 20, 'how many answers')
  for (const line of client.lines)
    same(line.replace(/\d$/, ''), 'http server 子进程：worker ', 'an answer')
  await demo.stop()

  const again = await start('build/demos/prefork 8888')
  await again.kill() // its children have to end too
})
