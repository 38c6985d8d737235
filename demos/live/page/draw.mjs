// Elements, and the colours of the slots. Text is only ever set as text.

// As in the pictures of the notes (tests/bench/chart.js). The number always stands beside the colour.
const shades = ['#2f7ed8', '#d9822b', '#2e9e5b', '#9b6bc4', '#c0504d', '#5b9aa0', '#8c8c8c', '#b8a12e']

export const shade_of = slot => slot === null ? '#8c8c8c' : shades[slot % shades.length]

function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes))
    if (value !== undefined && value !== false) made.setAttribute(name, value === true ? '' : value)
  made.append(...children)
  return made
}

export const element = (name, attributes = {}, ...children) => filled(document.createElement(name), attributes, children)

export const svg = (name, attributes = {}, ...children) => filled(document.createElementNS('http://www.w3.org/2000/svg', name), attributes, children)

/// Replaces what is in `parent` when `key` is another one than before: what has the focus or is being pressed stays.
export function refill(parent, key, make) {
  if (parent.filled_for === key) return
  parent.filled_for = key
  parent.replaceChildren(...make())
}

export function set_text(target, text) {
  if (target.textContent !== text) target.textContent = text
}
