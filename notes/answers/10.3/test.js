// build: cluster_child http_client
const { exercise, same } = require('../../../tests/notes/exercise.js')

exercise(async ({ start, run }) => {
  const demo = await start('node demos/cluster/reload.js 8888')
  same(demo.workers.length, 4, 'how many workers')
  const who = async () => {
    const client = await run('build/clients/http_client --count 8 --concurrency 1')
    const answers = client.lines.filter(line => line !== 'end')
    same(answers.length, 8, 'how many answers')
    return new Set(answers)
  }
  same((await who()).size, 4, 'how many workers have answered')

  const load = await run(`build/clients/http_client --count 3000 --concurrency 8 --quiet & kill -USR2 ${demo.main}; wait $!`)
  same(load.exit, 0, 'the exit code of a client during the reload')
  const is_old = line => /worker-worker \d$/.test(line) // one of those that were there at the start
  let now = await who()
  for (const limit = Date.now() + 10000; [...now].some(is_old) && Date.now() < limit;) now = await who()
  same([...now].filter(is_old), [], 'old workers that answer ten seconds after the reload')
  same(now.size, 4, 'how many new workers have answered')
  await demo.stop()
})
