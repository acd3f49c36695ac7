// A table that the broker sorts and pages. Rows are updated in place, so that
// focus, selection and scrolling survive each refresh.
import { h, setText } from './dom.js';
import { count } from './format.js';

/**
 * pagedTable makes a table.
 * columns: {title, key for sorting, ascending: first order, num, head, clip, cell(row) → string | Node}
 * load(query) → {rows, matched}; query is {sort, reverse, offset, limit}
 */
export function pagedTable({ label, columns, sort, load, what, pageSize = 50 }) {
  const state = { sort, reverse: false, offset: 0, limit: pageSize };
  const heads = columns.map((c) => {
    const button = c.key && h('button', { type: 'button', class: 'sort', onclick: () => sortBy(c) }, c.title);
    return h('th', { scope: 'col', class: c.num ? 'num' : null }, button || c.title);
  });
  const body = h('tbody');
  const empty = h('p', { class: 'empty', hidden: true });
  const where = h('span', { role: 'status' });
  const back = h('button', { type: 'button', onclick: () => turn(-1) }, 'Previous');
  const forth = h('button', { type: 'button', onclick: () => turn(1) }, 'Next');
  const size = h('select', { onchange: () => { state.limit = Number(size.value); state.offset = 0; refresh(); } },
    [25, 50, 100, 200].map((n) => h('option', { value: n, selected: n === pageSize }, n)));
  const wrap = h('div', { class: 'tablewrap', tabindex: '0', role: 'region', 'aria-label': label },
    h('table', {}, h('caption', { class: 'unseen' }, label), h('thead', {}, h('tr', {}, heads)), body), empty);
  const pager = h('div', { class: 'pager' }, back, forth, where, h('label', {}, 'Rows ', size));
  let visible = columns.map(() => true);
  let asked = 0;

  function mark() {
    columns.forEach((c, i) => {
      if (c.key && c.key === state.sort) heads[i].setAttribute('aria-sort', !!c.ascending !== state.reverse ? 'ascending' : 'descending');
      else heads[i].removeAttribute('aria-sort');
    });
  }

  function sortBy(c) {
    state.reverse = state.sort === c.key ? !state.reverse : false;
    state.sort = c.key;
    state.offset = 0;
    mark();
    refresh();
  }

  function turn(direction) {
    state.offset = Math.max(0, state.offset + direction * state.limit);
    refresh();
  }

  function fill(rows) {
    rows.forEach((row, i) => {
      let tr = body.rows[i];
      if (!tr) {
        tr = h('tr', {}, columns.map((c) => h(c.head ? 'th' : 'td', { scope: c.head ? 'row' : null, class: [c.num && 'num', c.clip && 'clip', c.wrap && 'wrap', c.mono && 'mono'].filter(Boolean).join(' ') || null })));
        body.append(tr);
      }
      columns.forEach((c, k) => {
        const cell = tr.cells[k];
        cell.hidden = !visible[k];
        const value = c.cell(row, cell);
        if (value instanceof Node) cell.replaceChildren(value);
        else if (value !== undefined) { setText(cell, value); if (c.clip) cell.title = value; }
      });
    });
    while (body.rows.length > rows.length) body.lastChild.remove();
  }

  async function refresh() {
    const number = ++asked;
    const { rows, matched } = await load({ ...state });
    if (number !== asked) return; // a newer question is under way
    if (!rows.length && state.offset) { state.offset = 0; return refresh(); }
    fill(rows);
    empty.hidden = rows.length > 0;
    setText(empty, `No ${what} here.`);
    const last = state.offset + rows.length;
    setText(where, matched ? `${count(state.offset + 1)}–${count(last)} of ${count(matched)} ${what}` : '');
    back.disabled = state.offset === 0;
    forth.disabled = last >= matched;
  }

  mark();
  return {
    el: h('div', { class: 'tablebox' }, wrap, pager),
    refresh,
    /** restart shows the first page, by another column if sort is given. */
    restart(by) { state.offset = 0; if (by) { state.sort = by; state.reverse = false; mark(); } return refresh(); },
    get sort() { return state.sort; },
    show(index, on) { visible[index] = on; heads[index].hidden = !on; },
  };
}

/** button makes a cell's button once and changes its text afterwards. */
export function cellButton(cell, text, label, onclick) {
  let b = cell.firstElementChild;
  if (!b) { b = h('button', { type: 'button', class: 'link' }); cell.replaceChildren(b); }
  setText(b, text);
  b.setAttribute('aria-label', label);
  b.onclick = onclick;
  return undefined; // leave the cell as it is
}
