// Console blocks: each command is run as typed, and what comes out is what the block shows.
'use strict'
const os = require('os')
const { Roles, difference, is_gap, normalise, workers_in } = require('./compare.js')
const { Session } = require('./session.js')
const { cannot_trace, is_trace, normalise_trace } = require('./trace.js')

let patience = 20000 // milliseconds, for a command to end, or for what is shown to appear

// A block's lines as steps: a command or ^C or neither, then what it prints.
function steps_of(block) {
  const steps = []
  for (const line of block.lines) {
    if (line.startsWith('$ ')) steps.push({ command: line.slice(2), shown: [] })
    else if (line === '^C') steps.push({ interrupt: true, shown: [] })
    else {
      if (!steps.length) steps.push({ shown: [] })
      const step = steps.at(-1)
      if (step.command?.endsWith('\\') && line.startsWith('> ')) step.command += '\n' + line.slice(2)
      else step.shown.push(line)
    }
  }
  return steps
}

const typed = step => step.command !== undefined ? [`$ ${step.command}`.replace(/\n/g, '\n> ')] : step.interrupt ? ['^C'] : []

// The console blocks of one section, as one reader would go through them.
class Walk {
  constructor(root, blocks, report) {
    Object.assign(this, { root, blocks, report })
    this.session = new Session(root, { patience: Math.min(patience, 3000) })
    this.terminals = new Map() // by number: {command, seen: how much of what it said a block has shown}
    this.shown_workers = [] // as the latest ready line shows them
  }

  // What differs between what a step shows and what came out: `lines`, and the lines that strace wrote.
  difference(step, lines, trace, { order, varies, strace }) {
    this.session.look()
    const shown_roles = new Roles(this.shown_workers), roles = new Roles(this.session.workers, pid => this.session.started(pid))
    const relaxed = new Set(varies?.split(','))
    const both = this.shown_workers.length && this.session.workers.length
    const longer = both ? this.session.workers.map((pid, i) => String(pid).length - (this.shown_workers[i]?.length ?? 0)).filter(Boolean) : []
    const with_gaps = shown => strace ? shown.flatMap(line => ['...', line]).concat('...') : shown

    const said = strace ? step.shown.filter(line => !is_trace(line)) : step.shown
    const wrong = difference(with_gaps(normalise(said, shown_roles, { varies: relaxed })),
      normalise(lines, roles, { varies: relaxed, port: this.session.port }), { any_order: order === 'any', longer })
    if (wrong || !strace) return wrong
    const shown = normalise_trace(step.shown.filter(is_trace), both ? this.shown_workers : [])
    const tells_who = shown.some(line => line.startsWith('[worker] ')) // else the calls may be anybody's
    const calls = normalise_trace(trace.map(line => this.on_8888(line)), tells_who ? this.session.workers.map(String) : [])
    return difference(with_gaps(shown), calls, { longer })
  }

  on_8888(line) {
    return line.replace(new RegExp(`\\b${this.session.port}\\b`, 'g'), '8888')
  }

  // A command with the PIDs of this run in the place of those shown.
  with_pids(command) {
    return command.replace(/\b\d+\b/g, number => this.session.workers[this.shown_workers.indexOf(number)] ?? number)
  }

  // The new output as a reader would see it in this text: the port 8888, and the PIDs that it uses already.
  rendered(lines) {
    const pids = new Map(this.session.workers.map((pid, i) => [String(pid), this.shown_workers[i]]))
    return lines.map(line => this.on_8888(line.replace(new RegExp(` --port ${this.session.port}\\b`, 'g'), ''))
      .replace(/\d+/g, number => pids.get(number) ?? number))
  }

  async step(step, terminal, block) {
    const { options } = block
    const ready = workers_in(step.shown)
    if (step.command?.startsWith('./run')) throw new Error('./run is not run from here; say "console shown"')
    if (step.command !== undefined) {
      if (terminal.command && terminal.command.exit === null) throw new Error(`terminal ${options.terminal} is busy with ${terminal.command.typed}`)
      terminal.command = await this.session.start(this.with_pids(step.command))
      terminal.seen = { lines: 0, trace: 0 }
    }
    const { command } = terminal
    if (!command) throw new Error('nothing runs in this terminal')
    if (step.interrupt) command.signal('SIGINT')
    if (ready.length) this.shown_workers = ready

    const fresh = () => [command.lines.slice(terminal.seen.lines), command.traced().slice(terminal.seen.trace)]
    const must_end = options.terminal === undefined || step.interrupt
    const matches = () => this.difference(step, ...fresh(), options) === undefined
    const rested = () => Date.now() - command.last_output > 100
    const done = () => command.exit !== null || !must_end && rested() && matches()
    if (!await this.session.until(done, patience) && must_end) throw new Error(`has not ended: ${command.typed}`)

    const [lines, trace] = fresh()
    terminal.seen = { lines: command.lines.length, trace: command.traced().length }
    return { lines, wrong: this.difference(step, lines, trace, options) }
  }

  async block(block) {
    const { options } = block
    const number = options.terminal ?? 'main'
    if (!this.terminals.has(number) || options.terminal === undefined) this.terminals.set(number, {})
    const terminal = this.terminals.get(number)
    const replacement = []
    const wrong = []
    let by_hand = Boolean(options.strace)
    for (const step of steps_of(block)) {
      const result = await this.step(step, terminal, block)
      if (result.wrong) {
        wrong.push(result.wrong)
        by_hand ||= step.shown.some(line => is_gap(line) || line.includes('...'))
      }
      replacement.push(...typed(step).join('\n').split('\n').filter(Boolean), ...(result.wrong ? this.rendered(result.lines) : step.shown))
    }
    const { exit, typed: last } = terminal.command
    const expected = Number(options.exit ?? 0)
    if (exit !== null && exit !== expected) this.report(block.line, `exit code ${exit}, not ${expected}: ${last}`)
    if (wrong.length)
      this.report(block.line, `${wrong.join('; ')}\n    what came out:\n${this.rendered([...terminal.command.lines, ...terminal.command.traced()]).map(line => `    | ${line}`).join('\n')}`,
        by_hand || options.terminals ? undefined : { block, lines: replacement })
  }

  async run() {
    try {
      for (const block of this.blocks) {
        try {
          await this.block(block)
        } catch (error) {
          this.report(block.line, error.message)
          return
        }
      }
    } finally {
      const left = await this.session.end()
      if (left.length) this.report(this.blocks[0].line, `still running after the last block: ${left.join(' ')}`)
    }
  }
}

// A block of several terminals, as ./run demo prints them (`terminal 1 $ command`, `  1 | line`, `terminal 1 ^C`), as one block
// for each time that one terminal has the word.
function split_terminals(block) {
  const parts = []
  const latest = new Map() // by terminal: its latest part, until another terminal's command
  for (const text of block.lines) {
    const [, event, typed, said, line] = text.match(/^terminal (\d) (\$ .*|\^C)$|^  (\d) \| (.*)$/) ?? []
    const terminal = event ?? said
    if (event) latest.clear()
    if (!latest.has(terminal)) {
      latest.set(terminal, { line: block.line, options: { ...block.options, terminal }, lines: [] })
      parts.push(latest.get(terminal))
    }
    latest.get(terminal).lines.push(event ? typed : line ?? text)
  }
  return parts
}

// The walks of a document: the console blocks by section.
function walks(document) {
  const sections = new Map()
  for (const block of document.blocks)
    if (block.language === 'console' && !block.options.shown)
      sections.set(block.section, [...sections.get(block.section) ?? [], ...block.options.terminals ? split_terminals(block) : [block]])
  return [...sections.values()]
}

const traced = blocks => blocks.some(block => block.options.strace)

// Most containers have no IPv6.
const has_ipv6 = Object.values(os.networkInterfaces()).flat().some(({ family }) => family === 'IPv6')
const can_run = block => has_ipv6 || !block.lines.some(line => /^\$ .* ::/.test(line))

async function check_transcripts(document, report, skip) {
  for (const blocks of walks(document).filter(blocks => !traced(blocks))) {
    for (const block of blocks) if (!can_run(block)) skip(block.line, 'not run: there is no IPv6 here')
    await new Walk(document.root, blocks.filter(can_run), report).run()
  }
}

async function check_traces(document, report, skip) {
  const found = walks(document).filter(traced)
  const why = found.length ? cannot_trace() : undefined
  for (const blocks of found)
    if (why) skip(blocks[0].line, `not traced again: ${why}`)
    else await new Walk(document.root, blocks, report).run()
}

const set_patience = milliseconds => { patience = milliseconds }

module.exports = { Walk, check_traces, check_transcripts, set_patience }
