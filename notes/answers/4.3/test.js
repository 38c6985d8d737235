// build:
const { exercise, same } = require('../../../tests/notes/exercise.js')

exercise(async ({ run }) => {
  const program = await run('node demos/invalid_handle/silent.js')
  same(program.exit, 0, 'the exit code')
  same(program.lines, [
    'a connection: a handle',
    'the same connection again: no handle',
    'a destroyed connection: no handle',
    'a closed server: no handle'], 'what it prints')
})
